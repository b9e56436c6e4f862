"""The tools there are, each a value in `TOOLS`, or in `WRITING_TOOLS` when it changes something: adding one is an entry there, and its arguments and answer in a file."""

from __future__ import annotations

from typing import Final

from relayna.mcp.tools.of_a_task import GRAPH, STATUS, TASK_WHY, TIMELINE
from relayna.mcp.tools.of_all_tasks import DEAD_LETTERS, FAILURES, SEARCH
from relayna.mcp.tools.of_dead_letters import REPLAY_DEAD_LETTER
from relayna.mcp.tools.of_runs import LINEAGE_TOOLS
from relayna.mcp.tools.tool import Tool

__all__ = ["TOOLS", "WRITING_TOOLS", "Tool"]

TOOLS: Final = (
    TASK_WHY, STATUS, TIMELINE, GRAPH, SEARCH, FAILURES, DEAD_LETTERS, *LINEAGE_TOOLS,
)  # fmt: skip
"""In the order in which a model reads them: what is most often the first question first."""

WRITING_TOOLS: Final = (REPLAY_DEAD_LETTER,)
"""Only for a server that was started with writes allowed."""
