"""The worked cases: whole histories and the graphs that they make."""

from __future__ import annotations

import random
from typing import Any

import pytest
from projections.laws import answer, assert_well_formed, fold
from projections.plain_histories import at, plain_items
from projections.random_histories import random_history

from relayna.events import EventsLost, Opaque, RecordedEvent
from relayna.events.history import RecordWarning, StreamFact
from relayna.instants import Instant
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.projection import Item
from relayna.projections.registry import PROJECTIONS
from relayna.testing import births, edges, given, history, node, nodes, observed_edges
from relayna.testing.scribe import START

PROJECTION = PROJECTIONS[0]


def graph_of(items: list[Any], task_id: str | None = None, **query: Any) -> ExecutionGraph:
    """The graph, which is well formed and keeps the laws."""
    graph = given(items, task_id=task_id).when(GraphQuery(**query)).answer
    assert_well_formed(graph)
    return graph


def told_with_ids() -> list[RecordedEvent]:
    """Two attempts, a retry, a dead letter, at 0, 1, 2 and 3 seconds."""
    task = history("T", tick=0, lifecycle_statuses=False).published()
    first = task.attempt().status("processing").after(1).retried()
    second = first.after(1).attempt().after(1)
    return second.status("failed").dead_lettered().events


def told_plainly() -> list[Item]:
    return plain_items(
        statuses=[at(0, status="processing"), at(3, status="failed")],
        observations=[
            at(0, "TaskMessageReceived", queue_name="work"),
            at(1, "ConsumerRetryScheduled", retry_attempt=1),
            at(2, "TaskMessageReceived", queue_name="work", retry_attempt=1),
            at(3, "ConsumerDeadLetterPublished", reason="retries_exhausted", retry_attempt=1),
        ],
        letters=[at(3, reason="retries_exhausted", retry_attempt=1, dlq_id="d1")],
    )


@pytest.mark.parametrize("items", [told_with_ids(), told_plainly()], ids=["with ids", "plain"])
def test_two_attempts_a_retry_and_a_dead_letter(items: list[Item]) -> None:
    graph = graph_of(items)
    assert edges(graph, "received_by") == [("task:T", "task-attempt:T:1"), ("retry:T:1", "task-attempt:T:2")]
    assert edges(graph, "retried_as") == [("task-attempt:T:1", "retry:T:1")]
    assert edges(graph, "dead_lettered_to") == [("task-attempt:T:2", "dlq:T:1")]
    assert edges(graph, "published_status") == [
        ("task-attempt:T:1", "status:T:1"), ("task-attempt:T:2", "status:T:2"),
    ]  # fmt: skip
    assert (graph.summary.status, graph.summary.duration_ms) == ("failed", 3000)
    assert graph.summary.graph_completeness == "full"
    states = [node(graph, f"task-attempt:T:{number}").annotations["state"] for number in (1, 2)]
    assert states == ["failed", "dead_lettered"]
    assert [one.label for one in nodes(graph, "retry")] == ["retry 1"]
    assert [one.label for one in nodes(graph, "dlq_record")] == ["retries_exhausted"]


@pytest.mark.parametrize("items", [told_with_ids(), told_plainly()], ids=["with ids", "plain"])
def test_shuffled_a_hundred_times_with_every_record_repeated(items: list[Item]) -> None:
    expected = answer(PROJECTION, items, GraphQuery(), "T")
    chance = random.Random(0)
    for _ in range(100):
        shuffled = [*items, *items]
        chance.shuffle(shuffled)
        assert answer(PROJECTION, shuffled, GraphQuery(), "T") == expected


def test_plain_records_with_their_keys_in_another_order_are_the_same_bytes() -> None:
    record = at(0, status="processing", meta={"a": 1, "b": {"c": 2, "d": 3}})
    turned = dict(reversed(record.items())) | {"meta": {"b": {"d": 3, "c": 2}, "a": 1}}
    one_way = answer(PROJECTION, plain_items(statuses=[record, turned]), GraphQuery(), "T")
    assert one_way == answer(PROJECTION, plain_items(statuses=[turned, record]), GraphQuery(), "T")


def test_times_compare_as_instants_however_they_are_written() -> None:
    graph = graph_of(
        plain_items(
            statuses=[
                {"status": "completed", "timestamp": "2026-01-01T10:00:05Z"},
                {"status": "processing", "timestamp": "2026-01-01T12:00:01+02:00"},
            ]
        )
    )
    assert (graph.summary.status, graph.summary.duration_ms) == ("completed", 4000)
    assert graph.summary.started_at == "2026-01-01T10:00:01+00:00"
    assert graph.annotations["completeness"] == ["no_observations"]


def test_a_status_older_than_any_attempt_hangs_on_the_task() -> None:
    graph = graph_of(
        plain_items(statuses=[at(0, status="queued")], observations=[at(1, "TaskMessageReceived")])
    )
    assert edges(graph, "published_status") == [("task:T", "status:T:1")]
    assert graph.edges[0].annotations == {"evidence": "inferred", "rule": "no_attempt_begun_by_then"}


def test_broken_records_are_warnings_and_what_can_be_used_is_used() -> None:
    broken = [
        at(0, status="processing", meta="no object"),
        {"status": "completed", "timestamp": "yesterday"},
        7,
    ]
    graph = graph_of(plain_items(statuses=broken))  # type: ignore[arg-type]
    assert [one.label for one in nodes(graph, "status_event")] == ["completed", "processing"]
    assert {one["code"] for one in graph.annotations["warnings"]} == {
        "bad_field",
        "bad_timestamp",
        "bad_record",
    }


def test_statuses_and_dead_letters_alone_are_partial() -> None:
    graph = graph_of(plain_items(statuses=[at(0, status="processing")], letters=[at(1, reason="poison")]))
    assert sorted(one.kind for one in graph.nodes) == ["dlq_record", "status_event", "task"]
    assert graph.summary.graph_completeness == "partial"
    assert edges(graph, "dead_lettered_to") == [("task:T", "dlq:T:1")]


def test_no_status_makes_a_null_status_and_the_latest_time_ends_it() -> None:
    graph = graph_of(history("T", tick=1, lifecycle_statuses=False).published().attempt().acked().events)
    assert graph.summary.status is None
    assert graph.summary.started_at == "2026-01-01T00:00:01+00:00"
    assert graph.summary.ended_at == "2026-01-01T00:00:02+00:00"  # the acknowledgement, which has no node


def test_an_attempt_in_the_middle_of_a_run_is_running() -> None:
    events = told_with_ids()
    middle = graph_of(events, at=Instant(START + 500_000))
    assert node(middle, "task-attempt:T:1").annotations["state"] == "running"
    assert node(middle, "task:T").annotations["state"] == "running"
    assert middle.annotations["at"] == "2026-01-01T00:00:00.500000+00:00"
    assert nodes(middle, "retry") == []
    assert graph_of(events, at=Instant(START - 1)).summary.status is None


def test_completeness_is_judged_on_everything_that_is_stored() -> None:
    task = history("T", tick=1).published()
    first = task.attempt()
    events = first.redelivered().acked().events
    early = graph_of(events, at=Instant(START + 2_000_000))
    assert early.annotations["completeness"] == ["unclosed"]
    assert node(early, "task-attempt:T:1").annotations["state"] == "running"


def test_a_manual_retry_that_was_observed() -> None:
    events = history("T").published().attempt().manually_retried().attempt().acked().events
    graph = graph_of(events)
    assert edges(graph, "manual_retry_to") == [("task-attempt:T:1", "task-attempt:T:2")]
    assert graph.summary.graph_completeness == "full"
    first = node(graph, "task-attempt:T:1").annotations
    assert (first["state"], first["outcome"]) == ("succeeded", "manual_retry")


def test_a_manual_retry_of_which_only_the_status_tells() -> None:
    graph = graph_of(
        plain_items(
            statuses=[at(1, status="manual_retrying")],
            observations=[
                at(0, "TaskMessageReceived", message_id="m"),
                at(1, "TaskMessageAcked"),
                at(2, "TaskMessageReceived", message_id="m"),
            ],
        )
    )
    assert edges(graph, "manual_retry_to") == [("task-attempt:T:1", "task-attempt:T:2")]
    born = births(graph, "task-attempt:T:2")[0]
    assert born.annotations == {"evidence": "inferred", "rule": "manual_retrying"}
    assert node(graph, "task-attempt:T:1").annotations["outcome"] == "manual_retry"


def test_a_replay_comes_from_the_dead_letter() -> None:
    events = history("T").published().attempt().dead_lettered().replayed().attempt().acked().events
    graph = graph_of(events)
    assert edges(graph, "replayed_as") == [("dlq:T:1", "task-attempt:T:2")]
    assert node(graph, "dlq:T:1").annotations["state"] == "replayed"
    assert node(graph, "task:T").annotations["state"] == "succeeded"


def test_a_redelivered_attempt_hangs_where_its_message_hung() -> None:
    first = history("T").published().attempt().retried().attempt()
    graph = graph_of(first.redelivered().acked().events)
    assert [births(graph, f"task-attempt:T:{n}")[0].source for n in (2, 3)] == ["retry:T:1", "retry:T:1"]
    assert node(graph, "task-attempt:T:2").annotations["state"] == "abandoned"
    assert graph.annotations["completeness"] == ["unclosed"]


def test_a_lost_acknowledgement_is_the_same_attempt() -> None:
    graph = graph_of(history("T").published().attempt().acked().repeated().repeated().events)
    attempt = nodes(graph, "task_attempt")[0].annotations
    assert (attempt["anomalies"], attempt["deliveries_repeated"], attempt["state"]) == (
        ["lost_ack"],
        2,
        "succeeded",
    )
    assert graph.summary.graph_completeness == "full"


def test_another_worker_with_a_late_clock_does_not_hide_an_abandoned_attempt() -> None:
    killed = history("T", tick=1).published().attempt()
    graph = graph_of(killed.redelivered(skew=-3600).acked().events)
    states = [one.annotations["state"] for one in nodes(graph, "task_attempt")]
    assert sorted(states) == ["abandoned", "succeeded"]
    assert graph.annotations["completeness"] == ["unclosed"]


def test_children_of_children_down_to_the_depth_that_was_asked() -> None:
    parent = history("T").published().attempt()
    child = parent.spawns("C")
    parent.acked()
    attempt = child.attempt()
    grandchild = attempt.spawns("G")
    attempt.acked()
    running = graph_of(grandchild.events)
    assert [edge.timestamp is None for edge in running.edges if edge.kind == "aggregated_into"] == [
        True,
        False,
    ]
    events = grandchild.attempt().acked().events
    whole = graph_of(events)
    assert edges(whole, "aggregated_into") == [
        ("aggregation_child:C", "task:T"), ("aggregation_child:G", "aggregation_child:C"),
    ]  # fmt: skip
    assert whole.related_task_ids == ["C", "G"]
    assert whole.summary.graph_completeness == "full"
    assert edges(whole, "received_by")[-1] == ("aggregation_child:G", "task-attempt:G:1")
    cut = graph_of(events, depth=1)
    assert cut.annotations["truncated"]["depth"]["children_not_expanded"] == 1
    assert "aggregation_child:G" in [one.id for one in cut.nodes]
    assert nodes(graph_of(events, depth=-5), "task_attempt")[0].task_id == "T"


def test_children_that_run_in_a_circle_are_drawn_once_and_flagged() -> None:
    parent = history("T").published().attempt()
    back = parent.spawns("C").attempt().spawns("T")
    graph = graph_of(back.events)
    assert "cycle" in graph.annotations["completeness"]
    assert len(nodes(graph, "aggregation_child")) == 1


def test_a_child_of_which_nothing_is_stored() -> None:
    parent = history("T").published().attempt()
    parent.spawns("C").attempt().acked()
    events = [event for event in parent.acked().events if event.envelope.task_id == "T"]
    assert graph_of(events).annotations["completeness"] == ["child_missing"]
    gone = StreamFact(task_id="C", name="expired")  # type: ignore[arg-type]
    assert graph_of([*events, gone]).annotations["completeness"] == ["child_expired"]
    cut = StreamFact(task_id="C", name="limit_reached")  # type: ignore[arg-type]
    assert "child_missing" not in graph_of([*events, cut]).annotations.get("completeness", [])


def test_a_child_that_waits_is_not_missing() -> None:
    parent = history("T").published().attempt()
    parent.spawns("C")
    events = [event for event in parent.acked().events if event.envelope.task_id == "T"]
    assert graph_of(events).summary.graph_completeness == "full"


def test_related_tasks_that_no_record_speaks_of() -> None:
    parent = history("T").published().attempt()
    parent.spawns("C").attempt().acked()
    graph = graph_of(parent.acked().events, related_task_ids=("C", "stranger", "T"))
    assert graph.related_task_ids == ["C", "stranger"]
    rules = {
        edge.source: edge.annotations.get("rule") for edge in graph.edges if edge.kind == "aggregated_into"
    }
    assert rules == {"aggregation_child:C": None, "aggregation_child:stranger": "related_task_ids"}
    grandparent = history("T").published().attempt()
    grandparent.spawns("C").attempt().spawns("G")
    named = graph_of(grandparent.events, related_task_ids=("C", "G"))
    assert ("aggregation_child:G", "task:T") not in edges(named, "aggregated_into")


def test_a_limit_of_nodes_keeps_what_the_kept_ones_hang_on() -> None:
    events = told_with_ids()
    whole = graph_of(events)
    for most in range(1, len(whole.nodes)):
        cut = graph_of(events, max_nodes=most)
        assert len(cut.nodes) == most
        assert cut.annotations["truncated"]["max_nodes"]["nodes_left_out"] == len(whole.nodes) - most
        assert "limit_reached" in cut.annotations["completeness"]
        assert cut.summary.duration_ms == whole.summary.duration_ms
    assert "truncated" not in graph_of(events, max_nodes=len(whole.nodes)).annotations
    assert len(graph_of(events, max_nodes=-1).nodes) == 1


@pytest.mark.parametrize("reason", ["unknown_type", "unknown_version", "corrupt"])
def test_what_cannot_be_read_is_seen(reason: str) -> None:
    events = history("T").published().attempt().acked().events
    unread = RecordedEvent(
        envelope=events[2].envelope, body=Opaque(reason=reason, type_name="TaskDreamt", version=7)
    )
    graph = graph_of([*events[:2], unread, *events[3:]])
    opaque = nodes(graph, "opaque_event")[0]
    assert (opaque.label, opaque.annotations["reason"], opaque.annotations["version"]) == (
        "TaskDreamt",
        reason,
        7,
    )
    assert graph.annotations["completeness"] == [reason]
    assert [one["code"] for one in graph.annotations["warnings"]] == ["unreadable_record"]


@pytest.mark.parametrize(
    "task_id", ["a:b", "50%", "a%3Ab", "", "x@y", "}x{", "a/b?c#d", "☃\n\x00", "\ud800", "__proto__"]
)
def test_any_task_id_has_a_graph(task_id: str) -> None:
    parent = history(task_id.encode(errors="replace").decode()).published().attempt()
    parent.spawns(f"{parent.task.task_id}:1").attempt().acked()
    graph = graph_of(parent.acked().events)
    assert graph.summary.graph_completeness == "full"
    assert graph.task_id == parent.task.task_id
    assert_well_formed(PROJECTION.finish(PROJECTION.initial(task_id), GraphQuery()))


def test_ids_of_nodes_are_never_confused() -> None:
    colon = graph_of(plain_items("T:1", statuses=[at(0, status="s")]))
    assert nodes(colon, "status_event")[0].id == "status:T%3A1:1"
    percent = graph_of(plain_items("T%3A1", statuses=[at(0, status="s")]))
    assert nodes(percent, "status_event")[0].id == "status:T%253A1:1"


def test_different_facts_under_one_id_are_a_warning_and_the_same_fact_told_again_is_not() -> None:
    events = history("T").published().attempt().status("sent").acked().events
    status = events[3]
    again = RecordedEvent(envelope=_later(status), body=status.body)
    assert "warnings" not in graph_of([*events, again]).annotations
    other = RecordedEvent(envelope=status.envelope, body=Opaque(reason="corrupt"))
    codes = {one["code"] for one in graph_of([*events, other]).annotations["warnings"]}
    assert "conflicting_records" in codes


def _later(event: RecordedEvent) -> Any:
    return type(event.envelope)(
        **{
            name: getattr(event.envelope, name)
            for name in event.envelope.__struct_fields__
            if name != "timestamp"
        },
        timestamp=Instant(event.envelope.timestamp + 5),
    )


def test_many_warnings_are_cut() -> None:
    warnings = [RecordWarning(task_id="T", code="bad_field", detail=str(number)) for number in range(1_200)]  # type: ignore[arg-type]
    shown = graph_of(warnings, "T").annotations["warnings"]
    assert len(shown) == 1_001
    assert shown[-1] == {"code": "warnings_cut", "task_id": "T", "detail": "200 more are not shown"}


def test_streams_that_name_several_kinds_of_topology() -> None:
    facts = [
        StreamFact(task_id="T", name="topology_kind", value=kind)  # type: ignore[arg-type]
        for kind in ("shared_tasks_shared_status", "shared_status_workflow")
    ]
    graph = graph_of(facts, "T")
    assert graph.topology_kind == "shared_status_workflow"
    assert [one["code"] for one in graph.annotations["warnings"]] == ["several_topology_kinds"]


def test_a_producers_loss_is_of_no_attempt() -> None:
    events = history("T").published().attempt().acked().events
    lost = events[0].envelope
    confession = RecordedEvent(
        envelope=type(lost)(event_id="p1.lost.0", timestamp=lost.timestamp, task_id=lost.task_id),  # type: ignore[arg-type]
        body=EventsLost(count=1, reason="buffer_full"),
    )
    graph = graph_of([confession, *events[1:]])
    assert graph.annotations["completeness"] == ["reported_loss"]
    assert "attempt" not in graph.annotations["gaps"][0]


@pytest.mark.parametrize("seed", range(150))
def test_skewed_clocks_leave_what_was_observed(seed: int) -> None:
    """T26: every worker's clock is off by up to an hour, and what ids tell stays the same."""
    skews = random.Random(seed)
    true = PROJECTION.finish(fold(PROJECTION, random_history(seed)), GraphQuery(depth=9))
    skewed_events = random_history(seed, lambda: skews.uniform(-3600, 3600))
    skewed = PROJECTION.finish(fold(PROJECTION, skewed_events), GraphQuery(depth=9))
    assert observed_edges(skewed) == observed_edges(true)
    assert_well_formed(skewed)
    assert [one.annotations["outcome"] for one in _by_ref(skewed)] == [
        one.annotations["outcome"] for one in _by_ref(true)
    ]
    assert skewed.annotations.get("completeness") == true.annotations.get("completeness")


def _by_ref(graph: ExecutionGraph) -> list[Any]:
    return sorted(
        nodes(graph, "task_attempt") + nodes(graph, "stage_attempt"), key=lambda one: one.annotations["ref"]
    )


def test_skewed_clocks_are_flagged() -> None:
    graph = graph_of(history("T").published().attempt(skew=-3600).acked().events)
    assert nodes(graph, "task_attempt")[0].annotations["anomalies"] == ["clock_skew"]
    assert nodes(graph, "task_attempt")[0].annotations["queue_wait_ms"] == 0
    attempt = history("T", tick=0).published().attempt()
    attempt.skew = -60  # stepped back while the handler ran
    stepped = graph_of(attempt.acked().events)
    assert nodes(stepped, "task_attempt")[0].annotations["duration_ms"] == 0
    assert nodes(stepped, "task_attempt")[0].annotations["anomalies"] == ["clock_skew"]
    assert stepped.summary.duration_ms == 0
