"""Spans, marks and outputs of handlers: how they nest, from which threads, what is told, and when."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.to_thread
import pytest
from consumer.bench import QUICK, SHARED, Bench

from relayna.consumer import RelaynaClient, TaskConsumer, TaskContext, TaskEnvelope
from relayna.consumer.attempts.attempt_trace import OpenSpan
from relayna.errors import InvalidQuery
from relayna.events import OutputRecorded, SpanEnded, closes_attempt
from relayna.projections.trace.names import QUEUING

pytestmark = pytest.mark.anyio

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def told_by(
    handler: Callable[[TaskContext], object], *, retries: int = 0, meta: dict[str, object] | None = None
) -> list[SpanEnded | OutputRecorded]:
    """What a handler's spans and outputs are in the task's stream, in order."""

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        task.meta.update(meta or {})
        made = handler(context)
        if hasattr(made, "__await__"):
            await made

    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, retry_policy=QUICK)

        async def publish() -> None:
            await bench.client.publish_task("photo", headers={"traceparent": TRACEPARENT})

        await bench.work_off(consumer, publish=publish, retries=retries)
        events = await bench.events("photo")
    ids = [event.envelope.event_id for event in events]
    assert len(set(ids)) == len(ids)
    return [event.body for event in events if isinstance(event.body, SpanEnded | OutputRecorded)]


def by_name(told: list[SpanEnded | OutputRecorded]) -> dict[str, SpanEnded]:
    return {span.name: span for span in told if isinstance(span, SpanEnded)}


async def test_spans_nest_and_the_attempt_is_around_them() -> None:
    def handler(context: TaskContext) -> None:
        with context.span("resize"):
            with context.span("read", "network", payload_bytes=12):
                pass
            with context.span("scale", batch_id=""):
                pass
        context.mark("done")

    told = by_name(await told_by(handler))
    assert list(told) == ["read", "scale", "resize", "done", "task"]
    task = told["task"]
    assert (task.parent_span_id, task.type, task.batch_id) == (None, "compute", None)
    assert told["resize"].parent_span_id == told["done"].parent_span_id == task.span_id
    assert told["read"].parent_span_id == told["scale"].parent_span_id == told["resize"].span_id
    assert (told["read"].type, told["read"].payload_bytes, told["read"].batch_id) == ("network", 12, "photo")
    assert (told["scale"].batch_id, told["done"].type) == (None, "marker")
    assert {span.data_id for span in told.values()} == {"photo"}
    assert {span.linked_to for span in told.values()} == {TRACEPARENT}
    assert task.started_at <= told["resize"].started_at <= told["read"].started_at
    assert told["resize"].ended_at <= told["done"].ended_at <= task.ended_at


async def test_the_attempts_span_is_told_before_what_closes_it() -> None:
    async with Bench() as bench:

        async def handle(task: TaskEnvelope, context: TaskContext) -> None:
            context.mark("here")

        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("photo"))
        events = await bench.events("photo")
        graph = await bench.graph("photo")
    names = [getattr(event.body, "name", "closed" if closes_attempt(event.body) else "") for event in events]
    assert names.index("here") < names.index("task") < names.index("closed")
    assert graph.summary.graph_completeness == "full"


async def test_a_handler_that_says_nothing_records_nothing() -> None:
    assert await told_by(lambda context: None) == []


async def test_tasks_and_threads_of_the_handler_nest_and_a_pool_of_its_own_is_in_the_attempt() -> None:
    async def handler(context: TaskContext) -> None:
        def work(number: int) -> OpenSpan:
            with context.span(f"work {number}") as span:
                return span

        with context.span("outer"):
            await anyio.to_thread.run_sync(work, 0)
            async with anyio.create_task_group() as tasks:
                for number in (1, 2):
                    tasks.start_soon(anyio.to_thread.run_sync, work, number)
        with ThreadPoolExecutor(8) as pool:
            spans = list(pool.map(work, range(3, 103)))
        assert len({span.span_id for span in spans}) == 100

    told = by_name(await told_by(handler))
    parents = {number: told[f"work {number}"].parent_span_id for number in range(103)}
    assert {parents[number] for number in range(3)} == {told["outer"].span_id}
    assert {parents[number] for number in range(3, 103)} == {told["task"].span_id}


async def test_a_span_that_raises_ends_and_each_attempt_has_its_own() -> None:
    def handler(context: TaskContext) -> None:
        with context.span("resize"):
            if context.retry_attempt == 0:
                raise OSError("disk")

    spans = [span for span in await told_by(handler, retries=1) if isinstance(span, SpanEnded)]
    assert [span.name for span in spans] == ["resize", "task", "resize", "task"]
    assert spans[0].parent_span_id == spans[1].span_id != spans[3].span_id == spans[2].parent_span_id


@pytest.mark.parametrize("inside", [True, False])
async def test_what_an_output_weighs_is_told_on_its_dump(inside: bool) -> None:
    def handler(context: TaskContext) -> None:
        with context.span("dump to storage", "network"):
            if inside:
                context.record_output(sources=["b", "a", "b"], payload_bytes=77)
        if not inside:
            context.record_output(sources=["b", "a", "b"], payload_bytes=77)

    told = await told_by(handler, meta={"user_id": "ada"})
    [output] = [one for one in told if isinstance(one, OutputRecorded)]
    assert (output.data_id, output.sources, output.payload_bytes) == ("photo", ("b", "a"), 77)
    assert (output.version, output.user_id, output.asset_guid) == (1, "ada", None)
    assert by_name(told)["dump to storage"].payload_bytes == 77


async def test_every_dump_is_told_once() -> None:
    def handler(context: TaskContext) -> None:
        for size in (1, 2, 3):
            with context.span("dump to storage", "network", payload_bytes=size):
                pass

    spans = [span for span in await told_by(handler) if isinstance(span, SpanEnded)]
    assert [(span.name, span.payload_bytes) for span in spans] == [
        *(("dump to storage", size) for size in (1, 2, 3)),
        ("task", None),
    ]


async def test_merged_children_are_marked_with_the_batch_that_they_are_handled_in() -> None:
    def handler(context: TaskContext) -> None:
        batch = context.merged(["one", "two", "one"])
        with context.span("gen"):
            context.record_output("one", user_id="eve", asset_guid="film", version=2)
        assert batch == "photo"

    told = await told_by(handler)
    marks = [
        (one.data_id, one.batch_id) for one in told if isinstance(one, SpanEnded) and one.name == QUEUING
    ]
    assert marks == [("one", "photo"), ("two", "photo")]
    assert by_name(told)["gen"].batch_id == "photo"


async def test_what_makes_no_sense_is_refused() -> None:
    refused: list[str] = []

    def handler(context: TaskContext) -> None:
        with pytest.raises(InvalidQuery) as error:
            context.span("x", "marker")  # type: ignore[arg-type]
        refused.append(error.value.parameter)
        with pytest.raises(InvalidQuery) as error:
            context.record_output(version=0)
        refused.append(error.value.parameter)
        with pytest.raises(InvalidQuery) as error:
            context.record_output(sources="abc")
        refused.append(error.value.parameter)
        with pytest.raises(InvalidQuery) as error:
            context.merged("abc")
        refused.append(error.value.parameter)

    assert await told_by(handler) == []
    assert refused == ["type", "version", "sources", "children"]


async def test_without_a_sink_nothing_is_told_and_nothing_breaks() -> None:
    seen: list[str] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        with context.span("resize"):
            context.record_output()
        seen.append(task.task_id)

    async with Bench() as bench:
        silent = RelaynaClient(topology=SHARED, broker=bench.broker)
        async with silent:
            consumer = TaskConsumer(rabbitmq=silent, handler=handle)
            await bench.work_off(consumer, publish=lambda: silent.publish_task("photo"))
    assert seen == ["photo"]


class Interrupted(dict[str, SpanEnded]):
    """Dumps that are held back, and what another thread does while one of them is put there."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def __setitem__(self, data_id: str, dump: SpanEnded) -> None:
        self._meanwhile()
        super().__setitem__(data_id, dump)


async def test_a_dump_that_ends_in_a_thread_while_the_attempt_ends_is_told_once() -> None:
    def handler(context: TaskContext) -> None:
        trace = context._traced()
        trace._dumps = Interrupted(trace.finish)
        with context.span("dump to storage", "network"):
            pass

    assert [span.name for span in (await told_by(handler)) if isinstance(span, SpanEnded)] == [
        "task",
        "dump to storage",
    ]
