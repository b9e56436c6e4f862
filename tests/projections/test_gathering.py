"""One pass over a task's events, and what it puts together."""

from __future__ import annotations

from relayna.projections.gathering import gather_task_run
from relayna.projections.task_run import TaskRun
from relayna.testing import history
from relayna.testing.attempt_histories import AttemptHistory


def run_of(story: AttemptHistory, taken: set[str] | None = None) -> TaskRun:
    events = {event.envelope.event_id: event for event in story.events}
    return gather_task_run(story.task.task_id, events, taken=taken)


def test_everything_finds_its_place() -> None:
    first = history("T").published().attempt().fails().loses(1).dead_lettered().replayed()
    second = first.attempt().acked().repeated()
    run = run_of(second)
    assert [status.text for status in run.statuses] == ["processing", "failed", "processing", "completed"]
    assert [len(letter.replays) for letter in run.letters] == [1]
    assert len(run.losses) == 1
    one, two = run.attempts.members
    assert (one.failed is not None, len(one.closings), len(one.losses), one.repeated) == (True, 1, 1, 0)
    assert (two.failed, len(two.closings), two.repeated) == (None, 1, 1)
    assert run.births[two.ref].source == "dlq:T:1"


def test_a_task_that_registers_itself_has_no_child() -> None:
    story = history("T").published().attempt()
    story.spawns("T")
    assert run_of(story).children == {}


def test_message_nodes_that_other_tasks_have_get_the_tasks_name() -> None:
    story = history("W").enters("ingest").attempt()
    message_id = story.message.message_id
    taken: set[str] = set()
    assert run_of(story, taken).message_node(message_id) == f"workflow-message:{message_id}"
    assert run_of(story, taken).message_node(message_id) == f"workflow-message:{message_id}:W"
    assert run_of(story).message_node("unheard of") is None
