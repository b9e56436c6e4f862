"""What happened to a task, line by line. The laws of projections are held for it in `test_laws.py`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from projections.golden_histories import replay_after_a_dead_letter, retry_and_dead_letter, workflow
from projections.hostile_histories import histories
from projections.laws import fold
from projections.random_histories import random_history

from relayna.events import Envelope, OperatorActed, RecordedEvent, StatusPublished, from_plain
from relayna.ids import EventId, TaskId
from relayna.instants import UNTIMED, Instant
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.projection import Item
from relayna.projections.registry import EXECUTION_PROJECTIONS, PROJECTIONS
from relayna.projections.timeline import TIMELINE, Timeline
from relayna.testing import history

FIRST_SEED = 20_260_101


def timeline(items: Sequence[Item], root: str, **query: object) -> Timeline:
    return TIMELINE.finish(fold(TIMELINE, items, root), GraphQuery(**query))  # type: ignore[arg-type]


def graph_of(items: Sequence[Item], root: str) -> ExecutionGraph:
    return EXECUTION_PROJECTIONS[0].finish(fold(EXECUTION_PROJECTIONS[0], items, root), GraphQuery())


def test_it_is_registered() -> None:
    assert TIMELINE in PROJECTIONS


def test_each_event_is_a_line_with_its_place_and_time() -> None:
    told = timeline(retry_and_dead_letter(), "order-7")
    assert [(one.offset_ms, one.attempt, one.text) for one in told.entries] == [
        (0, None, "published as email"),
        (250, 1, "received"),
        (500, 1, "status processing"),
        (750, 1, "the handler raised TimeoutError: no answer"),
        (1_000, 1, "status retrying"),
        (1_250, 1, "retry 1 scheduled, due in 0.5 s"),
        (-3_597_750, 2, "received"),
        (-3_597_500, 2, "status processing"),
        (-3_597_250, 2, "the handler raised TimeoutError: no answer"),
        (-3_597_000, 2, "status failed"),
        (-3_596_500, 2, "dead-lettered: retries_exhausted"),
    ]
    assert told.first_at == "2026-01-01T00:00:00+00:00"
    assert told.last_at == "2026-01-01T00:00:01.500000+00:00"  # when the hub relayed the status
    assert (told.graph_completeness, told.missing) == ("full", [])


def test_a_status_and_a_letter_told_by_several_are_one_line() -> None:
    told = timeline(retry_and_dead_letter(), "order-7")
    assert {one.text: one.told_again for one in told.entries if one.told_again} == {
        "status retrying": 1,
        "dead-lettered: retries_exhausted": 1,
    }


def test_attempts_say_how_long_they_waited_and_took() -> None:
    entries = timeline(replay_after_a_dead_letter(), "order-8").entries
    assert [one.queue_wait_ms for one in entries if one.event_type == "TaskMessageReceived"] == [250, 250]
    assert [one.duration_ms for one in entries if one.duration_ms is not None] == [1_250, 750]


def test_stages_have_their_own_numbers() -> None:
    entries = timeline(workflow(), "scan-1").entries
    begun = [(one.stage, one.attempt) for one in entries if one.event_type == "WorkflowMessageReceived"]
    assert begun == [("ingest", 1), ("resize", 1), ("classify", 1), ("classify", 2), ("publish", 1)]
    assert entries[-1].text == "done, with 1 more message joined"
    assert {one.queue_name for one in entries if one.attempt} == {"work"}


def test_what_an_operator_did_is_of_no_attempt() -> None:
    attempt = history("order-7").published().attempt()
    envelope = Envelope(event_id=EventId("x"), timestamp=Instant(2**51), task_id=TaskId("order-7"))
    acted = RecordedEvent(
        envelope=envelope, body=OperatorActed(action="replay", outcome="asked", actor="ann")
    )
    last = timeline([*attempt.events, acted], "order-7").entries[-1]
    assert (last.text, last.attempt, last.inferred) == ("operator: replay asked by ann", None, False)


def test_records_without_ids_are_attributed_by_time_and_say_so() -> None:
    items: list[Item] = []
    for record in (
        {"event_type": "TaskMessageReceived", "timestamp": "2026-01-01T00:00:00Z", "queue_name": "work"},
        {"event_type": "TaskMessageAcked", "timestamp": "2026-01-01T00:00:02Z"},
    ):
        event, _ = from_plain(record, task_id=TaskId("order-7"), of="observation")
        assert event is not None
        items.append(event)
    received, acked = timeline(items, "order-7").entries
    assert (received.attempt, acked.attempt, acked.inferred, acked.duration_ms) == (1, 1, True, 2_000)
    assert acked.queue_name == "work"


def test_as_it_was_then() -> None:
    items = history("order-7", tick=1).published().attempt().acked().events
    whole = timeline(items, "order-7")
    then = timeline(items, "order-7", at=Instant(items[2].envelope.timestamp))
    assert then.entries[:2] == whole.entries[:2]
    assert len(then.entries) == 3
    assert then.missing == whole.missing


def test_nothing_known_is_an_empty_timeline() -> None:
    told = timeline([], "order-7")
    assert (told.entries, told.first_at, told.duration_ms) == ([], None, None)
    assert told.missing == ["no_observations"]


def test_without_times_there_are_no_offsets() -> None:
    envelope = Envelope(event_id=EventId("x"), timestamp=UNTIMED, task_id=TaskId("order-7"))
    told = timeline([RecordedEvent(envelope=envelope, body=StatusPublished(status="queued"))], "order-7")
    assert (told.entries[0].offset_ms, told.entries[0].timestamp) == (None, None)


@settings(max_examples=80)
@given(items=histories)
def test_whatever_is_recorded_each_line_says_something(items: list[Item]) -> None:
    told = timeline(items, "root")
    assert all(one.text and one.event_type for one in told.entries)
    ids = [one.event_id for one in told.entries]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 20))
def test_attempts_are_numbered_as_in_the_graph(seed: int) -> None:
    items = random_history(seed)
    drawn = {
        node.annotations["ref"]: int(node.id.rpartition(":")[2])
        for node in graph_of(items, "root").nodes
        if node.kind in ("task_attempt", "stage_attempt") and node.task_id == "root"
    }
    told = {one.attempt_ref: one.attempt for one in timeline(items, "root").entries if one.attempt_ref}
    assert told == drawn
