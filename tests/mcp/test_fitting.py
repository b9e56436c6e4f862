"""An answer within so many bytes: what is cut first, what is said of it, and when nothing helps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Struct

from relayna.api import RelaynaRuntime
from relayna.api.problems import RequestRefused
from relayna.api.services import TenantServices
from relayna.mcp.fitting import CUT, fitting_answer
from relayna.mcp.tools import Tool
from relayna.streams import MemoryLog

pytestmark = pytest.mark.anyio


class Asked(Struct, frozen=True):
    """The fake's argument."""

    limit: int = 1


class Told(Struct):
    """The fake's answer."""

    entries: list[Any] = []
    beside: list[Any] = []
    text: str = ""


def tool_that_tells(told: Told, *, bound: str | None = None) -> Tool:
    async def answer(services: TenantServices, asked: Asked) -> Told:
        entries = told.entries if bound is None else told.entries[: asked.limit]
        return msgspec.structs.replace(told, entries=entries)

    return Tool(
        name="fake", title="", about="", asks=Asked, tells=Told, answer=answer, bound=bound,
        bounded=() if bound is None else ("entries",), rest="Ask elsewhere.",
    )  # fmt: skip


async def answer_of(tool: Tool, asked: Asked | None = None) -> dict[str, Any]:
    services = RelaynaRuntime(log=MemoryLog()).services
    body = await fitting_answer(tool, services, asked or Asked(), most_bytes=8_000)
    assert len(msgspec.json.encode(body)) <= 8_000
    return body


async def test_what_fits_is_as_it_is() -> None:
    told = Told(entries=[1, 2], beside=["a"], text="b" * 5_000)
    assert await answer_of(tool_that_tells(told)) == msgspec.to_builtins(told)


async def test_long_texts_and_side_lists_are_cut_before_less_is_asked_for() -> None:
    told = Told(entries=[*range(40)], beside=["a"] * 5_000, text="b" * 50_000)
    body = await answer_of(tool_that_tells(told, bound="limit"), Asked(limit=40))
    assert body["entries"] == told.entries
    assert len(body["beside"]) == 100
    assert body["text"] == "b" * 2_000 + "…"
    assert body[CUT] == (
        "This answer was too large and is cut. Cut short: beside (100 of 5000), text (shortened). Ask elsewhere."
    )


async def test_less_is_asked_for_where_a_bound_helps() -> None:
    told = Told(entries=["c" * 100] * 300)
    body = await answer_of(tool_that_tells(told, bound="limit"), Asked(limit=300))
    count = len(body["entries"])
    assert 20 < count < 60
    assert f"It was made with limit={count}." in body[CUT]
    assert "Cut short" not in body[CUT]


async def test_then_more_is_cut() -> None:
    told = Told(beside=[{"deep": ["d" * 1_000] * 50}] * 50)
    body = await answer_of(tool_that_tells(told))
    assert 0 < len(body["beside"]) < 50
    assert "beside" in body[CUT]


async def test_when_nothing_helps_it_is_refused() -> None:
    told = Told(beside=[{f"key-{number}" * 100: 1 for number in range(64)}])
    with pytest.raises(RequestRefused) as refused:
        await answer_of(tool_that_tells(told))
    assert refused.value.code == "too_large"
    assert "Ask elsewhere." in str(refused.value)
