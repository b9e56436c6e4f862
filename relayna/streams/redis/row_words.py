"""What rows usually say: the bytes that compression looks back to.

Owns the words, and nothing that they mean: a row of which none is here is stored and read all the same, only longer.
They are part of the layout of rows, and change with it alone. What comes last is found in the fewest bits.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["ROW_WORDS"]

_encode: Final = msgspec.msgpack.Encoder().encode

_FILTERS: Final = ("all", "correlation_id", "queue", "status", "task_type", "topology")
_EVERY_FILTER: Final = (*_FILTERS[:2], "parent_task_id", "queue", "stage", *_FILTERS[3:])
_TIME: Final = b"\xcf\x00\x06"
"""How every instant of these centuries begins."""


def _texts(*words: str) -> bytes:
    """One after the other, as msgpack says them."""
    return b"".join(map(_encode, words))


def _terms(sort: str, filters: tuple[str, ...]) -> bytes:
    return _texts(*(f"tasks:{name}:{sort}" for name in filters))


ROW_WORDS: Final = b"".join(
    (
        _texts("abandoned", "dead_lettered", "failed", "retried"),
        _texts("letters:all", "letters:queue", "letters:reason", "letters:stage", "letters:state"),
        _texts("", "open", "replayed"),
        _texts("failures:all", "failures:exception_type", "failures:queue", "failures:stage", ""),
        _texts("dead_letter_id", "replay_count", "source_queue_name", "retry_attempt"),
        _texts("ref"), b"\xb0", _texts("node_id"), b"\xd9stage-attempt:", b"dlq:", b"\xd93task-attempt:",
        _texts("number"), b"\x01", _texts("at"), _TIME, _texts("queue_name"), b"\xa6", _texts("stage"), b"\xc0",
        _texts("consumer_name"), b"\xac", _texts("exception_type", "TimeoutError", "exception_message"),
        _texts("reason", "handler_error", "outcome", "retried", "failures_told"), b"\x01",
        _texts("dead_letters_open", "dead_letters_replayed", "dead_letters"),
        _terms("started_at", _EVERY_FILTER), _terms("updated_at", _EVERY_FILTER),
        _texts("shared_tasks_shared_status_sharded_aggregation", "routed_tasks_shared_status"),
        _texts("shared_status_workflow", "processing", "failed", "running", "waiting"),
        _texts("parent_task_id", "stages", "retries", "children", "partial", "missing", "no_observations"),
        _texts("task_id"), b"\xd9$", _texts("topology_kind", "shared_tasks_shared_status", "status", "completed"),
        _texts("state", "succeeded", "task_type"), b"\xb0", _texts("correlation_id"), b"\xae", _texts("session_id"),
        b"\xae", _texts("queue_names"), b"\x91\xa6", _texts("consumer_names"), b"\x91\xac",
        _texts("started_at"), _TIME, _texts("updated_at"), _TIME, _texts("ended_at"), _TIME,
        _texts("duration_ms"), b"\xcd", _texts("attempts"), b"\x01", _texts("completeness", "full"), b"\x82", _TIME,
        b"\xdc\x00\x12", _terms("started_at", _FILTERS), _texts(*[""] * len(_FILTERS)), _TIME,
        b"\xdc\x00\x12", _terms("updated_at", _FILTERS), _texts(""),
        b'\x81\xcdQ\x81\xbe["', b'",null,"', b'"]\xdc\x00\x10',
        _texts("attempts", "duration_le.", "duration_ms", "durations", "succeeded", "wait_le.", "wait_ms", "waits"),
        b"\x01\x01\xcc", b"\x01\x01\x01", b"\x01\xc0",
    )
)  # fmt: skip
"""Less than the 4 KB that compression looks back over, with an id of any usual length behind it."""
