"""Who may carry a dead letter's replay out: the claims to it, in the log's order.

Owns the rule, which everybody who reads the same stream applies alike: the first claim holds until it is withdrawn,
or until a later one takes it over because it has run out. Times are those at which the store took the claims in,
for no two machines need agree on the time. Pure; never raises on data.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from relayna.events import DeadLetterReplayClaimed, RecordedEvent
from relayna.ids import stream_position
from relayna.projections.fact_ids import is_copy

__all__ = ["ReplayClaim", "claim_of", "holder_of"]


class ReplayClaim(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody's claim, or the word that it has ended."""

    dead_letter_id: str
    replay_count: int
    claim_id: str
    claimed_by: str | None
    told_ms: int
    """When the store took it in, in milliseconds."""
    holds_ms: int
    withdrawn: bool

    def runs_out_in_ms(self, now_ms: int) -> int | None:
        """How long it still holds at a time that somebody's own clock tells; none when it may have run out.

        A claim from the future shows that this clock cannot say.
        """
        left = self.told_ms + self.holds_ms - now_ms
        return left if self.told_ms <= now_ms and left > 0 else None


def claim_of(event: RecordedEvent) -> ReplayClaim | None:
    """The claim that this event tells; plain records have no place in a stream, their own time has to do."""
    body = event.body
    if not isinstance(body, DeadLetterReplayClaimed) or is_copy(event.envelope):
        return None
    return ReplayClaim(
        dead_letter_id=body.dead_letter_id,
        replay_count=body.replay_count,
        claim_id=body.claim_id or event.envelope.event_id,
        claimed_by=body.claimed_by,
        told_ms=stream_position(event.stream_id)[0] or event.envelope.timestamp // 1000,
        holds_ms=body.holds_ms,
        withdrawn=body.withdrawn,
    )


def holder_of(claims: Iterable[ReplayClaim], count: int) -> ReplayClaim | None:
    """Whose claim to the replay with that count holds, once all of these were made; in the log's order."""
    holder: ReplayClaim | None = None
    seen: set[str] = set()
    for claim in claims:
        if claim.replay_count != count:
            continue
        if claim.withdrawn:
            holder = None if holder is not None and holder.claim_id == claim.claim_id else holder
        elif claim.claim_id not in seen and (
            holder is None or claim.told_ms - holder.told_ms >= holder.holds_ms
        ):
            holder = claim
        seen.add(claim.claim_id)
    return holder
