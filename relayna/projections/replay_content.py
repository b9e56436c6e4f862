"""What the record of a dead letter has left to send: its body, its headers, and the queue that it came from.

Owns when content is whole. Judges nothing else of a replay: `replay_plan.py` does. Pure; never raises on data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from relayna.events import DeadLetterRecorded
from relayna.events.masking import REDACTED

__all__ = [
    "ContentFlaw",
    "ReplayTarget",
    "body_size",
    "content_flaw",
    "hidden_headers",
    "sent_headers",
    "target_of",
]

_CUT: Final = "[cut:"
_HIDDEN: Final = (REDACTED, f"{REDACTED[:-1]}:")
_CUT_MAP: Final = "relayna.cut"
_DEPTH_LIMIT: Final = 40

ContentFlaw: TypeAlias = tuple[Literal["no_body", "body_redacted", "body_cut", "headers_cut"], str]
"""Why the content cannot be sent: a code, and a sentence."""


class ReplayTarget(Struct, frozen=True, kw_only=True, gc=False):
    """Where the message goes: straight to the queue that it came from, by the default exchange.

    An exchange could hand copies of it to other queues too, whose consumers have had theirs.
    """

    queue_name: str
    exchange: str = ""
    routing_key: str
    known_from: Literal["record", "x-death"]


def content_flaw(letter: DeadLetterRecorded) -> ContentFlaw | None:
    """What is missing of the message, so that a copy would be another one."""
    where = f"the message itself is in {letter.queue_name or 'its dead-letter queue'}"
    if letter.body_redacted:
        what = "the body is no text, so it may hold secrets and was not recorded"
        if letter.body is not None:
            what = "secrets in the body were not recorded"
        return "body_redacted", f"{what}; {where}: move it back from there"
    if letter.body is None:
        return "no_body", "the record has no body to send"
    digest = letter.body_sha256
    differs = digest is not None and digest != hashlib.sha256(letter.body).hexdigest()
    if len(letter.body) < body_size(letter) or differs:
        return (
            "body_cut",
            f"the record holds {len(letter.body)} of {body_size(letter)} bytes of the body; {where}",
        )
    if isinstance(letter.headers, dict) and _CUT_MAP in letter.headers:
        return "headers_cut", "the user's headers were too large to be recorded and would be missing"
    return None


def body_size(letter: DeadLetterRecorded) -> int:
    """Bytes of the whole body, as it was."""
    return len(letter.body or b"") if letter.body_size is None else letter.body_size


def sent_headers(letter: DeadLetterRecorded) -> dict[str, Any]:  # Any: AMQP header values
    """The headers that were recorded as they were."""
    return {name: value for name, value in (letter.headers or {}).items() if not _is_lost(name, value)}


def hidden_headers(letter: DeadLetterRecorded) -> list[str]:
    """The names of those that were hidden, in part or whole, or cut."""
    return sorted((letter.headers or {}).keys() - sent_headers(letter).keys() - {_CUT_MAP})


def target_of(letter: DeadLetterRecorded) -> ReplayTarget | None:
    """The queue that it came from, where anybody said so."""
    if letter.source_queue_name:
        queue = letter.source_queue_name
        return ReplayTarget(queue_name=queue, routing_key=queue, known_from="record")
    deaths = (letter.headers or {}).get("x-death")
    # The latest death comes first: https://www.rabbitmq.com/docs/dlx#effects
    latest = deaths[0] if isinstance(deaths, list | tuple) and deaths else None
    died_in = latest.get("queue") if isinstance(latest, Mapping) else None
    if not isinstance(died_in, str) or not died_in:
        return None
    return ReplayTarget(queue_name=died_in, routing_key=died_in, known_from="x-death")


def _is_lost(name: str, value: object) -> bool:
    """Whether a recorded header only stands for one that was hidden or cut."""
    return name == _CUT_MAP or _stands_for_lost(value, 0)


def _stands_for_lost(value: object, depth: int) -> bool:
    match value:
        case str():
            return value.startswith(_CUT) or any(mark in value for mark in _HIDDEN)
        case dict() | list() if depth >= _DEPTH_LIMIT:
            return True
        case dict():
            return any(
                _stands_for_lost(one, depth + 1) for pair in value.items() for one in pair if one is not None
            )
        case list() | tuple():
            return any(_stands_for_lost(item, depth + 1) for item in value)
        case _:
            return False
