from __future__ import annotations

import unicodedata
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mermaid.hostile_labels import HOSTILE, labels
from rich.console import Console

from relayna.observability.standing_terminal import print_standing
from relayna.projections.standing import LastFailure, RunningAttempt, Standing
from relayna.projections.task_why import Awaited, AwaitedKind

LABELS = st.sampled_from(HOSTILE) | labels


def standing(**facts: object) -> Standing:
    known: dict[str, object] = {
        "task_id": "order-7",
        "topology_kind": None,
        "status": None,
        "since": None,
        "message": None,
        "state": "unknown",
        "started_at": None,
        "ended_at": None,
        "duration_ms": None,
        "graph_completeness": "full",
        "missing": [],
    }
    return Standing(**{**known, **facts})  # type: ignore[arg-type]


def printed(told: Standing, *, width: int = 80) -> list[str]:
    out = StringIO()
    print_standing(told, Console(file=out, width=width, force_terminal=False, highlight=False))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def awaited(kind: AwaitedKind, node: str, label: str, **more: str) -> Awaited:
    return Awaited(kind=kind, node=node, event_id=node, task_id="order-7", label=label, **more)


def test_a_task_of_which_little_is_known() -> None:
    assert printed(standing(missing=["no_observations"], graph_completeness="partial")) == [
        "Task      order-7",
        "Status    ? none was published",
        "Topology  unknown",
        "Started   not yet",
        "Attempts  0",
        "Evidence  partial: no_observations",
    ]


def test_a_task_with_all_there_is() -> None:
    lines = printed(
        standing(
            status="failed",
            state="failed",
            message="two\nlines",
            started_at="2026-01-01T00:00:00+00:00",
            duration_ms=90_000,
            attempts=1_200,
            failed_attempts=2,
            retries=2,
            dead_letters=2,
            dead_letters_replayed=1,
            children=3,
            children_ended=1,
            running=[
                RunningAttempt(node="a", ref="a", label="attempt 3", queue_name="work", consumer_name="w-1")
            ],
            last_failure=LastFailure(node="a", ref="a", label="attempt 2", exception_type="KeyError"),
        )
    )
    assert lines[1:] == [
        "Status    ✗ failed",
        "          two lines",
        "Topology  unknown",
        "Started   2026-01-01T00:00:00+00:00, took 1 min 30 s",
        "Attempts  1,200, 2 of them failed; 2 retries",
        "Letters   2 dead letters, 1 of them replayed",
        "Children  3, 1 of them ended",
        "Running   attempt 3, from work, by w-1",
        "Failure   attempt 2: KeyError",
        "Evidence  full",
    ]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (awaited("retry", "retry:x:1", "retry 1", due_at="T", queue_name="q"), "retry 1, due at T, in q"),
        (awaited("message", "task:x", "x"), "a worker: published, and not received yet"),
        (awaited("message", "workflow-message:m", "resize", since="T"), "a worker of resize, published at T"),
        (awaited("child", "aggregation_child:c", "c"), "child c"),
        (awaited("attempt", "task-attempt:x:1", "x attempt 1"), "x attempt 1"),
    ],
)
def test_what_it_waits_for(one: Awaited, words: str) -> None:
    assert f"Waits for {words}" in printed(standing(waits_for=[one]))


def test_of_many_only_some_are_named() -> None:
    lines = printed(
        standing(waits_for=[awaited("child", f"c{number}", f"c{number}") for number in range(30)])
    )
    assert lines.count("          and 22 more") == 1
    assert len(lines) < 20


@given(label=LABELS, message=LABELS, status=LABELS)
def test_no_text_does_what_it_says(label: str, message: str, status: str) -> None:
    told = standing(
        task_id=label,
        status=status,
        message=message,
        last_failure=LastFailure(
            node=label, ref=label, label=label, exception_message=message, reason=status
        ),
        waits_for=[awaited("child", label, label, queue_name=message)],
        running=[RunningAttempt(node=label, ref=label, label=label, queue_name=message)],
    )
    lines = printed(told, width=10_000)
    assert len(lines) == 10
    assert not {unicodedata.category(character) for line in lines for character in line} & {"Cc", "Cf", "Cs"}
