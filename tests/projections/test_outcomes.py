"""The table of outcomes."""

from __future__ import annotations

import itertools

import pytest

from relayna.events import (
    AggregationMessageAcked,
    Body,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    TaskMessageAcked,
    TaskMessageRejected,
    WorkflowStageAcked,
)
from relayna.events.vocabulary import CLOSING_TYPES
from relayna.projections.outcomes import outcome_named, outcome_of

ENDS: list[tuple[Body, str, str]] = [
    (TaskMessageAcked(), "acked", "succeeded"),
    (WorkflowStageAcked(reason="manual_retry"), "manual_retry", "succeeded"),
    (AggregationMessageAcked(reason="done"), "acked", "succeeded"),
    (TaskMessageRejected(requeue=True), "released", "abandoned"),
    (TaskMessageRejected(), "rejected", "failed"),
    (ConsumerRetryScheduled(reason="manual_retry"), "retried", "failed"),
    (ConsumerDeadLetterPublished(), "dead_lettered", "dead_lettered"),
]


@pytest.mark.parametrize(("body", "name", "state"), ENDS)
def test_each_end(body: Body, name: str, state: str) -> None:
    outcome = outcome_of([body])
    assert outcome is not None
    assert (outcome.name, outcome.state) == (name, state)


@pytest.mark.parametrize("pair", list(itertools.combinations([body for body, _, _ in ENDS], 2)))
def test_of_two_ends_the_heavier_one_counts_in_any_order(pair: tuple[Body, Body]) -> None:
    assert outcome_of(pair) == outcome_of(pair[::-1])


def test_the_weights() -> None:
    acked, retried = TaskMessageAcked(), ConsumerRetryScheduled()
    heavier = outcome_of([acked, retried])
    assert heavier is not None
    assert heavier.name == "retried"
    heaviest = outcome_of([acked, retried, ConsumerDeadLetterPublished()])
    assert heaviest is not None
    assert heaviest.name == "dead_lettered"
    assert outcome_of([]) is None


def test_an_end_that_was_lost_but_named() -> None:
    for closing in CLOSING_TYPES:
        assert outcome_named(closing.__name__).name != "unknown"
    assert outcome_named("TaskDreamt").name == outcome_named(None).name == "unknown"
