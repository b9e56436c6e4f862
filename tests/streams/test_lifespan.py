"""Which facts say that a task goes on, and which that it has ended."""

from __future__ import annotations

import pytest

from relayna.events import (
    AggregationDeadLetterPublished,
    AggregationMessageReceived,
    ChildRegistered,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    DeadLetterReplayed,
    StatusPublished,
    TaskLifecycleStatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskPublished,
    TaskResourceSampled,
)
from relayna.events.vocabulary import Body
from relayna.ids import TaskId
from relayna.streams.lifespan import final_status, tells_of
from relayna.streams.log import Tells


@pytest.mark.parametrize(
    ("body", "tells"),
    [
        (TaskPublished(), "open"),
        (TaskMessageReceived(), "open"),
        (ConsumerRetryScheduled(retry_attempt=1), "open"),
        (DeadLetterReplayed(dead_letter_id="d"), "open"),
        (StatusPublished(status="sending"), "open"),
        (TaskLifecycleStatusPublished(status="processing"), "open"),
        (TaskLifecycleStatusPublished(status="completed"), "ended"),
        (StatusPublished(status="failed"), "ended"),
        (ConsumerDeadLetterPublished(reason="poison"), "ended"),
        (AggregationDeadLetterPublished(reason="poison"), "ended"),
        (TaskMessageAcked(), None),
        (TaskResourceSampled(), None),
        (AggregationMessageReceived(), None),
        (ChildRegistered(child_task_id=TaskId("c")), None),
    ],
)
def test_what_a_fact_says_of_its_task(body: Body, tells: Tells | None) -> None:
    assert tells_of(body) == tells


def test_topologies_may_have_ends_of_their_own() -> None:
    archived = StatusPublished(status="archived")
    assert (tells_of(archived), tells_of(archived, {"archived"})) == ("open", "ended")
    assert (final_status(archived), final_status(archived, {"archived"})) == (None, "archived")


def test_a_status_that_is_no_text_ends_nothing() -> None:
    assert final_status(StatusPublished(status=["completed"])) is None  # type: ignore[arg-type]
