"""The only place that makes random ids. Deterministic ids are derived in `relayna.ids`."""

from __future__ import annotations

import os
from typing import Protocol

from relayna.ids import AttemptId, MessageId

__all__ = ["CountingMint", "Mint", "RandomMint"]


class Mint(Protocol):
    """Makes ids that nobody else makes."""

    def attempt_id(self) -> AttemptId:
        """A new attempt: 64 random bits as 16 hex digits."""

    def message_id(self) -> MessageId:
        """A new logical message: 128 random bits as 32 hex digits."""

    def producer(self) -> str:
        """A name for this process among all that write: 32 random bits as 8 hex digits."""


class RandomMint:
    """Ids from the operating system's randomness; a forked child draws its own."""

    def attempt_id(self) -> AttemptId:
        """64 random bits as 16 hex digits."""
        return AttemptId(os.urandom(8).hex())

    def message_id(self) -> MessageId:
        """128 random bits as 32 hex digits."""
        return MessageId(os.urandom(16).hex())

    def producer(self) -> str:
        """32 random bits as 8 hex digits."""
        return os.urandom(4).hex()


class CountingMint:
    """1, 2, 3…: repeatable ids for tests, demonstrations and golden files."""

    def __init__(self) -> None:
        self._last = 0

    def _next(self) -> int:
        self._last += 1
        return self._last

    def attempt_id(self) -> AttemptId:
        """The next number as 16 hex digits."""
        return AttemptId(f"{self._next():016x}")

    def message_id(self) -> MessageId:
        """The next number as 32 hex digits."""
        return MessageId(f"{self._next():032x}")

    def producer(self) -> str:
        """The next number as 8 hex digits."""
        return f"{self._next():08x}"
