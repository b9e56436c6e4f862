"""Runs without a birth, over records: which are found, which are left for the next time, and how they are named."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from observability.recorded_run_steps import edge_to, recorded, some_run, unreadable
from observability.run_archive.kept_runs import KeptRuns

from relayna.clock import FrozenClock
from relayna.instants import Instant
from relayna.observability.unborn_runs import find_unborn_runs, named_runs
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.run_records import WEEK_MICROS, StoredRun

pytestmark = pytest.mark.anyio

NOW = FrozenClock().now()
SECOND = 1_000_000


async def found(*stored: StoredRun, settled_seconds: int = 0, window_seconds: int = 3_600) -> list[str]:
    runs = await find_unborn_runs(
        KeptRuns(stored),
        DEFAULT_TENANT,
        now=NOW,
        window_micros=window_seconds * SECOND,
        settled_micros=settled_seconds * SECOND,
        unreadable=lambda stored: None,
    )
    return [run.run_id for run in runs]


def began(run_id: str, seconds_ago: int) -> StoredRun:
    """A run that nothing led to."""
    return recorded(some_run(run_id, Instant(NOW - seconds_ago * SECOND)))


async def test_those_of_the_window_are_found_in_order() -> None:
    assert await found(began("b", 5), began("a", 9), began("old", 4_000), began("ahead", -60)) == [
        "a",
        "b",
        "ahead",
    ]


async def test_those_that_began_just_now_are_left_for_the_next_time() -> None:
    runs = [began("now", 0), began("young", 9), began("settled", 10), began("ahead", -60)]
    assert await found(*runs, settled_seconds=10) == ["settled", "ahead"]


async def test_a_run_that_was_heard_of_again_keeps_its_birth() -> None:
    born = some_run("R", Instant(NOW - WEEK_MICROS))
    again = recorded(some_run("R", NOW), [edge_to(born, "span_tree_fallback", "P")])
    first = recorded(born, [edge_to(born, "spawn", "P")])
    assert await found(again) == ["R"]
    assert await found(again, first) == []
    other = recorded(some_run("S", Instant(NOW - WEEK_MICROS)), [edge_to(some_run("S", NOW), "spawn", "P")])
    assert await found(again, other) == ["R"]


async def test_what_cannot_be_read_is_handed_out() -> None:
    damaged = unreadable(some_run("damaged", NOW))
    handed: list[StoredRun] = []
    runs = await find_unborn_runs(
        KeptRuns([damaged, replace(began("R", 1), session_id="S")]),
        DEFAULT_TENANT,
        now=NOW,
        window_micros=SECOND * 60,
        unreadable=handed.append,
    )
    assert ([run.run_id for run in runs], handed) == (["R"], [damaged])
    assert named_runs(runs) == "'R' of session 'S' by 'clerk'"
    assert named_runs(runs * 12).endswith("and 2 more")
