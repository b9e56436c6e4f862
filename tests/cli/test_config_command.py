"""`relayna config`."""

from __future__ import annotations

import json

from cli.command_line import relayna


def test_it_shows_values_and_their_sources_with_secrets_masked() -> None:
    run = relayna("config", "--prefix", "mine", RELAYNA_REDIS_URL="redis://u:hunter2@cache/0")
    assert run.returncode == 0
    assert b"hunter2" not in run.stdout
    lines = [line.split() for line in run.stdout.decode().splitlines()]
    assert ["redis_url", "redis://***@cache/0", "environment", "RELAYNA_REDIS_URL"] in lines
    assert ["prefix", "mine", "argument"] in lines
    assert ["port", "8765", "default"] in lines


def test_the_brokers_secrets_are_masked_too() -> None:
    run = relayna("config", "--amqp-url", "amqp://u:hunter2@rabbit/", RELAYNA_AMQP_URL="amqp://elsewhere/")
    lines = [line.split() for line in run.stdout.decode().splitlines()]
    assert ["amqp_url", "amqp://***@rabbit/", "argument"] in lines


def test_as_json() -> None:
    run = relayna("config", "--format", "json", RELAYNA_PORT="9000")
    rows = json.loads(run.stdout)
    assert rows["port"] == {"value": "9000", "source": "environment RELAYNA_PORT"}


def test_a_wrong_value_exits_with_2() -> None:
    run = relayna("config", RELAYNA_PORT="ninety")
    assert run.returncode == 2
    assert b"'port' (from environment RELAYNA_PORT)" in run.stderr


def test_the_switches_of_lineage_say_how_they_stand_and_what_they_do() -> None:
    variables = {"RELAYNA_LINEAGE_READ": "yes", "RELAYNA_LINEAGE_LIVE": "1", "RELAYNA_LINEAGE_EMIT": "maybe"}
    run = relayna("config", **variables)
    lines = [line.split(maxsplit=3) for line in run.stdout.decode().splitlines()[-3:]]
    assert [line[:3] for line in lines] == [
        ["lineage_emit", "off", "environment"],
        ["lineage_read", "on", "environment"],
        ["lineage_live", "off", "environment"],
    ]
    assert lines[1][3] == "RELAYNA_LINEAGE_READ (questions about lineage are answered over HTTP)"
    rows = json.loads(relayna("config", "--format", "json").stdout)
    assert rows["lineage_emit"]["value"] == "off"
    assert rows["lineage_emit"]["source"] == "default"
