"""Rows: a task's summary as read models keep it, and how it is read back.

Owns the bytes of a row.
"""

from __future__ import annotations

from typing import Final

import msgspec

from relayna.ids import StreamId
from relayna.instants import Instant
from relayna.observability.read_models.terms import counts_of, terms_of
from relayna.projections.task_summary import TaskAccount, TaskSummary
from relayna.streams import TaskAddress
from relayna.streams.read_models import Row

__all__ = ["row_of", "summary_in"]

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(TaskSummary)


def row_of(account: TaskAccount, address: TaskAddress, version: StreamId, *, expires_at: Instant) -> Row:
    """The row of this task; the same bytes for the same history."""
    return Row(
        address=address,
        version=version,
        data=_encoder.encode(account.summary),
        terms=terms_of(account.summary),
        counts=counts_of(account.counts),
        expires_at=expires_at,
    )


def summary_in(row: Row) -> TaskSummary | None:
    """What the row says; None when another release wrote it and this one cannot read it."""
    try:
        return _decoder.decode(row.data)
    except msgspec.DecodeError:
        return None
