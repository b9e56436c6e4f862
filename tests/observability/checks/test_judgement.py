"""What each check makes of what was found out about a store."""

from __future__ import annotations

from typing import Any

import pytest
from observability.checks.inspections import DAY_MS, SOUND, finding, server

from relayna.observability.checks import CheckReport, CheckState, judge
from relayna.observability.checks.check import worst
from relayna.streams.redis.inspection import SampledStream

CASES: list[tuple[str, dict[str, Any], CheckState]] = [
    ("server_version", {"servers": [server("valkey_version", "redis_version")]}, "unknown"),
    ("eviction_policy", {"servers": [server(maxmemory_policy="allkeys-lru")]}, "failed"),
    ("eviction_policy", {"servers": [server(maxmemory_policy="volatile-ttl", maxmemory="0")]}, "warning"),
    ("eviction_policy", {"servers": [server("maxmemory_policy")]}, "unknown"),
    ("eviction_policy", {"servers": [server(), server(maxmemory_policy="allkeys-lru")]}, "failed"),
    ("memory_headroom", {"servers": [server(used_memory=str(2**30))]}, "failed"),
    ("memory_headroom", {"servers": [server(used_memory=str(2**30 - 1))]}, "warning"),
    ("memory_headroom", {"servers": [server(maxmemory="0")]}, "ok"),
    ("memory_headroom", {"servers": [server("used_memory")]}, "unknown"),
    ("append_only_file", {"servers": [server(aof_enabled="0")]}, "warning"),
    ("append_only_file", {"servers": [server(aof_last_write_status="err")]}, "failed"),
    ("append_only_file", {"servers": [server("aof_enabled")]}, "unknown"),
    ("rights", {"refused": None}, "unknown"),
    ("rights", {"refused": ["COPY"]}, "warning"),
    ("rights", {"refused": ["EXISTS", "PEXPIRETIME", "XSETID", "COPY", "RENAME", "SET", "SCAN"]}, "ok"),
    ("rights", {"refused": ["XADD"]}, "warning"),
    ("rights", {"refused": ["XRANGE", "XADD"]}, "failed"),
    ("clock_skew", {"servers": [server(clock_ms=1_800_000_000_999)]}, "ok"),
    ("clock_skew", {"servers": [server(clock_ms=1_800_000_002_000)]}, "warning"),
    ("clock_skew", {"servers": [server(clock_ms=1_799_990_000_000)]}, "warning"),
    ("clock_skew", {"servers": [server(clock_ms=None)]}, "unknown"),
    ("shard_count", {"shard_count": "16"}, "failed"),
    ("shard_count", {"shard_count": None}, "ok"),
    ("prefix", {"any_feed": False, "other_prefixes": ["workers"]}, "warning"),
    ("prefix", {"any_feed": False}, "ok"),
    ("longest_task", {"streams": [SampledStream(0, 31 * DAY_MS, None)]}, "warning"),
    ("longest_task", {"streams": []}, "ok"),
    ("retention", {"streams": [SampledStream(0, DAY_MS, 2 * DAY_MS)]}, "warning"),
    ("retention", {"streams": [SampledStream(0, DAY_MS, None)]}, "ok"),
    (
        "retention",
        {"streams": [SampledStream(0, DAY_MS, 2 * DAY_MS), SampledStream(0, 0, 7 * DAY_MS)]},
        "warning",
    ),
]


def test_a_sound_store_gives_nothing_to_do() -> None:
    checks = judge(SOUND, retention_seconds=604_800, open_retention_seconds=2_592_000)
    assert {check.state for check in checks} == {"ok"}
    assert len({check.name for check in checks}) == len(checks)


@pytest.mark.parametrize(("name", "changed", "state"), CASES)
def test_what_is_found(name: str, changed: dict[str, Any], state: CheckState) -> None:
    found = finding(name, **changed)
    assert found.state == state
    assert found.found.endswith(".")
    assert bool(found.advice) or state in ("ok", "unknown")
    assert "secret-host" not in f"{found}"


def test_of_many_servers_it_says_how_many() -> None:
    servers = [server(aof_enabled="0"), server(), server(aof_enabled="0")]
    assert finding("append_only_file", servers=servers).found.startswith("2 of 3 servers: ")


def test_what_to_do_names_what_was_found() -> None:
    assert "RELAYNA_SHARD_COUNT=16" in finding("shard_count", shard_count="16").advice
    assert "'workers'" in finding("prefix", any_feed=False, other_prefixes=["workers"]).found


def test_a_report_is_as_bad_as_its_worst_finding() -> None:
    checks = [finding("rights", refused=["COPY"]), finding("prefix")]
    report = CheckReport(checked_at=0, checks=checks)  # type: ignore[arg-type]
    assert (report.state, [check.name for check in report.findings]) == ("warning", ["rights"])
    assert worst([]) == "ok"
    assert worst(["ok", "failed", "unknown"]) == "failed"
