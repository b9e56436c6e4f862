"""What can be asked of a run."""

from __future__ import annotations

from relayna.projections.gathering import gather_task_run
from relayna.projections.task_run import Birth, TaskRun
from relayna.testing import history


def test_an_empty_run_has_nothing() -> None:
    run = TaskRun("T", {})  # type: ignore[arg-type]
    assert (run.ordered, list(run.attempts.members), run.statuses) == ([], [], [])
    assert run.message_node("m") is None
    assert run.message_node(None) is None


def test_who_made_a_fact_and_whom_a_letter_ended() -> None:
    story = history("T").published().attempt().status("sent").dead_lettered()
    events = {event.envelope.event_id: event for event in story.events}
    run = gather_task_run("T", events)  # type: ignore[arg-type]
    sent = next(placed for placed in run.ordered if getattr(placed.event.body, "status", None) == "sent")
    assert run.attribute(sent).attempt is run.attempts.members[0]
    assert run.letters[0].by.attempt is run.attempts.members[0]
    assert run.births == {story.attempt_id: Birth(None, "received_by", "observed")}
