"""docs/mcp.md: its configuration starts a server, its app answers, and its table is the table of tools."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
from api.serving import serving
from cli.command_line import ROOT, environment
from mcp import Client, StdioServerParameters
from servers import StoreUnderTest

from relayna.mcp.tools import TOOLS, WRITING_TOOLS

pytestmark = pytest.mark.anyio

PAGE = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
URL = "redis://127.0.0.1:6379/0"


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_table_is_the_table_of_tools() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(tool.name for tool in TOOLS)


def test_the_tool_that_writes_is_told_beside_it() -> None:
    assert all(f"`{tool.name}`" in PAGE for tool in WRITING_TOOLS)


async def test_the_configuration_starts_a_server(any_store: StoreUnderTest) -> None:
    configured = json.loads(block("json").replace(URL, any_store.url))["mcpServers"]["relayna"]
    assert configured["command"] == "relayna"
    start = StdioServerParameters(
        command=sys.executable,
        args=["-m", "relayna.cli.main", *configured["args"], "--prefix", any_store.prefix],
        env=environment(**configured["env"]),
    )
    async with Client(start) as client:
        assert len((await client.list_tools()).tools) == len(TOOLS)


async def test_the_app_answers(any_store: StoreUnderTest) -> None:
    code = block("python").replace(f'"{URL}"', f'"{any_store.url}", prefix="{any_store.prefix}"')
    names: dict[str, Any] = {}
    exec(compile(code, "docs/mcp.md", "exec"), names)
    async with serving(names["app"]) as url, Client(f"{url}/mcp") as client:
        answer = await client.call_tool("status", {"task_id": "order-7"})
        assert answer.is_error
        assert "Nothing is recorded for task 'order-7'." in answer.content[0].text
