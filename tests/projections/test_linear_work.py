"""Work grows as histories do: lines that run are counted, not time."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from projections.laws import fold
from projections.plain_histories import at, plain_items

from relayna.projections.execution import GraphQuery
from relayna.projections.graph import encode_graph
from relayna.projections.projection import Item
from relayna.projections.registry import PROJECTIONS
from relayna.testing import history


def retried(size: int) -> list[Item]:
    attempt = history("root").published().attempt()
    while len(attempt.task.scribe.events) < size:
        attempt = attempt.status("step").relayed().fails().retried().attempt()
    return [*attempt.acked().events]


def abandoned(size: int) -> list[Item]:
    attempt = history("root").published().attempt()
    while len(attempt.task.scribe.events) < size:
        attempt = attempt.status("step").redelivered()
    return [*attempt.acked().events]


def replayed(size: int) -> list[Item]:
    attempt = history("root").published().attempt()
    while len(attempt.task.scribe.events) < size:
        attempt = attempt.dead_lettered().replayed().attempt()
    return [*attempt.events]


def lossy(size: int) -> list[Item]:
    attempt = history("root").published().attempt()
    while len(attempt.task.scribe.events) < size:
        attempt.status("step").loses(1).status("step").loses(1, confessed=False)
    return [*attempt.acked().events]


def wide(size: int) -> list[Item]:
    parent = history("root").published().attempt()
    while len(parent.task.scribe.events) < size:
        child = parent.spawns(f"child {len(parent.task.scribe.events)}").attempt()
        child.task.attempt(child.reports()).acked()
        child.acked()
    return [*parent.acked().events]


def deep(size: int) -> list[Item]:
    attempt = history("root").published().attempt()
    while len(attempt.task.scribe.events) < size:
        attempt = attempt.spawns(f"child {len(attempt.task.scribe.events)}").attempt()
        attempt.spawns("root")
    return [*attempt.events]


def staged(size: int) -> list[Item]:
    task = history("root").enters("stage 0")
    attempt = task.attempt()
    while len(task.scribe.events) < size:
        following = attempt.sends(f"stage {len(task.scribe.events)}")
        attempt.acked()
        attempt = task.attempt(following)
    return [*task.events]


def foreign(size: int) -> list[Item]:
    """Coarse clocks: everything happens at a few instants, in many stages, and nothing has an id."""
    observations: list[dict[str, Any]] = []
    statuses: list[dict[str, Any]] = []
    letters: list[dict[str, Any]] = []
    for number in range(size // 8):
        second, stage = number % 3, f"stage {number}"
        named = {"stage": stage, "origin_stage": f"stage {number - 1}", "message_id": f"m{number}"}
        observations += [
            at(second, "WorkflowMessageReceived", **named),
            at(second, "WorkflowStageFailed", stage=stage),
            at(second, "ConsumerRetryScheduled", stage=stage, retry_attempt=1),
            at(second, "WorkflowMessageReceived", **named, retry_attempt=1),
            at(second, "ConsumerDeadLetterPublished", reason="r", message_id=f"x{number}"),
            at(second, "TaskLifecycleStatusPublished", status="s", message_id=f"o{number}"),
        ]
        statuses.append(at(second, status="s", message_id=f"s{number}"))
        letters.append(at(second, reason="r", message_id=f"y{number}", dlq_id=f"d{number}"))
    return plain_items("root", observations=observations, statuses=statuses, letters=letters)


def steps_made(work: Callable[[], object]) -> int:
    """How many lines of the package `work` runs, each turn of a loop counted."""
    steps = 0

    def step(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal steps
        steps += event == "line"
        return step

    def enter(frame: FrameType, _event: str, _argument: object) -> Any:
        return step if "relayna" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


SHAPES = [
    (retried, 3), (abandoned, 3), (replayed, 3), (lossy, 3), (staged, 3), (foreign, 3),
    (wide, 1), (wide, 100_000), (deep, 3), (deep, 100_000),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "depth"), SHAPES)
def test_eight_times_the_events_are_about_eight_times_the_work(
    shape: Callable[[int], list[Item]], depth: int
) -> None:
    projection = PROJECTIONS[0]
    query = GraphQuery(depth=depth, max_nodes=500)

    def work(size: int) -> int:
        items = shape(size)
        random.Random(0).shuffle(items)
        return steps_made(lambda: encode_graph(projection.finish(fold(projection, items), query)))

    small, large = work(1_000), work(8_000)
    assert large < 10 * small
