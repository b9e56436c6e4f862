"""The critical path: the runs that decided when a session ended. Owns how it is walked; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from relayna.projections.trace.spans import Wait
from relayna.projections.trace.timings import RunTiming

__all__ = ["wakers_by_run", "walked_back"]


def wakers_by_run(waits: Iterable[Wait], known: Iterable[str]) -> dict[str, list[str]]:
    """The runs whose ends the handlers of others waited for, of those that are known."""
    runs, found = set(known), dict[str, list[str]]()
    for wait in waits:
        if wait.woken_by in runs and wait.data_id in runs:
            found.setdefault(wait.data_id, []).append(wait.woken_by)
    return found


def walked_back(
    timings: Mapping[str, RunTiming], sources: Mapping[str, Sequence[str]], woken: Mapping[str, Sequence[str]]
) -> tuple[list[str], bool]:
    """From the run that finished last back over what finished last of its sources; the first of equals each time.

    A run that waited inside for others goes back over these. Where that leads to itself, which has spawned them,
    it goes on over its own sources. Also whether sources run in a circle.
    """
    at = max(timings.values(), key=lambda timing: timing.finish)
    path, visited, returned = [at.data_id], {at.data_id}, set[str]()
    while True:
        wakers = () if at.data_id in returned else woken.get(at.data_id, ())
        known = [timings[run] for run in wakers or sources.get(at.data_id, ()) if run in timings]
        if not known:
            return path[::-1], False
        at = max(known, key=lambda timing: timing.finish)
        if at.data_id not in visited:
            visited.add(at.data_id)
            path.append(at.data_id)
        elif at.data_id in woken and at.data_id not in returned:
            returned.add(at.data_id)
        else:
            return path[::-1], True
