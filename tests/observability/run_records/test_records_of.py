"""Records out of streams: when there is one, from when on, for how long, and that they outlive what they came from."""

from __future__ import annotations

from typing import Any

import pytest
from observability.read_models.indexed_world import DEFAULT, World, memory_world, store_events

from relayna.clock import FrozenClock
from relayna.events import Envelope, RecordedEvent, StatusPublished
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.observability.read_models import run_records_beside
from relayna.observability.run_records.encoding import KeptRun, decode_run
from relayna.observability.run_records.retention import RunRetention
from relayna.projections.execution import GraphQuery
from relayna.projections.execution_state import apply, initial
from relayna.projections.lineage.run_lineage import RUN_LINEAGE, own_lineage
from relayna.projections.task_summary import account_and_run
from relayna.streams import TaskAddress
from relayna.streams.run_records import RunRecords
from relayna.testing import history
from relayna.testing.scribe import START

pytestmark = pytest.mark.anyio

DAY = 86_400_000_000


def records_of(world: World) -> RunRecords:
    records = run_records_beside(world.log, world.models)
    assert records is not None
    return records


async def kept(world: World, task_id: str) -> KeptRun | None:
    stored = await records_of(world).of_run(TaskAddress(TaskId(task_id)))
    return None if stored is None else decode_run(stored)


async def indexed(world: World, *events: RecordedEvent, **options: Any) -> None:
    await store_events(world.log, events)
    await world.indexer(**options).catch_up()


async def test_a_task_that_was_handled_has_a_record() -> None:
    world = memory_world()
    await indexed(world, *history("order").published().attempt().acked().events)
    stored = await records_of(world).of_run(TaskAddress(TaskId("order")))
    found = await kept(world, "order")

    assert stored is not None
    assert found is not None
    assert (stored.session_id, stored.began) == ("order", START)
    assert stored.expires_at == START + 91 * DAY
    assert [(edge.kind, edge.source) for edge in found.edges] == [("user_start", None)]
    assert (found.run.status, found.run.agent) == ("completed", "work")


async def test_a_status_alone_is_no_run() -> None:
    world = memory_world()
    envelope = Envelope(event_id=EventId("s"), timestamp=START, task_id=TaskId("T"))
    await indexed(world, RecordedEvent(envelope=envelope, body=StatusPublished(status="queued")))

    assert await world.summary("T") is not None
    assert await kept(world, "T") is None


async def test_a_record_outlives_its_stream_and_is_kept_for_as_long_as_its_tenant_wants() -> None:
    world = memory_world(shard_count=1)
    retention = RunRetention(days=3, by_tenant={"acme": 400, "default": 120})
    await indexed(world, *history("order").published().attempt().acked().events, run_retention=retention)
    before = await kept(world, "order")
    assert isinstance(world.clock, FrozenClock)
    world.clock.advance(100 * 86_400)
    indexer = world.indexer(run_retention=retention)
    await indexer.catch_up()
    await indexer.turn()  # sweeps

    assert await world.summary("order") is None
    assert before is not None
    assert await kept(world, "order") == before
    assert [run.address.task_id for run in await records_of(world).of_session(DEFAULT, "order")] == ["order"]


async def test_no_record_is_kept_shorter_than_its_stream() -> None:
    retention = RunRetention(days=1)
    expires_at = retention.expires_at(
        DEFAULT, began=START, last=START, stream_ends=Instant(START + 9 * DAY + 1)
    )

    assert expires_at == START + 10 * DAY


async def test_a_stream_by_itself_says_what_the_projection_says() -> None:
    events = history("order").published().attempt().fails("OSError").retried().attempt().acked().events
    state = initial(TaskId("order"))
    for event in events:
        apply(state, event)
    query = GraphQuery()

    assert own_lineage(account_and_run(state, query)[1], state, query) == RUN_LINEAGE.finish(state, query)
