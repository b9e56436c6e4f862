"""The plan of a dead letter's replay: where it would go, as which copy, and what speaks against it.

Owns the judgement, as a value. Pure; never raises on data, and publishes nothing: `DLQService` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from relayna.events import RecordedEvent
from relayna.ids import EventId, MessageId, SessionId, TaskId, replay_event_id
from relayna.instants import Instant
from relayna.projections.replay_claims import holder_of
from relayna.projections.replay_content import (
    ReplayTarget,
    body_size,
    content_flaw,
    hidden_headers,
    sent_headers,
    target_of,
)
from relayna.projections.replay_history import LARGEST_COUNT, Fate, ReplayHistory, read_replay_history

__all__ = [
    "DEFAULT_SAME_FAILURE_LIMIT",
    "PlanNote",
    "ReplayPlan",
    "ReplayReason",
    "ReplayTarget",
    "plan_replay",
]

DEFAULT_SAME_FAILURE_LIMIT: Final = 3
"""So many replays in a row may die of the same failure; the next one has to be forced."""

ReplayReason: TypeAlias = Literal[
    "not_found",  # nothing is recorded under this id
    "no_body",  # the record has no body to send
    "body_redacted",  # the body was recorded without its secrets
    "body_cut",  # the record has only the beginning of the body
    "no_target",  # nobody recorded which queue it came from
    "headers_cut",  # the user's headers were too large to be kept
    "claimed",  # somebody else is replaying it at this moment
    "replayed_since",  # it was replayed more or less often than whoever asks believes
    "in_flight",  # a replay is recorded and is not known to have ended
    "handled",  # the message was handled to its end after it had been given up
    "dead_again",  # its replay was given up as well: that letter is the one to replay
    "same_failure",  # replayed again and again, and it died of the same each time
]
_NEVER: Final = frozenset(
    {"not_found", "no_body", "body_redacted", "body_cut", "no_target", "claimed", "replayed_since"}
)
"""No force can help these: there is nothing to send, or nowhere to send it, or somebody else sends it."""


class PlanNote(Struct, frozen=True, gc=False):
    """Something that speaks against a replay, or that whoever asks for it should know."""

    code: str
    text: str


class ReplayPlan(Struct, frozen=True, kw_only=True):
    """What a replay would do, decided from the record alone."""

    task_id: TaskId
    dead_letter_id: str
    allowed: bool
    reasons: tuple[PlanNote, ...] = ()
    """What speaks against it (`ReplayReason`); with force, only what no force can help."""
    warnings: tuple[PlanNote, ...] = ()
    target: ReplayTarget | None = None
    event_id: EventId | None = None
    """What the replay will be recorded as, and what its message names as its cause."""
    message_id: MessageId | None = None
    replay_count: int = 0
    """The count that the copy carries, which gives its delivery an identity of its own."""
    replays_so_far: int = 0
    """How often this letter was replayed, as recorded."""
    published_by: Instant | None = None
    """When the first attempt at this very copy began: it is published, only the record of that is missing."""
    body: bytes | None = None
    body_size: int = 0
    """Bytes of the whole body, as it was."""
    headers: Mapping[str, Any] = field(default_factory=dict)
    """The message's headers as they were recorded, without values that were hidden. Any: AMQP header values."""
    content_type: str | None = None
    correlation_id: str | None = None
    session_id: SessionId | None = None
    parent_task_id: TaskId | None = None
    letter_event_id: EventId | None = None
    """The record of the letter."""


def plan_replay(
    events: Iterable[RecordedEvent],
    *,
    task_id: TaskId,
    dead_letter_id: str,
    own_replay_count: int = 0,
    same_failure_limit: int = DEFAULT_SAME_FAILURE_LIMIT,
    force: bool = False,
    now: Instant | None = None,
    claim_id: str | None = None,
    expected_replays: int | None = None,
) -> ReplayPlan:
    """Decide from what the task's stream holds, in the log's order. Never raises.

    `own_replay_count` is what the dead letter's headers say. `force` leaves out every reason that is only
    a guard: against a second copy beside a first, and against loops. Before a claim is made, `now` says whether
    another's has run out (without it, none has); afterwards `claim_id` asks whether that claim holds.
    With `expected_replays`, the letter must have been replayed so often by now, as who asks has seen.
    """
    history = read_replay_history(events, dead_letter_id)
    if history is None:
        note = _note("not_found", f"task {task_id!r} has no dead letter {dead_letter_id!r}")
        return ReplayPlan(task_id=task_id, dead_letter_id=dead_letter_id, allowed=False, reasons=(note,))
    count = min(max(history.taken | {own_replay_count}, default=0) + 1, LARGEST_COUNT)
    plan = _unjudged(history, task_id, count)
    flaw = content_flaw(history.letter)
    against = [_note(*flaw)] if flaw else []
    against += _guards(plan, history, own_replay_count, same_failure_limit)
    if expected_replays not in (None, plan.replays_so_far):
        against.append(_note("replayed_since", _counts(plan.replays_so_far, expected_replays)))
    standing = tuple(note for note in against if not force or note.code in _NEVER)
    overruled = tuple(note for note in against if note not in standing)
    if not standing and plan.published_by is None:
        standing = tuple(_claim_reasons(history, count, now, claim_id))
    return replace(
        plan,
        allowed=not standing,
        reasons=standing,
        warnings=(*overruled, *_warnings(plan, history, same_failure_limit, claim_id)),
    )


def _unjudged(history: ReplayHistory, task_id: TaskId, count: int) -> ReplayPlan:
    letter, envelope = history.letter, history.envelope
    return ReplayPlan(
        task_id=task_id,
        dead_letter_id=letter.dead_letter_id,
        allowed=False,
        target=target_of(letter),
        event_id=replay_event_id(letter.dead_letter_id, count),
        message_id=history.message_id,
        replay_count=count,
        replays_so_far=len(history.counts),
        published_by=history.published_by(count),
        body=letter.body,
        body_size=body_size(letter),
        headers=sent_headers(letter),
        content_type=letter.content_type,
        correlation_id=envelope.correlation_id,
        session_id=envelope.session_id,
        parent_task_id=envelope.parent_task_id,
        letter_event_id=envelope.event_id,
    )


def _note(code: ReplayReason, text: str) -> PlanNote:
    return PlanNote(code, text)


def _counts(replays: int, expected: int | None) -> str:
    return f"it was replayed {replays} times by now, not {expected}: look at it again"


def _guards(
    plan: ReplayPlan, history: ReplayHistory, own_count: int, same_failure_limit: int
) -> list[PlanNote]:
    if plan.target is None:
        return [_note("no_target", "the record does not say which queue the message came from")]
    if plan.published_by is not None:
        return []  # nothing more will be sent
    if history.counts:
        return [_after_replay(history, max(history.counts))]
    if history.fate(own_count) is Fate.HANDLED:
        return [_note("handled", "its message was handled to its end after it had been given up")]
    repeats = _same_failures(history)
    if repeats and repeats >= same_failure_limit:
        return [_note("same_failure", f"the last {repeats} replays died of the same: {_failure(history)}")]
    return []


def _claim_reasons(
    history: ReplayHistory, count: int, now: Instant | None, claim_id: str | None
) -> list[PlanNote]:
    holder = holder_of(history.claims, count)
    if claim_id is not None:
        held = holder is not None and holder.claim_id == claim_id
        return [] if held else [_note("claimed", "somebody else replays it at this moment")]
    if holder is None:
        return []
    left_ms = holder.holds_ms if now is None else holder.runs_out_in_ms(now // 1000)
    if left_ms is None:
        return []
    who = f"{holder.claimed_by!r} replays it" if holder.claimed_by else "somebody replays it"
    return [_note("claimed", f"{who} at this moment; the claim to that runs out in {left_ms / 1000:.0f} s")]


def _after_replay(history: ReplayHistory, count: int) -> PlanNote:
    match history.fate(count):
        case Fate.WAITING:
            return _note("in_flight", "it was replayed, and no attempt at that message is recorded yet")
        case Fate.UNDER_WAY:
            return _note("in_flight", "it was replayed, and that message is still being worked on")
        case Fate.HANDLED:
            return _note("handled", "it was replayed, and that message was handled to its end")
        case Fate.DEAD:
            newest = history.letters[-1].dead_letter_id if history.letters else history.letter.dead_letter_id
            later = "" if newest == history.letter.dead_letter_id else f"; replay {newest!r} instead"
            return _note("dead_again", f"it was replayed, and that message was given up too{later}")


def _same_failures(history: ReplayHistory) -> int:
    """How many replays in a row, up to this letter, ended in the same failure."""
    failure = (history.letter.reason, history.letter.exception_type)
    run = 0
    for letter in history.letters:
        run = run + 1 if (letter.reason, letter.exception_type) == failure else 0
        if letter.dead_letter_id == history.letter.dead_letter_id:
            break
    return max(0, min(run - 1, history.replays))


def _failure(history: ReplayHistory) -> str:
    letter = history.letter
    return ", ".join(text for text in (letter.reason, letter.exception_type) if text) or "nothing known"


def _left_open(history: ReplayHistory, count: int, claim_id: str | None) -> bool:
    """Whether somebody claimed this replay before, and never said how it went."""
    before = takewhile(lambda claim: claim_id is None or claim.claim_id != claim_id, history.claims)
    return holder_of(before, count) is not None


def _warnings(
    plan: ReplayPlan, history: ReplayHistory, same_failure_limit: int, claim_id: str | None
) -> list[PlanNote]:
    notes = []
    if plan.published_by is not None:
        notes.append(
            PlanNote("unmarked", "its message was published before; only the record of that is missing")
        )
    elif _left_open(history, plan.replay_count, claim_id):
        notes.append(
            PlanNote(
                "claimed_before", "somebody claimed this replay and did not say how it went; it may be sent"
            )
        )
    hidden = hidden_headers(history.letter)
    if hidden:
        notes.append(PlanNote("headers_hidden", f"headers that were not recorded: {', '.join(hidden)}"))
    if history.letter.message_id is None:
        notes.append(PlanNote("no_message_id", "its message had no id; the copy is called after the letter"))
    repeats = _same_failures(history)
    if 0 < repeats < same_failure_limit:
        notes.append(PlanNote("failed_before", f"{repeats} replays died of the same: {_failure(history)}"))
    return notes
