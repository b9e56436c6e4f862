"""What docs/lists.md shows works, and its lists of filters are complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from relayna.observability import StatusStore
from relayna.observability.read_models.terms import FAILURE_FILTERS, LETTER_FILTERS, TASK_FILTERS
from relayna.streams import MemoryLog

PAGE = (Path(__file__).parents[2] / "docs" / "lists.md").read_text(encoding="utf-8")


@pytest.mark.anyio
async def test_the_program_lists_what_failed() -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    namespace: dict[str, Any] = {}
    exec(compile(program, "lists.md", "exec"), namespace)
    log = MemoryLog()
    for task_id, status in (("a", "completed"), ("b", "failed")):
        await StatusStore(log).add_status(task_id, status)
    assert await namespace["failed_tasks"](log) == ["b"]


def test_every_filter_is_named() -> None:
    asking = PAGE.partition("## Asking")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", asking))
    assert {*TASK_FILTERS, *FAILURE_FILTERS, *LETTER_FILTERS} <= named
