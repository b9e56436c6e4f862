"""Who may ask: callers told apart, or not.

Owns the protocol and the one without a secret. An `Access` is asked before a request is looked at any further.
"""

from __future__ import annotations

from typing import Final, Protocol

from starlette.requests import Request

from relayna.api.caller import Caller

__all__ = ["ANYBODY", "Access", "OpenAccess"]

ANYBODY: Final = Caller(name="anybody", scopes=frozenset({"read", "metrics"}))


class Access(Protocol):
    """Says who asks."""

    def caller_of(self, request: Request) -> Caller:
        """Who this is. Raises `NotAuthenticated`."""


class OpenAccess:
    """Everybody who can reach the port may read, and nobody may write: for loopback, and behind a host's own check."""

    def caller_of(self, request: Request) -> Caller:
        """Anybody."""
        return ANYBODY
