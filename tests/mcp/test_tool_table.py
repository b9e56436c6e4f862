"""The table of tools: what an entry has to say, and schemas that stand by themselves."""

from __future__ import annotations

import importlib
import pkgutil

import msgspec
import pytest
from jsonschema import Draft202012Validator

from relayna.mcp import tools
from relayna.mcp.schemas import asks_schema, tells_schema
from relayna.mcp.tools import TOOLS, WRITING_TOOLS, Tool
from relayna.mcp.tools.of_runs import LINEAGE_TOOLS

EVERY = (*TOOLS, *WRITING_TOOLS)
EACH = pytest.mark.parametrize("tool", EVERY, ids=lambda tool: tool.name)


def test_names_are_unique() -> None:
    names = [tool.name for tool in EVERY]
    assert len(set(names)) == len(names)


@EACH
def test_schemas_are_schemas_of_objects(tool: Tool) -> None:
    for schema in (asks_schema(tool), tells_schema(tool)):
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"


@EACH
def test_unknown_arguments_are_forbidden(tool: Tool) -> None:
    assert asks_schema(tool)["additionalProperties"] is False


@EACH
def test_a_bound_is_an_argument_and_bounds_lists_of_the_answer(tool: Tool) -> None:
    assert (tool.bound is None) == (tool.bounded == ())
    if tool.bound is not None:
        assert tool.bound in tool.asks.__struct_fields__
    told = {field.name: field for field in msgspec.structs.fields(tool.tells)}
    assert set(tool.bounded) <= set(told)


@EACH
def test_a_cut_is_part_of_no_answer_by_itself(tool: Tool) -> None:
    assert "cut" not in tool.tells.__struct_fields__
    assert "cut" in tells_schema(tool)["properties"]


def test_every_tool_of_the_package_is_in_the_table() -> None:
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.iter_modules(tools.__path__, f"{tools.__name__}.")
    ]
    made = {value.name for module in modules for value in vars(module).values() if isinstance(value, Tool)}
    made |= {tool.name for tool in LINEAGE_TOOLS}
    assert made == {tool.name for tool in EVERY}


def test_what_changes_something_stands_by_itself() -> None:
    assert [tool.changes for tool in EVERY] == [False] * len(TOOLS) + [True] * len(WRITING_TOOLS)
