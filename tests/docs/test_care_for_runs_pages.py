"""What docs/operations.md and docs/lineage.md show of old runs and of agents runs as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import anyio
import pytest
from cli.called_here import call
from house.project_files import ROOT
from observability.recorded_run_steps import edge_to, recorded, some_run
from servers import StoreUnderTest

from relayna.clock import SystemClock
from relayna.instants import Instant
from relayna.streams.redis import RedisLog
from relayna.streams.redis.run_records import RedisRunRecords

DAY = 86_400_000_000


def commands(page: str, word: str) -> list[list[str]]:
    """The lines of code that call `relayna WORD`, as a shell would read them."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith(f"relayna {word} ")]
    assert lines
    return [shlex.split(line, comments=True)[1:] for line in lines]


def keep_a_run(store: StoreUnderTest, *, days_ago: int) -> None:
    async def restore() -> None:
        began = Instant(SystemClock().now() - days_ago * DAY)
        run = some_run(f"R{days_ago}", began)
        expires_at = began + 91 * DAY
        async with RedisLog(store.url, prefix=store.prefix) as log:
            await RedisRunRecords(log).restore(
                [recorded(run, [edge_to(run, "spawn", "P")], expires_at=expires_at)]
            )

    anyio.run(restore)


@pytest.fixture(autouse=True)
def settings(any_store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_REDIS_URL", any_store.url)
    monkeypatch.setenv("RELAYNA_PREFIX", any_store.prefix)


def test_old_runs_move_and_come_back(
    any_store: StoreUnderTest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keep_a_run(any_store, days_ago=92)
    said = []
    for words in commands("operations.md", "lineage"):
        here = [str(tmp_path) if word.startswith("/var/") else word for word in words]
        called = call(monkeypatch, capsys, *here)
        assert called.code == 0, called.err
        said.append(called.err)
    dry, archived, imported = said
    assert "nothing was done" in dry
    assert "the store forgot them" in archived
    assert "brought back: 1" in imported
    [file] = tmp_path.iterdir()
    assert re.fullmatch(r"default~\d{4}-\d\d-\d\d\.runs\.jsonl\.gz", file.name)


def test_agents_are_told(
    any_store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_a_run(any_store, days_ago=1)
    [words] = commands("lineage.md", "agents")
    called = call(monkeypatch, capsys, *words)
    assert (called.code, "100.0%" in called.out) == (0, True)
