"""Whether every run was led to by something. Owns the judgement of what was found. Asks nobody."""

from __future__ import annotations

from relayna.observability.checks.check import Check

__all__ = ["check_births"]

_NAME = "births"


def check_births(unborn: int | None, *, unreadable: int = 0) -> Check:
    """Of so many runs without a birth, at most 1,000; None where that could not be asked."""
    if unborn is None:
        return Check(
            name=_NAME, state="unknown", found="The records of runs cannot be read, or there are none."
        )
    if unborn:
        return Check(
            name=_NAME,
            state="failed",
            found=f"No recorded edge led to {unborn} of the runs that began in the last day.",
            advice="See MissingInboundEdge in docs/metrics.md; `relayna upstream RUN` shows what is known of each.",
        )
    if unreadable:
        return Check(
            name=_NAME,
            state="warning",
            found=f"{unreadable} records of runs cannot be read, and their births not checked.",
            advice="They are damaged, or a newer relayna wrote them: `relayna reindex` writes them anew.",
        )
    return Check(name=_NAME, state="ok", found="Something led to every run that began in the last day.")
