"""Replays from a stage: a new session with fresh ids from stored inputs, and an original that stays as it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from consumer.bench import QUICK, SHARED, Bench
from consumer.test_workflow_consumer import WORKFLOW
from msgspec.structs import replace

from relayna.consumer import (
    MalformedMessage,
    RelaynaClient,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
    WorkflowConsumer,
    WorkflowContext,
    WorkflowEnvelope,
)
from relayna.errors import BrokerError, ExecutionNotFound, InvalidQuery, InvalidSetting, Unroutable
from relayna.events import OperatorActed, RunEdgeRecorded
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.lineage_service import LineageService
from relayna.observability.message_reading import KnownMessages, MessageReader
from relayna.observability.message_service import MessageLineageService
from relayna.observability.message_told import MessagesWanted, MessageTold
from relayna.observability.session_replay import SessionReplay
from relayna.observability.session_replay_errors import (
    InputsLost,
    InputsMissing,
    ReplayCutShort,
    SessionNotWhole,
)
from relayna.projections.graph import encode_graph
from relayna.storage import LocalDirectoryStorage
from relayna.topologies import ContractAliasConfig, Declarations, Queue

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def emitting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")


class Workshop:
    """A workflow that cuts once, glues twice, and ships each; shipping fails until it is mended."""

    def __init__(self, bench: Bench, directory: Path) -> None:
        self.bench = bench
        self.storage = LocalDirectoryStorage(directory)
        self.shipped: list[WorkflowEnvelope] = []
        self.mended = False
        bench.client.storage = self.storage

    async def cut(self, message: WorkflowEnvelope, context: WorkflowContext) -> None:
        for part in message.payload["parts"]:
            await context.publish_to_stage("glue", {"part": part}, group_key=str(part))

    async def glue(self, message: WorkflowEnvelope, context: WorkflowContext) -> None:
        await context.publish_to_stage("ship", message.payload)

    async def ship(self, message: WorkflowEnvelope, context: WorkflowContext) -> None:
        if not self.mended:
            raise KeyError("address")
        self.shipped.append(message)

    async def work(self, publish: Callable[[], Any]) -> None:
        consumers = [
            WorkflowConsumer(
                rabbitmq=self.bench.client,
                stage=name,
                handler=handler,
                consumer_name=name,
                retry_policy=QUICK,
            )
            for name, handler in (("cut", self.cut), ("glue", self.glue), ("ship", self.ship))
        ]
        await self.bench.work_off(*consumers, publish=publish, retries=2)
        await self.bench.recorder.durable()

    async def order(self) -> None:
        await self.work(
            lambda: self.bench.client.publish_to_stage(
                "cut", "order", {"parts": [1, 2]}, correlation_id="c-7"
            )
        )

    def replay(self, **options: Any) -> SessionReplay:
        options.setdefault("reader", MessageReader(log=self.bench.log))
        return SessionReplay(
            storage=self.storage, broker=self.bench.broker, sink=self.bench.recorder,
            clock=self.bench.workers_clock, mint=self.bench.mint, **options,
        )  # fmt: skip

    async def messages(self, session: str) -> list[MessageTold]:
        service = MessageLineageService(log=self.bench.log)
        return (await service.messages(MessagesWanted(session=session, newest_first=False))).messages

    async def graph(self, task_id: str) -> bytes:
        return encode_graph(await ExecutionGraphService(log=self.bench.log).get_graph(task_id))


async def test_a_replay_is_a_new_session_and_changes_nothing_of_the_old(tmp_path: Path) -> None:
    async with Bench(WORKFLOW) as bench:
        shop = Workshop(bench, tmp_path)
        await shop.order()
        before, old = await shop.graph("order"), await shop.messages("order")
        told = await bench.events("order")
        shop.mended = True
        replays = []

        async def replay() -> None:
            replays.append(await shop.replay().replay("order", "ship", replayed_by="ada", reason="mended"))

        await shop.work(replay)
        [replayed] = replays
        new = await shop.messages(replayed.new_session_id or "")
        assert (await shop.graph("order"), await bench.events("order")) == (before, told)
        action = [
            event.body
            for event in await bench.events(replayed.new_session_id or "")
            if isinstance(event.body, OperatorActed)
        ]
        why = await LineageService(log=bench.log).why(replayed.new_session_id or "")
    assert [(one.route, one.status) for one in new] == [("ship", "completed")] * 2
    assert {one.input_hash for one in new} == {one.input_hash for one in old if one.route == "ship"}
    fresh = {one.id for one in new} | {one.task_id for one in new}
    assert not fresh & ({one.id for one in old} | {one.task_id for one in old})
    assert len({one.task_id for one in new}) == 1  # of one run, as the originals
    assert {one.batch_id for one in new} == {replayed.batch_id}
    assert all(one.parent_id is None for one in new)
    assert sorted(message.payload["part"] for message in shop.shipped) == [1, 2]
    assert {(message.task_id, message.session_id) for message in shop.shipped} == {
        (new[0].task_id, replayed.new_session_id)
    }
    assert {message.correlation_id for message in shop.shipped} == {"c-7"}
    assert next((hop.edge.kind, hop.edge.source_run) for hop in why.births) == ("replayed_from", "order")
    [asked] = action
    assert (asked.action, asked.target_id, asked.actor, asked.outcome, asked.reason) == (
        "replay_from_stage", "order", "ada", "done", "mended",
    )  # fmt: skip


async def test_a_replay_from_the_first_stage_brings_forth_all_that_follows(tmp_path: Path) -> None:
    async with Bench(WORKFLOW) as bench:
        shop = Workshop(bench, tmp_path)
        await shop.order()
        shop.mended = True
        replays = []

        async def replay() -> None:
            replays.append(await shop.replay().replay("order", "cut"))

        await shop.work(replay)
        new = await shop.messages(replays[0].new_session_id or "")
        batch = await MessageLineageService(log=bench.log).batch(
            replays[0].batch_id or "", replays[0].new_session_id
        )
    assert sorted(one.route or "" for one in new) == ["cut", "glue", "glue", "ship", "ship"]
    assert new[0].subtree_done
    assert [one.id for one in batch.messages] == [replays[0].messages[0].message_id]


async def test_runs_of_a_session_become_as_many_new_runs_and_are_found_from_each(tmp_path: Path) -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "order":
            for number in range(3):
                await context.spawn({"page": number}, task_id=f"page-{number}", task_type="page")

    async with Bench() as bench:
        storage = bench.client.storage = LocalDirectoryStorage(tmp_path)
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        await bench.recorder.durable()
        reader = MessageReader(log=bench.log)
        service = SessionReplay(reader=reader, storage=storage, broker=bench.broker, sink=bench.recorder)
        await bench.broker.declare(Declarations(queues=(Queue(name="elsewhere"),)))
        plan = await service.plan("order", "work")
        assert sorted(plan.fixed_ids) == ["page-0", "page-1", "page-2"]
        [only] = plan.messages
        assert only.source_task_id == "order"  # the pages come of it anew
        # As if they had been handled elsewhere than their parent.
        known = await reader.of_session("order")
        known = replace(known, rows=[row for row in known.rows if row.task_id != "order"])
        reader.of_session = lambda session_id: completed(known)  # type: ignore[method-assign, assignment]
        replayed = await service.replay("order", "work")
        await bench.recorder.durable()
        edges = [
            event.body
            for event in await bench.events(replayed.new_session_id or "")
            if isinstance(event.body, RunEdgeRecorded)
        ]
        found = await MessageReader(log=bench.log).of_session(replayed.new_session_id or "")
        messages = await bench.messages("work")
    runs = [one.task_id for one in replayed.messages]
    assert len(set(runs)) == len(edges) == 3
    assert {edge.target_run for edge in edges} == set(runs)
    assert {edge.source_run for edge in edges} == {"page-0", "page-1", "page-2"}
    assert {row.task_id for row in found.rows} == set(runs)
    assert {message.headers["x-relayna-batch-id"] for message in messages} == {replayed.batch_id}


async def completed(value: Any) -> Any:
    return value


async def test_a_plan_publishes_nothing_and_says_what_would_be_sent(tmp_path: Path) -> None:
    async with Bench(WORKFLOW) as bench:
        shop = Workshop(bench, tmp_path)
        await shop.order()
        plan = await shop.replay().plan("order", "ship")
        assert bench.broker.depth("q.ship") == 0
    assert (len(plan.messages), plan.new_session_id, plan.batch_id) == (2, None, None)
    assert {one.queue_name for one in plan.messages} == {"q.ship"}


async def test_what_is_unknown_or_missing_publishes_nothing(tmp_path: Path) -> None:
    async with Bench(WORKFLOW) as bench:
        shop = Workshop(bench, tmp_path)
        await shop.order()
        replay = shop.replay().replay
        with pytest.raises(ExecutionNotFound):
            await replay("nobody", "ship")
        with pytest.raises(InvalidQuery, match="there are: cut, glue, ship"):
            await replay("order", "paint")
        lost = (await shop.replay().plan("order", "ship")).messages[0]
        digest = lost.storage_key.partition("/")[2]
        os.unlink(tmp_path / "default" / digest[:2] / digest[2:])
        with pytest.raises(InputsLost, match="nothing was published") as raised:
            await replay("order", "ship")
        assert raised.value.message_ids == (lost.source_message_id,)
        assert (raised.value.keys, raised.value.place) == ((lost.storage_key,), str(tmp_path))
        assert [bench.broker.depth(f"q.{stage}") for stage in ("cut", "glue", "ship")] == [0, 0, 0]


async def test_a_session_that_is_not_whole_is_planned_and_not_replayed(tmp_path: Path) -> None:
    class Cut(MessageReader):
        async def of_session(self, session_id: str) -> KnownMessages:
            return replace(await super().of_session(session_id), missing=["expired"])

    async with Bench(WORKFLOW) as bench:
        shop = Workshop(bench, tmp_path)
        await shop.order()
        replay = shop.replay(reader=Cut(log=bench.log))
        assert (await replay.plan("order", "ship")).missing == ["expired"]
        with pytest.raises(SessionNotWhole, match="nothing was published"):
            await replay.replay("order", "ship")
        assert bench.broker.depth("q.ship") == 0


async def test_inputs_that_were_never_stored_are_told(tmp_path: Path) -> None:
    async with Bench(WORKFLOW) as bench:
        shop = Workshop(bench, tmp_path)
        bench.client.storage = None
        await shop.order()
        with pytest.raises(InputsMissing, match="2 messages of 'ship'"):
            await shop.replay().replay("order", "ship")


async def test_a_stored_body_that_is_no_message_publishes_nothing(tmp_path: Path) -> None:
    class Odd(LocalDirectoryStorage):
        async def get(self, key: str) -> bytes:
            return b"[]"

    async with Bench(WORKFLOW) as bench:
        shop = Workshop(bench, tmp_path)
        await shop.order()
        shop.storage = Odd(tmp_path)
        with pytest.raises(MalformedMessage):
            await shop.replay().replay("order", "ship")
        assert bench.broker.depth("q.ship") == 0


async def test_a_broker_that_takes_nothing_or_not_all_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Bench(WORKFLOW) as bench:
        shop = Workshop(bench, tmp_path)
        await shop.order()
        publish, taken = bench.broker.publish, 0

        async def some(*arguments: Any, **options: Any) -> None:
            nonlocal taken
            if taken == allowed:
                raise Unroutable("", "q.ship")
            taken += 1
            await publish(*arguments, **options)

        monkeypatch.setattr(bench.broker, "publish", some)
        allowed = 0
        with pytest.raises(Unroutable):
            await shop.replay().replay("order", "ship")
        allowed = 1
        with pytest.raises(ReplayCutShort, match="Only 1 of 2") as raised:
            await shop.replay().replay("order", "ship")
    assert isinstance(raised.value, BrokerError)
    assert (raised.value.published, raised.value.wanted) == (1, 2)


async def test_without_a_broker_there_are_plans_alone(tmp_path: Path) -> None:
    async with Bench(WORKFLOW) as bench:
        service = SessionReplay(reader=MessageReader(log=bench.log), storage=LocalDirectoryStorage(tmp_path))
        with pytest.raises(InvalidSetting, match="needs a broker"):
            await service.replay("order", "ship")


async def test_a_body_under_other_names_is_replayed_whole_or_not_at_all(tmp_path: Path) -> None:
    aliases = ContractAliasConfig(field_aliases={"payload": "data"})
    async with Bench() as bench:
        storage = LocalDirectoryStorage(tmp_path)
        client = RelaynaClient(
            topology=SHARED, broker=bench.broker, observation_sink=bench.recorder, clock=bench.workers_clock,
            mint=bench.mint, aliases=aliases, storage=storage,
        )  # fmt: skip
        async with client, bench.working(TaskConsumer(rabbitmq=client, handler=nothing)):
            await client.publish_task("order", {"part": 1})
            await bench.settled()
        await bench.recorder.durable()

        def replay(**options: Any) -> SessionReplay:
            reader = MessageReader(log=bench.log)
            return SessionReplay(
                reader=reader, storage=storage, broker=bench.broker, sink=bench.recorder, **options
            )

        with pytest.raises(MalformedMessage, match="aliases"):
            await replay().replay("order", "work")
        assert bench.broker.depth("work") == 0
        await replay(aliases=aliases).replay("order", "work")
        [message] = await bench.messages("work")
    assert json.loads(message.body)["data"] == {"part": 1}


async def nothing(task: TaskEnvelope, context: TaskContext) -> None:
    pass
