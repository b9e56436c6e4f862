"""`relayna check`: what it writes, and its exit codes."""

from __future__ import annotations

import json

from cli.command_line import relayna
from servers import StoreUnderTest
from store_users import store_user


def test_findings_are_told_with_what_to_do(any_store: StoreUnderTest) -> None:
    place = ("--redis-url", any_store.url, "--prefix", any_store.prefix)
    table, asked = relayna("check", *place), relayna("check", "--format", "json", *place)
    checks = {check["name"]: check for check in json.loads(asked.stdout)}

    assert (table.returncode, asked.returncode) == (6, 6)
    assert b"append_only_file  warning  " in table.stdout
    assert b"appendonly yes" in table.stdout
    assert checks["append_only_file"]["state"] == "warning"
    assert checks["eviction_policy"]["state"] == "ok"
    assert any_store.all_keys() == []


def test_nothing_to_do(any_store: StoreUnderTest) -> None:
    any_store.admin.config_set("appendonly", "yes")
    try:
        run = relayna("check", "--redis-url", any_store.url, "--prefix", any_store.prefix, "--format", "json")
    finally:
        any_store.admin.config_set("appendonly", "no")
    findings = {check["name"] for check in json.loads(run.stdout) if check["state"] in ("warning", "failed")}
    assert findings <= {"prefix"}  # other tests may be using the same server
    assert run.returncode == (6 if findings else 0)


def test_nobody_to_ask() -> None:
    run = relayna("check", "--redis-url", "redis://:secret@127.0.0.1:1/0")
    assert (run.returncode, run.stdout) == (4, b"")
    assert b"secret" not in run.stderr


def test_rights_are_held_against_a_role(any_store: StoreUnderTest) -> None:
    with store_user(any_store, "reader") as user:
        place = ("--redis-url", user.store.url, "--prefix", any_store.prefix)
        fits = relayna("check", "--acl", *place)
        lacks = relayna("check", "--acl", "worker", *place, "--format", "json")
    assert (fits.returncode, lacks.returncode) == (0, 6)
    assert b"acl_missing    ok  Our user may do all that a reader does." in fits.stdout
    missing, more = json.loads(lacks.stdout)
    assert (missing["state"], more["state"]) == ("failed", "warning")
    assert "XADD stream" in missing["found"]
    exceeding = relayna("check", "--acl", "--redis-url", any_store.url, "--prefix", any_store.prefix)
    assert exceeding.returncode == 6
    assert b"may do more than an operator does: FLUSHALL" in exceeding.stdout


def test_rights_of_whoever_may_not_ask(any_store: StoreUnderTest) -> None:
    with store_user(any_store, "worker", "reset", "on", ">word", "+hello", "+ping", shard_count=None) as user:
        run = relayna("check", "--acl", "--redis-url", user.store.url, "--prefix", any_store.prefix)
    assert run.returncode == 4
    assert b"NOPERM" in run.stderr
