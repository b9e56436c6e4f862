"""A task's attempts put together by message and place: each such handling becomes a row.

Owns which attempts are of one handling, and which messages are only waiting. Looks at one task at a time.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct, field

from relayna.events import (
    MessageInputRecorded,
    MessageOutputRecorded,
    RunEdgeRecorded,
    TaskPublished,
    WorkflowMessagePublished,
)
from relayna.ids import TaskId
from relayna.projections.attempts import Attempt
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.fact_ids import is_copy
from relayna.projections.ordering import OrderKey, PlacedEvent
from relayna.projections.task_run import TaskRun

__all__ = ["Contents", "Handling", "TaskHandlings", "gather_handlings"]

_PUBLISHED: Final = (TaskPublished, WorkflowMessagePublished)


class Contents(Struct, kw_only=True, gc=False):
    """What one attempt was given, and what it returned."""

    given: MessageInputRecorded | None = None
    returned: MessageOutputRecorded | None = None


class Handling(Struct, kw_only=True, gc=False, eq=False):
    """One message at one place, or one that waits for somebody to take it."""

    task_id: TaskId
    message_id: str | None
    place: str | None
    key: OrderKey
    """Of its first record."""
    attempts: list[Attempt] = field(default_factory=list)
    contents: list[Contents] = field(default_factory=list)
    """Of those attempts that told of any, in order."""
    asked: PlacedEvent | None = None
    """What published it; in its parent's stream for a child."""
    letter: DeadLetter | None = None
    """It was given up without an attempt of its own."""
    parent: Handling | None = None
    registered: bool = False
    """Its parent has told of it before its own end."""
    finished: PlacedEvent | None = None
    """Where its parent's stream says that its task has ended."""


class TaskHandlings(Struct, kw_only=True):
    """All handlings of one task."""

    run: TaskRun
    found: list[Handling]
    of_attempt: dict[str, Handling]
    """By the attempt's ref."""
    of_node: dict[str, Handling]
    """By the attempt's node in the graph."""
    letters: dict[str, DeadLetter]
    """By the ref of the attempt that each ended."""
    session_id: str | None
    """The first that any of its records names."""
    replayed_in: str | None
    """The batch of the replay that started the task."""


def gather_handlings(run: TaskRun) -> TaskHandlings:
    """The handlings of one task's messages, each attempt in one."""
    gathering = _Gathering(run)
    for attempt in run.attempts.members:
        gathering.take(attempt)
    gathering.take_waiting()
    gathering.take_letters()
    of_attempt = gathering.of_attempt
    of_node = {one.node_id: of_attempt[one.ref] for one in run.attempts.members if one.ref in of_attempt}
    ended_by = ((letter, letter.by.attempt) for letter in run.letters)
    sessions = (placed.event.envelope.session_id for placed in run.ordered)
    return TaskHandlings(
        run=run,
        found=gathering.found,
        of_attempt=of_attempt,
        of_node=of_node,
        letters={attempt.ref: letter for letter, attempt in ended_by if attempt is not None},
        session_id=next((session_id for session_id in sessions if session_id), None),
        replayed_in=_replayed_in(run),
    )


class _Gathering:
    """One pass over a task's attempts, in order."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self.found: list[Handling] = []
        self.of_attempt: dict[str, Handling] = {}
        self._by_place: dict[tuple[str, str | None], Handling] = {}
        self._of_message: dict[str, Handling] = {}
        self._nameless = False
        self._contents = _contents(run)
        self._messages = {
            attempt.ref: message.message_id
            for message in run.messages.values()
            for attempt in message.attempts
        }
        self._copied_from = {retry.node_id: retry.by.attempt for retry in run.retries}
        self._copied_from |= {letter.node_id: letter.by.attempt for letter in run.letters}

    def take(self, attempt: Attempt) -> None:
        contents = self._contents.get(attempt.ref)
        message_id, place = self._message_of(attempt, contents), _place_of(attempt, contents)
        if message_id is None and attempt.only_told_of:
            return
        handling = self._known(message_id, place) or self._continued(attempt)
        if handling is None:
            handling = self._begin(message_id, place, attempt.key)
        handling.attempts.append(attempt)
        if contents is not None:
            handling.contents.append(contents)
        self.of_attempt[attempt.ref] = handling
        self._nameless = self._nameless or message_id is None

    def take_waiting(self) -> None:
        """Messages that were published and that nobody has taken yet."""
        for placed in self._run.ordered:
            body = placed.event.body
            if not isinstance(body, _PUBLISHED) or body.message_id is None:
                continue
            handling = self._of_message.get(body.message_id)
            if handling is None and not self._nameless:  # else it may be one that came without its id
                handling = self._begin(body.message_id, getattr(body, "stage", None), placed.key)
            if handling is not None and (handling.asked is None or is_copy(placed.event.envelope)):
                handling.asked = placed

    def take_letters(self) -> None:
        """Messages that the broker gave up, perhaps before anybody took them."""
        for letter in self._run.letters:
            message_id = letter.known("message_id")
            if message_id is None or letter.by.attempt is not None:
                continue
            handling = self._of_message.get(message_id)
            if handling is None:
                place = letter.known("stage") or letter.known("source_queue_name")
                handling = self._begin(message_id, place, letter.placed.key)
            handling.place = handling.place or letter.known("source_queue_name")
            handling.letter = letter

    def _begin(self, message_id: str | None, place: str | None, key: OrderKey) -> Handling:
        handling = Handling(task_id=self._run.task_id, message_id=message_id, place=place, key=key)
        self.found.append(handling)
        if message_id is not None:
            self._by_place.setdefault((message_id, place), handling)
            self._of_message.setdefault(message_id, handling)
        return handling

    def _known(self, message_id: str | None, place: str | None) -> Handling | None:
        if message_id is None:
            return None
        if place is None:
            return self._of_message.get(message_id)
        return self._by_place.get((message_id, place))

    def _continued(self, attempt: Attempt) -> Handling | None:
        """Some stacks give each retry an id of its own: where it hangs says whose copy it is."""
        source = self._run.births[attempt.ref].source
        before = self._copied_from.get(source) if source is not None else None
        return None if before is None else self.of_attempt.get(before.ref)

    def _message_of(self, attempt: Attempt, contents: Contents | None) -> str | None:
        told = attempt.received.message_id if attempt.received else self._messages.get(attempt.ref)
        if told is None and contents is not None and contents.given is not None:
            told = contents.given.message_id
        bodies = (placed.event.body for placed in attempt.closings)
        return told or next((one for body in bodies if (one := getattr(body, "message_id", None))), None)


def _replayed_in(run: TaskRun) -> str | None:
    for placed in run.ordered:
        body = placed.event.body
        if (
            isinstance(body, RunEdgeRecorded)
            and body.kind == "replayed_from"
            and body.target_run == run.task_id
        ):
            batch_id = (body.metadata or {}).get("batch_id")
            return batch_id if isinstance(batch_id, str) else None
    return None


def _place_of(attempt: Attempt, contents: Contents | None) -> str | None:
    if attempt.stage is not None:
        return attempt.stage
    bodies: list[Any] = [attempt.received, contents.given if contents else None]  # Any: by name
    bodies += [placed.event.body for placed in attempt.closings]
    for body in bodies:
        told = getattr(body, "source_queue_name", None) or getattr(body, "queue_name", None)
        if isinstance(told, str) and told:
            return told
    return None


def _contents(run: TaskRun) -> dict[str, Contents]:
    """By the attempt that told them."""
    found: dict[str, Contents] = {}
    for placed in run.ordered:
        body, attempt_id = placed.event.body, placed.event.envelope.attempt_id
        if attempt_id is None or not isinstance(body, MessageInputRecorded | MessageOutputRecorded):
            continue
        contents = found.setdefault(attempt_id, Contents())
        if isinstance(body, MessageInputRecorded):
            contents.given = contents.given or body
        else:
            contents.returned = contents.returned or body
    return found
