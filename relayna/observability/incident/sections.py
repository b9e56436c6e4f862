"""What a page says beside its drawings: why, the dead letters, what is missing, and where all of it is from.

Owns the words and their order. Each section is bounded, and says what it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from relayna.events import DeadLetterRecorded
from relayna.instants import parse_instant
from relayna.observability.incident.bundle import Incident
from relayna.observability.incident.markup import EMPTY, Markup, element, joined, text
from relayna.observability.terminal_page import SIGNS
from relayna.observability.wording import duration_words, node_state, reasons, remarks
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.projections.task_why import Awaited, Cause, Failure, TaskWhy

__all__ = ["about", "dead_letters", "evidence", "headline", "why_section"]

_LISTED: Final = 20
_LETTERS: Final = 200
_BODY_SHOWN: Final = 4_000


def headline(graph: ExecutionGraph, why: TaskWhy) -> Markup:
    """The task, how it went, and the sentence of why."""
    summary = graph.summary
    state = next((node_state(node) for node in graph.nodes if node.kind == "task"), "unknown")
    state = state if state in SIGNS else "unknown"
    badge = element("span", text(f"{SIGNS[state]} {summary.status or state}"), class_=f"badge state-{state}")
    took = None if summary.duration_ms is None else duration_words(summary.duration_ms)
    missing = ", ".join(reasons(graph))
    facts = {
        "Started": summary.started_at or "unknown",
        "Took": took or "unknown",
        "Topology": graph.topology_kind or "unknown",
        "Evidence": f"{summary.graph_completeness}{': ' if missing else ''}{missing}",
    }
    return joined(
        (
            element("h1", element("span", text(graph.task_id), class_="name"), badge),
            element("p", text(why.sentence, limit=2_000), class_="sentence"),
            _pairs(facts),
        )
    )


def why_section(why: TaskWhy, anchors: Mapping[str, str]) -> Markup:
    """The first causes with what they took down, what else failed, and what the task waits for."""
    parts = [
        *_causes("Led to the end", why.causes, anchors),
        *_causes("Failed beside it", why.bystanders, anchors),
        *_causes("Failed, and worked when tried again", why.recovered, anchors),
    ]
    if why.waits_for:
        waits = [_linked(_waited(one), anchors.get(one.node)) for one in why.waits_for]
        parts += [element("h3", text("Waits for")), _bounded(waits)]
    return joined(parts) if parts else element("p", text("Nothing failed, and nothing is waited for."))


def dead_letters(graph: ExecutionGraph, incident: Incident) -> Markup:
    """A row for each; with their headers and bodies when the bundle has them."""
    letters = [node for node in graph.nodes if node.kind == "dlq_record"]
    if not letters:
        return element("p", text("There are none."))
    contents = {
        event.body.dead_letter_id: event.body
        for event in incident.events()
        if isinstance(event.body, DeadLetterRecorded)
    }
    heads = ("Time", "Task", "Reason", "From", "Exception", "State", "Id")
    rows = [element("tr", *(element("th", text(head), scope="col") for head in heads))]
    for node in letters[:_LETTERS]:
        rows += _letter(node, contents.get(str(node.annotations.get("dead_letter_id"))), len(heads))
    more = len(letters) - _LETTERS
    cut = element("p", text(f"{more:,} more are not listed."), class_="cut") if more > 0 else EMPTY
    return joined((element("div", element("table", *rows), class_="wide", tabindex=0), cut))


def evidence(graph: ExecutionGraph) -> Markup:
    """Whether anything is known to be missing, and what is odd, inferred, doubtful or cut."""
    if graph.summary.graph_completeness == "full":
        verdict = "Full: there are observations, and nothing is known to be missing."
    else:
        verdict = f"Partial: {', '.join(reasons(graph)) or 'no reason is given'}."
    parts = [element("p", text(verdict))]
    for heading, lines in remarks(graph).items():
        items = (element("li", text(line)) for line in lines)
        parts += [element("h3", text(heading)), element("ul", *items)]
    return joined(parts)


def about(graph: ExecutionGraph, incident: Incident) -> Markup:
    """Where this is from, what was read, and how to open it again."""
    origin, events = incident.origin, incident.events()
    held = [
        _count(len(events), "event", "events"),
        f"of {_count(len({event.envelope.task_id for event in events}), 'task', 'tasks')},",
        f"down to {_count(incident.depth, 'generation', 'generations')} of children",
    ]
    most = "" if incident.max_nodes is None else f" (at most {incident.max_nodes:,} were asked for)"
    payloads = "are in it" if origin.with_payloads else "were left out"
    facts = {
        "Made by": origin.made_by,
        "Made at": origin.made_at or "not told",
        "From": origin.store or "not told",
        "Prefix, tenant": f"{origin.prefix or 'not told'}, {origin.tenant}",
        "Holds": " ".join(held),
        "Graph": f"{_count(len(graph.nodes), 'node', 'nodes')}{most}",
        "Redacted": "values whose names say that they are secrets, and what looks like one; headers and bodies "
        f"of dead letters {payloads}",
        "Open it again": "relayna open FILE draws this graph anew, from the events in this file",
    }
    return _pairs(facts)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _pairs(facts: Mapping[str, str]) -> Markup:
    rows = (
        element("div", element("dt", text(name)), element("dd", text(value))) for name, value in facts.items()
    )
    return element("dl", *rows)


def _causes(heading: str, causes: list[Cause], anchors: Mapping[str, str]) -> Iterable[Markup]:
    if causes:
        yield element("h3", text(heading))
        yield _bounded([_cause(cause, anchors) for cause in causes])


def _cause(cause: Cause, anchors: Mapping[str, str]) -> Markup:
    first = _linked(_failed(cause.failure), anchors.get(cause.failure.node))
    if not cause.took_down:
        return first
    took_down = [_linked(_failed(one), anchors.get(one.node)) for one in cause.took_down]
    return joined((first, element("div", text("took down"), _bounded(took_down), class_="took-down")))


def _bounded(items: list[Markup]) -> Markup:
    listed = [element("li", item) for item in items[:_LISTED]]
    if len(items) > _LISTED:
        listed.append(element("li", text(f"and {len(items) - _LISTED:,} more"), class_="cut"))
    return element("ul", *listed)


def _linked(words: str, anchor: str | None) -> Markup:
    return text(words) if anchor is None else element("a", text(words), href=f"#{anchor}")


def _failed(failure: Failure) -> str:
    raised = failure.exception_type or ("" if failure.kind == "dlq_record" else failure.outcome or "failed")
    message = f": {failure.exception_message}" if failure.exception_message else ""
    kind = "dead letter " if failure.kind == "dlq_record" else ""
    queue = f", queue {failure.queue_name}" if failure.queue_name else ""
    return f"{kind}{failure.label}{', ' if raised else ''}{raised}{message}{queue}"


def _waited(awaited: Awaited) -> str:
    since = f", since {awaited.since}" if awaited.since else ""
    due = f", due at {awaited.due_at}" if awaited.due_at else ""
    return f"{awaited.kind} {awaited.label}{since}{due}"


def _letter(node: ExecutionGraphNode, content: DeadLetterRecorded | None, columns: int) -> Iterable[Markup]:
    told = node.annotations
    names = (told.get("exception_type"), told.get("exception_message"))
    replays = told.get("replay_count")
    state = f"{node_state(node)}{f', replayed {replays} times' if replays else ''}"
    instant = parse_instant(node.timestamp)
    cells = (
        "" if instant is None else str(node.timestamp)[:19].replace("T", " "),
        node.task_id,
        node.label,
        str(told.get("source_queue_name") or ""),
        ": ".join(str(name) for name in names if name),
        state,
        str(told.get("dead_letter_id") or "not stored"),
    )
    yield element("tr", *(element("td", text(cell)) for cell in cells))
    if content is not None and (content.body is not None or content.headers):
        yield element("tr", element("td", _payload(content), colspan=columns))


def _payload(content: DeadLetterRecorded) -> Markup:
    headers = "\n".join(f"{name}: {value}" for name, value in (content.headers or {}).items())
    body = b"" if content.body is None else content.body
    shown = body.decode("utf-8", "replace")
    parts = [element("pre", text(one, limit=_BODY_SHOWN)) for one in (headers, shown) if one]
    size = content.body_size if content.body_size is not None else len(body)
    summary = element("summary", text(f"headers, and a body of {size:,} bytes"))
    return element("details", summary, *parts)
