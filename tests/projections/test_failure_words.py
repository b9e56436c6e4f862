"""Why, in one sentence for people."""

from __future__ import annotations

from collections.abc import Sequence

from relayna.events import RecordedEvent
from relayna.projections.execution import GraphQuery
from relayna.projections.failure import explain_failure
from relayna.projections.registry import EXECUTION_PROJECTIONS
from relayna.projections.task_why import TaskWhy
from relayna.testing import history


def why(events: Sequence[RecordedEvent], root: str) -> TaskWhy:
    projection = EXECUTION_PROJECTIONS[0]
    state = projection.initial(root)
    for event in events:
        projection.apply(state, event)
    return explain_failure(projection.finish(state, GraphQuery()))


def test_statuses_alone_say_that_it_failed_and_not_why() -> None:
    told = why(history("order-7").status("failed").events, "order-7")
    assert told.sentence == (
        "order-7 is failed, and nothing that is recorded says why; the record is not complete (no_observations)."
    )


def test_a_long_message_is_cut() -> None:
    failed = history("order-7").published().attempt().fails("E", "x" * 1_000).dead_lettered()
    assert len(why(failed.events, "order-7").sentence) < 400


def test_several_first_causes_and_bystanders_are_counted() -> None:
    parent = history("order-7").published().attempt()
    for number in range(3):
        parent.spawns(f"page-{number}").published().attempt().fails("LookupError").dead_lettered()
    sentence = why(parent.fails("ChildFailed").dead_lettered().events, "order-7").sentence
    assert sentence.endswith("; 3 other first causes led there too.")


def test_an_attempt_that_never_ended_is_said_to_have_not() -> None:
    first = history("order-7").published().attempt()
    first.redelivered().fails("E").dead_lettered()
    told = why(first.events, "order-7")
    assert any("never ended" in told.sentence or cause.took_down for cause in told.causes)
