"""Rows that come from outside, a line at a time: each becomes a recorded fact of one task.

Owns how a body becomes lines, which lines are refused, and when an upload is stopped. Holds one line and one
batch of facts at most, however long the body is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Final, Literal

from msgspec import Struct

from relayna.clock import Clock
from relayna.events import Envelope, Event, OperatorActed, Redact, encode_event, encode_frame
from relayna.ids import TaskId, operator_event_id
from relayna.mint import RandomMint
from relayna.observability.trace.rows import BadRow, RowType, event_of_row
from relayna.streams import Append, Log, NotAppended, TaskAddress

__all__ = ["MOST_BAD_LINES", "MOST_LINE_BYTES", "BadLine", "Uploaded", "upload_rows"]

MOST_LINE_BYTES: Final = 4 * 1024 * 1024
MOST_BAD_LINES: Final = 100
"""In a row."""
_PROBLEMS_TOLD: Final = 20
_BATCH_EVENTS: Final = 250
_BATCH_BYTES: Final = 256 * 1024


class BadLine(Struct, frozen=True, kw_only=True):
    """A line that is no such row."""

    line: int
    """Counted from 1; empty lines count too."""
    problem: str


class Uploaded(Struct, frozen=True, kw_only=True):
    """What became of an upload. Sent again, the same lines are the same facts."""

    task_id: str
    rows: str
    """Which rows they were."""
    accepted: int
    """Lines that are recorded."""
    bad: int
    """Lines that are no such rows; they are left out."""
    problems: list[BadLine]
    """The first of those."""
    stopped: Literal["line_too_long", "too_many_bad_lines"] | None
    """Why what followed was not read: a line over 4 MiB, or 100 bad ones in a row."""


async def upload_rows(
    log: Log,
    address: TaskAddress,
    kind: RowType,
    body: AsyncIterable[bytes],
    *,
    clock: Clock,
    redact: Redact | None,
    actor: str | None = None,
) -> Uploaded:
    """Record each line of the body, as far as it goes, and that `actor` sent them.

    Raises `StoreError`; what was recorded by then stays.
    """
    upload = _Upload(log, address, kind, clock, redact)
    async with aclosing(_lines(body)) as lines:
        async for line in lines:
            if line is None:
                upload.stopped = "line_too_long"
                break
            await upload.take(line)
            if upload.stopped is not None:
                break
    await upload.end(actor)
    return upload.told()


class _Upload:
    """One of them, on its way."""

    def __init__(
        self, log: Log, address: TaskAddress, kind: RowType, clock: Clock, redact: Redact | None
    ) -> None:
        self.stopped: Literal["line_too_long", "too_many_bad_lines"] | None = None
        self._log = log
        self._address = address
        self._kind = kind
        self._clock = clock
        self._redact = redact
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._number = 0
        self._accepted = 0
        self._bad = 0
        self._bad_in_a_row = 0
        self._problems: list[BadLine] = []

    async def take(self, line: bytes) -> None:
        """The next line."""
        self._number += 1
        if not line.strip():
            return
        task_id: TaskId = self._address.task_id
        try:
            event = event_of_row(self._kind, line, task_id=task_id, now=self._clock.now())
        except BadRow as error:
            self._refuse(str(error))
            return
        self._bad_in_a_row = 0
        self._accepted += 1
        encoded = encode_event(event, self._redact)
        self._batch.append(encoded)
        self._batch_bytes += len(encoded)
        if len(self._batch) >= _BATCH_EVENTS or self._batch_bytes >= _BATCH_BYTES:
            await self.store()

    async def store(self) -> None:
        """Append what waits, as one frame."""
        if not self._batch:
            return
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        payload = encode_frame(self._address.task_id, None, self._clock.now() // 1000, batch)
        [result] = await self._log.append([Append(self._address, payload)])
        if isinstance(result, NotAppended):
            raise result.error

    async def end(self, actor: str | None) -> None:
        """Store the rest, and who sent it; nothing of an upload that told nothing."""
        if self._accepted:
            self._batch.append(encode_event(self._audit(actor), self._redact))
        await self.store()

    def told(self) -> Uploaded:
        """What became of it."""
        return Uploaded(
            task_id=self._address.task_id,
            rows=self._kind,
            accepted=self._accepted,
            bad=self._bad,
            problems=self._problems,
            stopped=self.stopped,
        )

    def _audit(self, actor: str | None) -> Event:
        action_id = RandomMint().message_id()
        envelope = Envelope(
            event_id=operator_event_id(self._kind, "upload", action_id, "done"),
            timestamp=self._clock.now(),
            task_id=self._address.task_id,
        )
        done = OperatorActed(
            action="upload",
            action_id=action_id,
            target_id=self._kind,
            actor=actor,
            via="http",
            outcome="done",
            problem=self.stopped,
        )
        return Event(envelope=envelope, body=done)

    def _refuse(self, problem: str) -> None:
        self._bad += 1
        self._bad_in_a_row += 1
        if len(self._problems) < _PROBLEMS_TOLD:
            self._problems.append(BadLine(line=self._number, problem=problem))
        if self._bad_in_a_row >= MOST_BAD_LINES:
            self.stopped = "too_many_bad_lines"


async def _lines(body: AsyncIterable[bytes]) -> AsyncGenerator[bytes | None, None]:
    """Each line without its end; None for one that is too long, and then nothing more."""
    rest = bytearray()
    async for piece in body:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            rest += piece[start:end]
            if len(rest) > MOST_LINE_BYTES:
                yield None
                return
            yield bytes(rest)
            rest.clear()
            start = end + 1
        rest += piece[start:]
        if len(rest) > MOST_LINE_BYTES:
            yield None
            return
    if rest:
        yield bytes(rest)
