"""T28: executions that are large in every way. The first page is bounded in time and memory, and says what it lacks."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest
from reliability.big_shapes import big_shapes, store
from reliability.report import Findings, ReliabilityReport
from reliability.served import served
from reliability.sizes import sized
from servers import StoreUnderTest

from relayna.streams.redis import RedisLog

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

FULL = 100_000
FIRST_PAGE_NODES = 5_000
MOST_SECONDS = 2.0
MOST_GROWTH_MB = 300.0
QUESTIONS = (
    "",
    "?depth=50",
    "?view=failures",
    "?view=critical&collapse=children,attempts",
    "?format=mermaid",
)


@sized(size=FULL)
async def test_the_first_page_is_bounded(
    size: int, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """A long task, many children, a deep chain, a circle and a wide workflow, by a server over TCP."""
    shapes = big_shapes(size)
    async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
        frames = sum([await store(log, shape) for shape in shapes.values()])
    unexpected = silent = 0
    async with served(any_store) as server, httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
        assert (await client.get("/livez")).status_code == 200
        at_rest = server.resident_mb()
        for name in shapes:
            slowest = 0.0
            for question in QUESTIONS:
                began = time.perf_counter()
                answer = await client.get(f"/executions/{name}/graph{question}")
                slowest = max(slowest, time.perf_counter() - began)
                unexpected += answer.status_code != 200
                if "mermaid" not in question:
                    graph = answer.json()
                    unexpected += len(graph["nodes"]) > FIRST_PAGE_NODES
                    silent += is_silent(graph, name, all_fits=size < FULL and bool(question))
                again = await client.get(
                    f"/executions/{name}/graph{question}", headers={"if-none-match": answer.headers["etag"]}
                )
                unexpected += again.status_code != 304
            reliability.measured(f"T28 {name}", slowest_first_page_seconds=slowest)
            assert size < FULL or slowest < MOST_SECONDS
        grown = server.most_resident_mb() - at_rest
        reliability.measured("T28 memory", grown_by_MB=grown)
        assert grown < MOST_GROWTH_MB
    reliability.add(
        "T28 large executions",
        Findings(tasks=len(shapes), events=frames, unexpected=unexpected, silent_partials=silent),
    )


def is_silent(graph: dict[str, Any], name: str, *, all_fits: bool) -> bool:
    """Whether something was left out and nobody says so. A view of a smaller history may have all that it shows."""
    completeness = graph["annotations"].get("completeness", [])
    truncated = graph["annotations"].get("truncated", {})
    if not truncated and name != "circle":
        return not all_fits
    hints = all("hint" in left_out for left_out in truncated.values())
    return not hints or ("cycle" if name == "circle" else "limit_reached") not in completeness
