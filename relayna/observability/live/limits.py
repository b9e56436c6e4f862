"""How much a live hub takes on, and who is counted against it. Owns the numbers and the refusal."""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec import Struct, field

from relayna.errors import RelaynaError
from relayna.observability.live.followed import Pace

__all__ = ["FollowerCount", "LiveLimits", "TooManyFollowers"]

_RETRY_AFTER_SECONDS: Final = 30


class TooManyFollowers(RelaynaError):
    """As many follow as may; `retry_after_seconds` says when to ask again."""

    def __init__(self, most: int, of: str) -> None:
        self.retry_after_seconds = _RETRY_AFTER_SECONDS
        super().__init__(
            f"There are {most} {of} already, as many as there may be. Ask again in {_RETRY_AFTER_SECONDS} s."
        )


class LiveLimits(Struct, frozen=True, kw_only=True):
    """How much a hub takes on."""

    most_followers: int = 700
    """Well below the connections that a server takes, so that others are still answered."""
    most_followers_a_service: int = 600
    """Of one tenant: of its executions, and as many of its sessions."""
    most_views: int = 500
    most_nodes: int = 200_000
    """Of all views together; a session counts its edges."""
    versions: int = 16
    """Held of each graph, at least 1; whoever is further behind gets a snapshot."""
    pace: Pace = field(default_factory=Pace)


class FollowerCount:
    """How many follow anything now, and of whose services."""

    def __init__(self, limits: LiveLimits) -> None:
        self._limits = limits
        self._of: Counter[int] = Counter()
        self.all = 0

    def check(self, service: int) -> None:
        """Raises `TooManyFollowers` where one more would be too many."""
        if self.all >= self._limits.most_followers:
            raise TooManyFollowers(self._limits.most_followers, "followers")
        if self._of[service] >= self._limits.most_followers_a_service:
            raise TooManyFollowers(self._limits.most_followers_a_service, "followers of one tenant")

    def come(self, service: int) -> None:
        """One more follows."""
        self.all += 1
        self._of[service] += 1

    def go(self, service: int) -> None:
        """One less follows."""
        self.all -= 1
        self._of[service] -= 1
        if not self._of[service]:
            del self._of[service]
