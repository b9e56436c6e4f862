"""`relayna check`: what it writes, and its exit codes."""

from __future__ import annotations

import json

from cli.command_line import relayna
from servers import StoreUnderTest


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
