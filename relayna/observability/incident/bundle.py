"""An incident: what was read of a task and its children, enough to fold every answer again without the store.

Owns the shape, and its JSON in both directions. Reads no log and draws nothing.
"""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec
from msgspec import Struct

from relayna.errors import InvalidQuery, RelaynaError
from relayna.events import RecordedEvent
from relayna.events.history import StreamFact
from relayna.ids import TaskId
from relayna.observability.family_history import FamilyHistory
from relayna.observability.graph_answer import GraphTerms
from relayna.observability.graph_question import checked_question
from relayna.observability.incident.records import event_of, record_of
from relayna.observability.stream_reading import LeftOutEntries
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.timeline import TIMELINE, Timeline

__all__ = [
    "Incident", "Origin", "UnreadableIncident", "encode_incident", "graph_digest", "own_name", "parse_incident",
]  # fmt: skip

_VERSION: Final = 1
_TO_ESCAPE: Final = re.compile(r"[<>&]|[^\x20-\x7e]")
_UNREADABLE: Final = (msgspec.DecodeError, ValueError, TypeError, RecursionError)


class UnreadableIncident(RelaynaError):
    """A file gives no incident back because of `problem`."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"This is no incident that can be opened: {problem}. Give the file as `relayna export` wrote it, "
            "to the relayna that wrote it or a newer one."
        )


class Origin(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a bundle comes from."""

    made_by: str
    """relayna, and its version."""
    tenant: str
    prefix: str | None = None
    store: str | None = None
    """The store's URL, credentials masked."""
    made_at: str | None = None
    """When, if whoever made it wanted that to be told: it makes two bundles of the same events differ."""
    with_payloads: bool = False
    """Whether it holds the headers and bodies of dead letters."""


class Incident(Struct, frozen=True, kw_only=True):
    """A bundle's content, redacted."""

    task_id: TaskId
    depth: int
    max_nodes: int | None
    origin: Origin
    history: FamilyHistory
    folded_as: str | None = None
    """The digest of the graph that whoever made it has seen; None until it was written."""

    def graph(self) -> ExecutionGraph:
        """The execution graph, folded from the events."""
        terms = GraphTerms(
            tenant=self.origin.tenant,
            configured_kind=None,
            terminal_statuses=(),
            retention_micros=0,
            max_tasks=0,
        )
        question = checked_question(self.task_id, depth=self.depth, max_nodes=self.max_nodes)
        return terms.fold(question, self.history)

    def timeline(self) -> Timeline:
        """What happened to the task itself, in order."""
        state = TIMELINE.initial(self.task_id)
        for item in self.history.items:
            TIMELINE.apply(state, item)
        return TIMELINE.finish(state, GraphQuery())

    def events(self) -> list[RecordedEvent]:
        """All events, of the task and of its children."""
        return [item for item in self.history.items if isinstance(item, RecordedEvent)]


class _Written(Struct, kw_only=True):
    """The JSON."""

    relayna: str
    version: int
    origin: Origin
    task_id: str
    depth: int
    max_nodes: int | None
    graph_sha256: str
    facts: list[StreamFact]
    left_out: dict[str, LeftOutEntries]
    unread: int
    events: list[dict[str, Any]]  # Any: JSON values


class _Begun(Struct):
    relayna: str = ""
    version: int = 0


def own_name() -> str:
    """This relayna with its version, as bundles name who made them."""
    try:
        return f"relayna {version('relayna')}"
    except PackageNotFoundError:  # run from its sources
        return "relayna"


def graph_digest(graph: ExecutionGraph) -> str:
    """SHA-256 of the graph's JSON."""
    return hashlib.sha256(encode_graph(graph)).hexdigest()


def encode_incident(incident: Incident, graph: ExecutionGraph) -> str:
    """JSON in printable ASCII that no HTML parser sees an end or a tag in; the same for the same incident."""
    items = incident.history.items
    written = _Written(
        relayna="incident",
        version=_VERSION,
        origin=incident.origin,
        task_id=incident.task_id,
        depth=incident.depth,
        max_nodes=incident.max_nodes,
        graph_sha256=graph_digest(graph),
        facts=[item for item in items if isinstance(item, StreamFact)],
        left_out={str(task_id): left for task_id, left in incident.history.left_out.items()},
        unread=incident.history.unread,
        events=[record_of(event) for event in incident.events()],
    )
    return _TO_ESCAPE.sub(_escaped, msgspec.json.encode(written).decode())


def parse_incident(data: bytes) -> Incident:
    """The incident of which `encode_incident` made this. Raises `UnreadableIncident`."""
    try:
        begun = msgspec.json.decode(data, type=_Begun)
        if begun.relayna != "incident":
            raise UnreadableIncident("its data are not of an incident")
        if not 1 <= begun.version <= _VERSION:
            raise UnreadableIncident(f"its version is {begun.version}, and this relayna knows {_VERSION}")
        written = msgspec.json.decode(data, type=_Written)
        history = FamilyHistory(
            items=[*map(event_of, written.events), *written.facts],
            kinds=[one.value or "" for one in written.facts if _names_the_kind(one, written.task_id)],
            left_out={TaskId(task_id): left for task_id, left in written.left_out.items()},
            unread=written.unread,
        )
        question = checked_question(written.task_id, depth=written.depth, max_nodes=written.max_nodes)
    except _UNREADABLE as error:
        raise UnreadableIncident(f"its data are damaged ({type(error).__name__}: {error})") from None
    except InvalidQuery as error:
        raise UnreadableIncident(f"what it was asked for has no answer ({error})") from None
    return Incident(
        task_id=question.task_id,
        depth=written.depth,
        max_nodes=written.max_nodes,
        origin=written.origin,
        history=history,
        folded_as=written.graph_sha256,
    )


def _names_the_kind(fact: StreamFact, root: str) -> bool:
    return fact.name == "topology_kind" and fact.task_id == root


def _escaped(match: re.Match[str]) -> str:
    # Only texts hold such characters, and in texts JSON spells any UTF-16 unit so.
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
