"""When the recorder flushes, and when it stops trying. Owns the numbers only."""

from __future__ import annotations

from msgspec import Struct

from relayna.streams.recording.backoff import Backoff

__all__ = ["FlushPolicy"]


class FlushPolicy(Struct, frozen=True, kw_only=True):
    """Sizes in events and bytes, times in seconds."""

    flush_events: int = 500
    flush_bytes: int = 64 * 1024
    flush_interval: float = 0.02
    """How long an event waits for others to come."""
    backoff: Backoff = Backoff()
    refusal_limit: int = 8
    """A task whose frames are refused so often, while the log takes those of others, is given up."""
    window_bytes: int = 4 * 1024 * 1024
    """Of what was stored last so much is kept, in case a fail-over loses it…"""
    window_seconds: float = 60.0
    """…and for so long."""
    close_deadline: float = 5.0
    """How long the last flush may take."""
    disk_deadline: float = 5.0
    """How long the disk may take after that, however little the log gets: what it does not take is lost."""
