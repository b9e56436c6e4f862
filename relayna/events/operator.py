"""What operators did about a task: an audit. Owns the shape only; fields are append-only."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["OperatorActed"]


class OperatorActed(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """Somebody asked for something to be done, or what they asked for has come to an end. Outside any attempt."""

    action: str
    """What was asked for: `replay` of a dead letter, `replay_from_stage` of a session, or `upload` of rows."""
    action_id: str | None = None
    """Of this one request: the event that says that it was made and the one that says how it ended share it."""
    target_id: str | None = None
    """What it was to be done to: of a replay, the dead letter's id, or the session's; of an upload, which rows."""
    actor: str | None = None
    """Who asked: the name of a token or of a user, as far as it is known."""
    via: str | None = None
    """`http`, `command_line` or `process`."""
    outcome: str | None = None
    """`asked` before anything is done; then `done`, `refused`, `failed`, or `unknown`: it may be done."""
    reason: str | None = None
    """Why, in the words of whoever asked."""
    problem: str | None = None
    """What stood in the way."""
