"""Tools about runs and how they led to one another: one for each question that is registered for models.

Owns how a question becomes a tool. The answers are those of the HTTP routes; over HTTP the tools are there while those
routes answer.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from relayna.api.services import TenantServices
from relayna.mcp.tools.tool import Tool
from relayna.observability.lineage_queries import LINEAGE_QUERIES, ForModels, LineageQuery
from relayna.settings import lineage_reads

__all__ = ["LINEAGE_TOOLS", "tool_of"]


def tool_of(query: LineageQuery, words: ForModels) -> Tool:
    """The tool that asks this."""

    async def answer(services: TenantServices, asked: Any) -> Struct:  # Any: the Struct that the query asks
        return await query.ask(services.lineage, asked)

    return Tool(
        name=words.tool,
        title=words.title,
        about=words.about,
        asks=words.asks or query.asks,
        tells=query.tells,
        answer=answer,
        is_on=lineage_reads,
        rest=words.rest,
    )


LINEAGE_TOOLS: Final = tuple(tool_of(query, query.models) for query in LINEAGE_QUERIES if query.models)
