"""What is said of dead letters over HTTP: shapes, and how records and plans become them.

Owns that headers and bodies are shown to whoever may see them, and that others are told that they are withheld.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from relayna.api.caller import Caller
from relayna.instants import format_instant
from relayna.observability.dead_letter_replayer import ReplayResult
from relayna.observability.stores import PlainRecord
from relayna.projections.replay_plan import PlanNote, ReplayPlan

__all__ = [
    "DeadLetterDetail", "DeadLetterInShort", "DeadLettersOfTask", "PlanTold", "ReplayTold", "ReplayWanted",
    "detail_of", "in_short", "plan_told", "replay_told",
]  # fmt: skip

_CONTENT: Final = ("headers", "body", "body_encoding")


class DeadLetterInShort(Struct, frozen=True, kw_only=True):
    """A dead letter without its headers and body."""

    dead_letter_id: str
    timestamp: str | None = None
    """When it was given up, as far as is known."""
    reason: str | None = None
    exception_type: str | None = None
    exception_message: str | None = None
    queue_name: str | None = None
    """Where it lies."""
    source_queue_name: str | None = None
    """Where it came from, and goes to when it is replayed."""
    stage: str | None = None
    message_id: str | None = None
    retry_attempt: int | None = None
    max_retries: int | None = None
    content_type: str | None = None
    body_size: int | None = None
    """Bytes of the whole body."""
    body_redacted: bool = False
    """Its body was recorded without its secrets: it cannot be replayed from the record."""
    replay_count: int = 0
    """How often it was replayed."""


class DeadLettersOfTask(Struct, frozen=True, kw_only=True):
    """The dead letters of one task, oldest first; of very many, the newest."""

    task_id: str
    dead_letters: list[DeadLetterInShort]


class DeadLetterDetail(DeadLetterInShort, frozen=True, kw_only=True):
    """A dead letter with all that is recorded of it."""

    task_id: str
    headers: dict[str, Any] | None = None  # Any: AMQP header values
    body: str | None = None
    body_encoding: Literal["utf-8", "base64"] | None = None
    withheld: tuple[str, ...] = ()
    """Fields that there are, and that a token without the scope `payloads` does not see."""


class NoteTold(Struct, frozen=True, kw_only=True):
    """Something that speaks against a replay, or that whoever asks for it should know."""

    code: str
    text: str


class TargetTold(Struct, frozen=True, kw_only=True):
    """The queue that the message would go to, and how that is known."""

    queue_name: str
    known_from: Literal["record", "x-death"]


class PlanTold(Struct, frozen=True, kw_only=True):
    """What a replay would do now."""

    task_id: str
    dead_letter_id: str
    allowed: bool
    reasons: list[NoteTold]
    """What speaks against it."""
    warnings: list[NoteTold]
    target: TargetTold | None
    replay_count: int
    """How often it was replayed by now: what `expect_replay_count` is compared with."""
    copy_replay_count: int
    """The count that the copy would carry, of all replays of its message."""
    message_id: str | None
    content_type: str | None
    body_size: int
    published_by: str | None
    """When the first attempt at this very copy began: then only the record of that is missing."""


class ReplayWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a replay is asked for with."""

    reason: Annotated[str, Meta(max_length=500)] | None = None
    """For those who read later why it was done."""
    force: bool = False
    """Leave out the guards against a second copy beside a first, and against loops."""
    expect_replay_count: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    """Only if it was replayed so often by now."""


class ReplayTold(Struct, frozen=True, kw_only=True):
    """A replay that was carried out: the broker has the message, and the log says so."""

    task_id: str
    dead_letter_id: str
    outcome: Literal["replayed"]
    event_id: str
    """What it is recorded as."""
    target: TargetTold
    message_id: str | None
    copy_replay_count: int
    warnings: list[NoteTold]


def in_short(record: PlainRecord) -> DeadLetterInShort:
    """A record of a list."""
    return DeadLetterInShort(**_known(record, DeadLetterInShort))


def detail_of(record: PlainRecord, task_id: str, caller: Caller) -> DeadLetterDetail:
    """A record as this caller may see it."""
    shown = {**_known(record, DeadLetterDetail), "task_id": task_id}
    if shown.get("body") is not None:
        shown["body"], shown["body_encoding"] = _readable(base64.b64decode(record["body"]))
    if "payloads" not in caller.scopes:
        withheld = tuple(name for name in _CONTENT[:2] if shown.get(name) is not None)
        shown = {name: value for name, value in shown.items() if name not in _CONTENT}
        shown["withheld"] = withheld
    return DeadLetterDetail(**shown)


def plan_told(plan: ReplayPlan) -> PlanTold:
    """The plan without the message's own content."""
    return PlanTold(
        task_id=plan.task_id,
        dead_letter_id=plan.dead_letter_id,
        allowed=plan.allowed,
        reasons=_notes(plan.reasons),
        warnings=_notes(plan.warnings),
        target=_target(plan),
        replay_count=plan.replays_so_far,
        copy_replay_count=plan.replay_count,
        message_id=plan.message_id,
        content_type=plan.content_type,
        body_size=plan.body_size,
        published_by=None if plan.published_by is None else format_instant(plan.published_by),
    )


def replay_told(result: ReplayResult) -> ReplayTold | None:
    """What was done; nothing when it is not known to be done."""
    plan, target = result.plan, _target(result.plan)
    if result.outcome.value != "replayed" or target is None or plan.event_id is None:
        return None
    return ReplayTold(
        task_id=plan.task_id,
        dead_letter_id=plan.dead_letter_id,
        outcome="replayed",
        event_id=plan.event_id,
        target=target,
        message_id=plan.message_id,
        copy_replay_count=plan.replay_count,
        warnings=_notes(plan.warnings),
    )


def _known(record: PlainRecord, shape: type[Struct]) -> dict[str, Any]:  # Any: JSON values
    return {name: record[name] for name in shape.__struct_fields__ if record.get(name) is not None}


def _readable(body: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"


def _notes(notes: tuple[PlanNote, ...]) -> list[NoteTold]:
    return [NoteTold(code=note.code, text=note.text) for note in notes]


def _target(plan: ReplayPlan) -> TargetTold | None:
    if plan.target is None:
        return None
    return TargetTold(queue_name=plan.target.queue_name, known_from=plan.target.known_from)
