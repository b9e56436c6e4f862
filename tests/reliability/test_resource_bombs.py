"""T35: requests made to cost much are refused, their connections are let go, and the service lives on."""

from __future__ import annotations

import anyio
import httpx2
import pytest
from api.serving import record
from api.whole_service import guarded, whole_app
from msgspec import Struct, field
from reliability.raw_client import Ending, connected
from reliability.report import Findings, ReliabilityReport
from reliability.resource_bombs import BOMBS, KINDS, Bomb, bombs
from reliability.sizes import sized
from starlette.responses import Response

from relayna.api.endpoint import ApiRequest, Endpoint
from relayna.api.responses import JSON, make_response
from relayna.api.runtime import RelaynaRuntime
from relayna.api.strict_json import body_of
from relayna.cli.http_protocol import GuardedHttp
from relayna.streams import MemoryLog

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

FULL = 60
FREED_WITHIN_SECONDS = 15


class Hurried(GuardedHttp):
    """Waits no longer than a test that is not timed."""

    receive_seconds = 2.0
    stall_seconds = 2.0


class Probe(Struct, forbid_unknown_fields=True):
    """What the tests' own route takes."""

    reason: str
    count: int = 1
    weight: float = 1.0
    extra: dict[str, object] = field(default_factory=dict)


async def take(request: ApiRequest) -> Response:
    await body_of(request, Probe)
    return make_response(b"{}", media_type=JSON)


PROBE = Endpoint(
    path="/probe", name="probe", summary="Takes a body.", answer=take, method="POST", scope=None, takes=Probe
)


def test_there_are_sixty_of_twelve_kinds() -> None:
    assert len(BOMBS) == FULL == len({tuple(bomb.pieces) for bomb in BOMBS})
    assert {bomb.kind for bomb in bombs(1)} == {*KINDS}
    assert len(bombs(FULL)) == FULL


@sized(count=FULL)
async def test_each_is_refused_and_let_go(
    count: int, reliability: ReliabilityReport, caplog: pytest.LogCaptureFixture
) -> None:
    """T35, all at once."""
    log = MemoryLog()
    await record(log, "order-7", "processing", "completed")
    timed = count == FULL
    app = whole_app(RelaynaRuntime(log=log), allow_writes=True, more=[PROBE])
    endings: dict[int, Ending] = {}
    thrown = bombs(count)
    async with guarded(app, GuardedHttp if timed else Hurried) as url:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as throwing:
                for number, bomb in enumerate(thrown):
                    throwing.start_soon(throw, bomb, url, endings, number)
        async with httpx2.AsyncClient() as client:
            alive = (await client.get(f"{url}/livez")).status_code
            graph = (await client.get(f"{url}/executions/order-7/graph")).status_code
    wrong = [
        (number, thrown[number].kind, ending.statuses[:3])
        for number, ending in sorted(endings.items())
        if not is_as_it_may_be(thrown[number], ending)
    ]
    assert wrong == []
    assert (alive, graph) == (200, 200)
    assert [one.getMessage() for one in caplog.records if one.levelname in ("ERROR", "CRITICAL")] == []
    if timed:
        slowest = max(ending.seconds for ending in endings.values())
        print(f"the last of {count} connections was let go after {slowest:.1f} s")
        assert slowest < FREED_WITHIN_SECONDS
    reliability.add("T35 resource bombs", Findings(bad_inputs=len(thrown), unexpected=len(wrong)))


async def throw(bomb: Bomb, url: str, endings: dict[int, Ending], number: int) -> None:
    """Send it, and wait until the server lets go."""
    async with connected(url, listens=bomb.listens) as client:
        await client.send(bomb.pieces, pause_seconds=bomb.pause_seconds)
        if not bomb.listens:
            await client.listen()
        endings[number] = await client.ending()


def is_as_it_may_be(bomb: Bomb, ending: Ending) -> bool:
    """Whether it was answered, and only as it may be. One that does not listen may hear nothing."""
    answered = bool(ending.statuses) or not bomb.listens
    return answered and {*ending.statuses} <= bomb.statuses
