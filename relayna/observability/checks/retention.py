"""Retention: streams must outlive their tasks' silence, and be kept for as long as readers believe."""

from __future__ import annotations

from relayna.observability.checks.check import Check
from relayna.streams.redis.inspection import Inspection

__all__ = ["check_retention"]

_DAY_MS = 86_400_000


def check_retention(
    inspection: Inspection, *, retention_seconds: int, open_retention_seconds: int
) -> list[Check]:
    """The longest task among some, and for how long streams are really kept."""
    return [
        _longest_task(inspection, max(retention_seconds, open_retention_seconds) * 1000),
        _kept(inspection, retention_seconds * 1000),
    ]


def _longest_task(inspection: Inspection, kept_ms: int) -> Check:
    name, streams = "longest_task", inspection.streams
    if not streams:
        return Check(name=name, state="ok", found="There is no stream to look at.")
    longest = max(stream.last_ms - stream.first_ms for stream in streams)
    found = (
        f"The longest of {len(streams)} tasks took {_days(longest)}; open ones are kept for {_days(kept_ms)}."
    )
    if longest <= kept_ms:
        return Check(name=name, state="ok", found=found)
    return Check(
        name=name,
        state="warning",
        found=found,
        advice="Raise RELAYNA_OPEN_RETENTION_SECONDS: a task that is silent for so long loses its beginning.",
    )


def _kept(inspection: Inspection, retention_ms: int) -> Check:
    name = "retention"
    kept = [stream.ends_ms - stream.last_ms for stream in inspection.streams if stream.ends_ms is not None]
    if not kept:
        return Check(name=name, state="ok", found="There is no stream to look at that expires.")
    # Seconds pass between an append and its expiry being set, and clocks are not exact.
    shorter = [one for one in kept if one < retention_ms - 60_000]
    if not shorter:
        return Check(
            name=name,
            state="ok",
            found=f"All of {len(kept)} streams are kept for {_days(retention_ms)} or longer.",
        )
    return Check(
        name=name,
        state="warning",
        found=f"Of {len(kept)} streams {len(shorter)} are kept for less than the {_days(retention_ms)} that this "
        f"process believes, one for {_days(min(shorter))}.",
        advice="Give workers' stores what readers have as RELAYNA_RETENTION_SECONDS, as "
        "RedisObservationStore(ttl_seconds=…) or RedisLog(retention_seconds=…): workers do not read it. "
        "What they wrote before is kept as it was.",
    )


def _days(milliseconds: float) -> str:
    return f"{milliseconds / _DAY_MS:.1f} days" if milliseconds >= _DAY_MS else f"{milliseconds / 1000:.0f} s"
