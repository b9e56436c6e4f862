"""What the driver raises and the server refuses, in relayna's words.

Owns the translation of errors and the masking of credentials. Decides nothing about trying again.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from redis import exceptions as driver

from relayna.errors import StoreError, StoreRefused, StoreUnreachable

__all__ = ["DRIVER_ERRORS", "REFUSALS", "Failed", "masked_url", "translated"]


class Failed(Struct, frozen=True):
    """A command without a usable reply.

    `outcome_unknown` is true when the command was sent and no answer to it was seen.
    """

    error: StoreError
    outcome_unknown: bool = False


DRIVER_ERRORS = (driver.RedisError, OSError)
"""All that a call of the driver may raise for reasons of the network or the server."""

REFUSALS = (
    driver.ResponseError,
    driver.AuthenticationError,
    driver.AuthorizationError,
    driver.BusyLoadingError,
)
"""Answers of the server; some the driver files under broken connections, though it spoke and said no."""

# The driver cuts the code off the errors it has a class for, and callers tell errors apart by it.
_CODES: Mapping[type[Exception], str] = {
    driver.AskError: "ASK",
    driver.AuthenticationError: "NOAUTH",
    driver.BusyLoadingError: "LOADING",
    driver.ClusterCrossSlotError: "CROSSSLOT",
    driver.ClusterDownError: "CLUSTERDOWN",
    driver.ExecAbortError: "EXECABORT",
    driver.MasterDownError: "MASTERDOWN",
    driver.MovedError: "MOVED",
    driver.NoPermissionError: "NOPERM",
    driver.NoScriptError: "NOSCRIPT",
    driver.OutOfMemoryError: "OOM",
    driver.ReadOnlyError: "READONLY",
    driver.TryAgainError: "TRYAGAIN",
}


def translated(error: Exception, *, command: str, url: str) -> StoreError:
    """`StoreRefused` for an answer, its problem beginning with the server's code; else `StoreUnreachable`."""
    text = str(error) or type(error).__name__
    if not isinstance(error, REFUSALS):
        return StoreUnreachable(url, text.rstrip("."))
    code = getattr(error, "status_code", None) or _CODES.get(type(error), "")
    return StoreRefused(command, f"{code} {text}" if code and not text.startswith(code) else text)


def masked_url(options: Mapping[str, object], *, secure: bool = False) -> str:
    """Where connections with these options lead, without credentials.

    >>> masked_url({"host": "cache", "port": 6379, "db": 1, "password": "secret"})
    'redis://***@cache:6379/1'
    """
    credentials = any(options.get(name) for name in ("username", "password", "credential_provider"))
    user = "***@" if credentials else ""
    if path := options.get("path"):
        return f"unix://{user}{path}"
    host = str(options.get("host") or "localhost")
    host = f"[{host}]" if ":" in host else host
    scheme = "rediss" if secure else "redis"
    return f"{scheme}://{user}{host}:{options.get('port') or 6379}/{options.get('db') or 0}"
