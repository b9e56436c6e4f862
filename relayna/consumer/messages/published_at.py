"""When a message was published, as it says itself: the header by which waits in queues are measured.

Owns the header and its reading. It is set anew on each publish; a foreign or broken one is as good as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relayna.instants import Instant

__all__ = ["PUBLISHED_AT", "seconds_since_published", "stamped"]

PUBLISHED_AT: Final = "x-relayna-published-at"
"""Milliseconds since 1970 by the publisher's clock. AMQP's own timestamp has whole seconds."""


def stamped(headers: Mapping[str, Any], now: Instant) -> dict[str, Any]:  # Any: AMQP header values
    """The headers, saying that the message is published now."""
    return {**headers, PUBLISHED_AT: now // 1000}


def seconds_since_published(headers: Mapping[str, Any], now: Instant) -> float | None:
    """How long ago that was; 0 where the clocks disagree, None where the message does not say.

    Any: AMQP header values.
    """
    published = headers.get(PUBLISHED_AT)
    if not isinstance(published, int) or isinstance(published, bool) or published <= 0:
        return None
    return max(0.0, now / 1_000_000 - published / 1000)
