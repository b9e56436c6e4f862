"""What docs/operations.md says to set is what servers take, and its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from observability.checks.inspections import SOUND
from servers import StoreUnderTest

from relayna.observability.checks import StoreHealth, judge
from relayna.observability.checks.births import check_births
from relayna.streams import MemoryLog
from relayna.streams.redis import RedisLog
from relayna.streams.redis.inspection import inspect_store

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


async def test_the_rights_are_enough(store: StoreUnderTest) -> None:
    rule = next(block for block in blocks() if block.startswith("ACL SETUSER"))
    name = f"user-{store.prefix}"
    rule = rule.replace("relayna on", f"{name} on").replace(">PASSWORD", ">word")
    store.admin.execute_command(*rule.replace("~relayna:", f"~{store.prefix}:").split())
    try:
        url = store.url.replace("redis://", f"redis://{name}:word@")
        log = RedisLog(url, prefix=store.prefix, shard_count=4)
        found = await inspect_store(log)
        async with log:
            await log.ping()
    finally:
        store.admin.execute_command("ACL", "DELUSER", name)

    assert found.refused == []
    assert found.servers[0].info
    assert found.servers[0].clock_ms is not None


def test_the_settings_exist(store: StoreUnderTest) -> None:
    settings = [line.split() for line in blocks()[0].splitlines()]
    assert ["maxmemory-policy", "noeviction"] in settings
    for name, value in settings:
        before = store.admin.config_get(name)[name]
        store.admin.config_set(name, value)
        store.admin.config_set(name, before)


async def test_every_check_is_told() -> None:
    section = PAGE[PAGE.index("## Checks") :].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    checks = [
        *(await StoreHealth(MemoryLog()).report()).checks,
        *judge(SOUND, retention_seconds=1, open_retention_seconds=1),
        check_births(0),
    ]
    assert sorted(told) == sorted(check.name for check in checks)


def test_the_arithmetic_is_right() -> None:
    rows = re.findall(r"^\| \d+ \| \d+ \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    live, sealed = (int(cell.replace(",", "")) for cell in rows[0])
    assert len(rows) == 3
    assert f"take {sealed * 7 / 1000:.0f} GB sealed and {live * 7 / 1000:.0f} GB not sealed" in PAGE
