"""The one tool that changes something: it sends a dead letter again. It is there when writes were allowed at the start.

Owns its arguments, and that guards are never overruled from here. What a replay does, and what speaks against it, the
keeper knows; the answer is that of the HTTP route.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from relayna.api.dead_letter_answers import ReplayTold, ReplayWanted
from relayna.api.dead_letters import carry_out_replay
from relayna.api.services import TenantServices
from relayna.mcp.tools.tool import Tool

__all__ = ["REPLAY_DEAD_LETTER"]


class ReplayAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send this dead letter again."""

    task_id: Annotated[str, Meta(description="The task's id.")]
    dead_letter_id: Annotated[str, Meta(description="The dead letter's id, as `dead_letters` tells it.")]
    reason: Annotated[
        str, Meta(min_length=1, max_length=500, description="Why, for those who read it later.")
    ]
    expect_replay_count: Annotated[
        int,
        Meta(ge=0, description="Only if it was replayed so often by now: `replay_count` of `dead_letters`."),
    ]


async def _replay(services: TenantServices, asked: ReplayAsked) -> ReplayTold:
    wanted = ReplayWanted(reason=asked.reason, expect_replay_count=asked.expect_replay_count)
    return await carry_out_replay(
        services.dead_letters, asked.task_id, asked.dead_letter_id, wanted, replayed_by=None, via="mcp"
    )


REPLAY_DEAD_LETTER: Final = Tool(
    name="replay_dead_letter",
    title="Send a dead letter again",
    about="It publishes a message again, to the queue that it came from, and a worker will handle it: use it only when "
    "the user has asked for this very letter to be replayed, and after its cause was found (task_why) and mended. It is "
    "refused when a copy is under way or has been handled, which cannot be overruled here. The replay and its reason are "
    "recorded in the task's history.",
    asks=ReplayAsked,
    tells=ReplayTold,
    answer=_replay,
    changes=True,
    rest="The task's timeline has all of it.",
)
