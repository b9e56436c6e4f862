"""Tasks under the name that a user's contracts give their ids: in paths, query strings and the JSON of graphs.

Owns that renaming for HTTP. Message bodies are renamed where consumers read and write them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from relayna.errors import InvalidSetting
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode, encode_graph
from relayna.topologies import ContractAliasConfig

__all__ = ["HttpNames"]

_TASK_ID: Final = "task_id"
_OTHER_PARAMETERS: Final = {"at", "depth", "max_nodes", "format"}
# Beside the fields of graphs and nodes, those of what graphs list as missing and as warnings.
_LISTED: Final = (
    "attempt", "before", "cause", "code", "count", "detail", "event_id", "ranges", "reason", "type",
)  # fmt: skip
_OTHER_FIELDS: Final = {
    *ExecutionGraph.__struct_fields__,
    *ExecutionGraphNode.__struct_fields__,
    *_LISTED,
} - {_TASK_ID}


class HttpNames:
    """What a task's id is called. Raises `InvalidSetting` for a name that HTTP uses for something else."""

    def __init__(self, aliases: ContractAliasConfig | None) -> None:
        config = aliases or ContractAliasConfig()
        self.parameter: str = config.http_aliases.get(_TASK_ID, _TASK_ID)
        """In paths and query strings."""
        self._field = config.field_aliases.get(_TASK_ID, _TASK_ID)
        for setting, name, taken in (
            ("http_aliases", self.parameter, _OTHER_PARAMETERS),
            ("field_aliases", self._field, _OTHER_FIELDS),
        ):
            if name in taken:
                problem = f"{_TASK_ID!r} is called {name!r}, which means something else in graphs over HTTP"
                raise InvalidSetting(setting, "argument", problem)

    def encode_graph(self, graph: ExecutionGraph) -> bytes:
        """The graph as JSON; users' own values in it are left alone."""
        if self._field == _TASK_ID:
            return encode_graph(graph)
        plain = msgspec.to_builtins(graph)
        plain["nodes"] = [self._renamed(node) for node in plain["nodes"]]
        plain["annotations"] = {name: self._throughout(value) for name, value in plain["annotations"].items()}
        return msgspec.json.encode(self._renamed(plain))

    def _throughout(self, value: Any) -> Any:  # Any: JSON values, all of relayna's making
        match value:
            case dict():
                return self._renamed({name: self._throughout(inner) for name, inner in value.items()})
            case list():
                return [self._throughout(inner) for inner in value]
            case _:
                return value

    def _renamed(self, fields: dict[str, Any]) -> dict[str, Any]:  # Any: JSON values
        return {self._field if name == _TASK_ID else name: value for name, value in fields.items()}
