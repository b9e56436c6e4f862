"""JSON Schemas of what tools ask and tell, made from their Structs. Owns that each is one object, by itself whole."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from relayna.mcp.fitting import CUT
from relayna.mcp.tools import Tool

__all__ = ["asks_schema", "tells_schema"]


def asks_schema(tool: Tool) -> dict[str, Any]:  # Any: JSON Schema, here and below
    """Of the arguments."""
    return _schema(tool.asks)


def tells_schema(tool: Tool) -> dict[str, Any]:
    """Of the answer, with what it may say beside its own fields."""
    schema = _schema(tool.tells)
    about = "Only when the answer was cut: what is missing, and how to ask for the rest."
    properties = {**schema["properties"], CUT: {"type": "string", "description": about}}
    return {**schema, "properties": properties}


def _schema(struct: type[Struct]) -> dict[str, Any]:
    (reference,), parts = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    root = parts.pop(reference["$ref"].rpartition("/")[2])
    return {**root, "$defs": parts} if parts else root
