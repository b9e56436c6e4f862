"""Where a task stands, on a terminal: one screen. Owns what is printed and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from relayna.observability.terminal_page import Segment, TerminalPage, one_line
from relayna.observability.wording import duration_words
from relayna.projections.standing import LastFailure, RunningAttempt, Standing
from relayna.projections.task_why import Awaited

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_standing"]

_LISTED: Final = 8
_ENDED: Final = ("succeeded", "failed", "dead_lettered", "abandoned")
_NAMES: Final = 10
"""Columns of the facts' names."""


def print_standing(standing: Standing, console: Console) -> None:
    """Print the facts, each on a line of its own name. Raises `ConfigurationError` without `rich`."""
    page = TerminalPage(console)
    for name, segments in _facts(standing, page):
        page.line(*segments, first=(f"{name:<{_NAMES}}", "dim"), rest=" " * _NAMES)


def _facts(standing: Standing, page: TerminalPage) -> Iterator[tuple[str, list[Segment]]]:
    yield "Task", [(one_line(standing.task_id), "bold")]
    yield "Status", _status(standing, page)
    if standing.message is not None:
        yield "", [(one_line(standing.message), "")]
    yield "Topology", [(one_line(standing.topology_kind or "unknown"), "")]
    yield "Started", [(f"{standing.started_at or 'not yet'}{_length(standing)}", "")]
    yield "Attempts", [(_attempts(standing), "")]
    if standing.dead_letters:
        yield "Letters", [(_dead_letters(standing), "red")]
    if standing.children:
        yield "Children", [(f"{standing.children:,}, {standing.children_ended:,} of them ended", "")]
    yield from _listed("Running", [_running(one) for one in standing.running], "cyan")
    yield from _listed("Waits for", [_awaited(one) for one in standing.waits_for], "yellow")
    if standing.last_failure is not None:
        yield "Failure", [(one_line(_failure(standing.last_failure)), "red")]
    why = ", ".join(map(one_line, standing.missing))
    evidence = f"{standing.graph_completeness}{': ' if why else ''}{why}"
    yield "Evidence", [(evidence, "yellow" if why else "")]


def _status(standing: Standing, page: TerminalPage) -> list[Segment]:
    sign, style = page.sign(standing.state)
    status = "none was published" if standing.status is None else one_line(standing.status)
    since = "" if standing.since is None else f" since {standing.since}"
    return [(f"{sign} {status}", style), (since, "")]


def _length(standing: Standing) -> str:
    known = standing.duration_ms is not None and standing.state in _ENDED
    return f", took {duration_words(standing.duration_ms or 0)}" if known else ""


def _attempts(standing: Standing) -> str:
    failed = f", {standing.failed_attempts:,} of them failed" if standing.failed_attempts else ""
    retries = f"; {_count(standing.retries, 'retry', 'retries')}" if standing.retries else ""
    return f"{standing.attempts:,}{failed}{retries}"


def _dead_letters(standing: Standing) -> str:
    replayed = (
        f", {standing.dead_letters_replayed:,} of them replayed" if standing.dead_letters_replayed else ""
    )
    return f"{_count(standing.dead_letters, 'dead letter', 'dead letters')}{replayed}"


def _listed(name: str, lines: list[str], style: str) -> Iterator[tuple[str, list[Segment]]]:
    more = len(lines) - _LISTED
    shown = lines if more <= 0 else [*lines[:_LISTED], f"and {more:,} more"]
    for number, line in enumerate(shown):
        yield "" if number else name, [(one_line(line), style)]


def _running(attempt: RunningAttempt) -> str:
    return _joined(
        attempt.label,
        attempt.since and f"since {attempt.since}",
        attempt.queue_name and f"from {attempt.queue_name}",
        attempt.consumer_name and f"by {attempt.consumer_name}",
    )


def _awaited(awaited: Awaited) -> str:
    queue = awaited.queue_name and f"in {awaited.queue_name}"
    match awaited.kind:
        case "retry":
            return _joined(awaited.label, awaited.due_at and f"due at {awaited.due_at}", queue)
        case "message" if awaited.node.startswith("task:"):
            return "a worker: published, and not received yet"
        case "message":
            published = f"published at {awaited.since}" if awaited.since else "published"
            return _joined(f"a worker of {awaited.label}", published, queue)
        case "child":
            return f"child {awaited.label}"
        case _:
            return awaited.label


def _failure(failure: LastFailure) -> str:
    raised = failure.exception_type or failure.reason or "it does not say why"
    message = f": {failure.exception_message}" if failure.exception_message else ""
    at = f" at {failure.at}" if failure.at else ""
    became = f" ({failure.outcome})" if failure.outcome else ""
    return f"{failure.label}{at}{became}: {raised}{message}"


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
