"""Tasks under the name that a user's contracts give their ids: in paths, query strings and the JSON of answers.

Owns that renaming for HTTP. Message bodies are renamed where consumers read and write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from relayna.api.endpoint import Endpoint
from relayna.errors import InvalidSetting
from relayna.events.envelope import Envelope
from relayna.events.vocabulary import EVENT_TYPES
from relayna.observability.history_pages import HistoryPage
from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_patch import GraphPatch
from relayna.topologies import ContractAliasConfig

__all__ = ["HttpNames"]

_TASK_ID: Final = "task_id"
# What stands beside ids of tasks in answers, and is in no Struct: parts of graphs' annotations, plain records.
_LISTED: Final = (
    "after", "attempt", "before", "cause", "code", "count", "detail", "entries", "event_id", "ranges", "reason", "type",
    "until",
)  # fmt: skip
_IN_RECORDS: Final = {
    "event_type", "position", "withheld", *Envelope.__struct_fields__,
    *(name for event_type, _ in EVENT_TYPES for name in event_type.__struct_fields__),
}  # fmt: skip


class HttpNames:
    """What a task's id is called. Raises `InvalidSetting` for a name that HTTP uses for something else."""

    def __init__(self, aliases: ContractAliasConfig | None) -> None:
        config = aliases or ContractAliasConfig()
        self.parameter: str = config.http_aliases.get(_TASK_ID, _TASK_ID)
        """In paths and query strings."""
        self._field = config.field_aliases.get(_TASK_ID, _TASK_ID)
        self._check_field({*_LISTED, *_IN_RECORDS, *_fields_of(ExecutionGraph), *_fields_of(GraphPatch)})

    def check(self, endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
        """These endpoints. Raises `InvalidSetting` when one of them has another parameter or field of that name."""
        table = tuple(endpoints)
        for endpoint in table:
            asked = [parameter.name for parameter in endpoint.parameters]
            if asked.count(self.parameter) > 1:
                raise _taken("http_aliases", self.parameter)
            told = (*endpoint.returns.values(), *endpoint.other_answers.values(), endpoint.takes)
            for struct in told:
                self._check_field(() if struct is None else _fields_of(struct))
        return table

    def of_field(self, name: str) -> str:
        """What a field of answers is called."""
        return self._field if name == _TASK_ID else name

    def encode(self, answer: Struct) -> bytes:
        """Any answer as JSON, with tasks' ids under their name at every level; users' own values are left alone."""
        if self._field == _TASK_ID:
            return msgspec.json.encode(answer)
        return msgspec.json.encode(self._struct(answer, msgspec.to_builtins(answer)))

    def encode_graph(self, graph: ExecutionGraph) -> bytes:
        """The graph as JSON."""
        return self.encode(graph)

    def encode_patch(self, patch: GraphPatch) -> bytes:
        """The patch as JSON, with the names that `encode_graph` gives."""
        return self.encode(patch)

    def _check_field(self, taken: Iterable[str]) -> None:
        if self._field != _TASK_ID and self._field in taken:
            raise _taken("field_aliases", self._field)

    # Any: JSON values, here and below. What is plain beside its Struct says which objects are the user's own.

    def _struct(self, struct: Struct, plain: dict[str, Any]) -> dict[str, Any]:
        ours = _PLAIN_BUT_OURS.get(type(struct), {})
        return {
            self.of_field(name): ours[name](value, self.of_field)
            if name in ours
            else self._value(getattr(struct, name), value)
            for name, value in plain.items()
        }

    def _value(self, value: object, plain: Any) -> Any:
        match value:
            case Struct():
                return self._struct(value, plain)
            case list() | tuple():
                return [self._value(one, shown) for one, shown in zip(value, plain, strict=True)]
            case _:
                return plain


_Names: TypeAlias = Callable[[str], str]


def _throughout(value: Any, names: _Names) -> Any:
    match value:
        case dict():
            return {names(name): _throughout(inner, names) for name, inner in value.items()}
        case list():
            return [_throughout(inner, names) for inner in value]
        case _:
            return value


def _records(records: list[dict[str, Any]], names: _Names) -> list[dict[str, Any]]:
    return [{names(name): value for name, value in record.items()} for record in records]


_PLAIN_BUT_OURS: Final[dict[type, dict[str, Callable[[Any, _Names], Any]]]] = {
    ExecutionGraph: {"annotations": _throughout},
    GraphPatch: {"annotations": _throughout},
    HistoryPage: {"events": _records},
}
"""Fields whose objects are of relayna's making, though no Struct says so."""


def _taken(setting: str, name: str) -> InvalidSetting:
    problem = f"{_TASK_ID!r} is called {name!r}, which means something else over HTTP"
    return InvalidSetting(setting, "argument", problem)


def _fields_of(struct: type) -> set[str]:
    """The names of its fields and of those of all Structs in it, but for the tasks' ids."""
    found: set[str] = set()
    for inner in _structs_in(msgspec.inspect.type_info(struct), set()):
        found.update(field.encode_name for field in inner.fields)
    return found - {_TASK_ID}


def _structs_in(info: Any, seen: set[type]) -> Iterator[msgspec.inspect.StructType]:
    # Any: one of many kinds of types, of which those that hold others name them alike.
    if isinstance(info, msgspec.inspect.StructType):
        if info.cls in seen:
            return
        seen.add(info.cls)
        yield info
        for field in info.fields:
            yield from _structs_in(field.type, seen)
    for name in ("item_type", "value_type", "key_type", "type"):
        inner = getattr(info, name, None)
        if inner is not None:
            yield from _structs_in(inner, seen)
    for inner in (*getattr(info, "types", ()), *getattr(info, "item_types", ())):
        yield from _structs_in(inner, seen)
