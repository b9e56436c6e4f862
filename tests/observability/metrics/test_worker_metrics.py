"""A worker's metrics, from one argument: what its consumers, its sink and its store do, served on its own port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx2
import pytest
from consumer.bench import SHARED
from observability.metrics.promtool import ask_promtool
from servers import StoreUnderTest

from relayna.consumer import MemoryBroker, RelaynaClient, RetryPolicy, TaskConsumer, TaskRequest
from relayna.errors import InvalidSetting
from relayna.observability.metrics import WorkerMetrics
from relayna.streams import Recorder
from relayna.streams.redis import RedisLog
from relayna.streams.spool import Spool

pytestmark = pytest.mark.anyio


async def refuse_some(task: Any, context: Any) -> None:
    if task.task_id == "bad":
        raise ValueError(task.task_id)


async def scraped(metrics: WorkerMetrics) -> str:
    host, port = metrics.address or ("", 0)
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"http://{host}:{port}/metrics")
    return answer.text


async def test_one_argument_measures_all_that_a_worker_does(
    any_store: StoreUnderTest, tmp_path: Path
) -> None:
    metrics = WorkerMetrics(port=0)
    sink = Recorder(RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4), spool=Spool(tmp_path))
    client = RelaynaClient(topology=SHARED, broker=MemoryBroker(), observation_sink=sink, counters=metrics)
    consumer = TaskConsumer(rabbitmq=client, handler=refuse_some, retry_policy=RetryPolicy(max_retries=0))
    async with client, anyio.create_task_group() as running:
        await running.start(consumer.run)
        begun = await scraped(metrics)
        assert 'relayna_dead_letters_total{queue="work",reason="retries_exhausted"} 0.0' in begun
        await client.publish_tasks([TaskRequest(task_id=name) for name in ("good", "bad", "fine")])
        with anyio.fail_after(10):
            while 'outcome="dead_lettered",queue="work"} 1.0' not in (told := await scraped(metrics)):
                await anyio.lowlevel.checkpoint()
            while 'outcome="acked",queue="work"} 2.0' not in (told := await scraped(metrics)):
                await anyio.lowlevel.checkpoint()
        consumer.stop()
    lines = told.splitlines()
    assert 'relayna_dead_letters_total{queue="work",reason="retries_exhausted"} 1.0' in lines
    assert 'relayna_attempt_duration_seconds_count{queue="work"} 3.0' in lines
    assert 'relayna_queue_wait_seconds_count{queue="work"} 3.0' in lines
    assert "relayna_store_up 1.0" in lines
    assert "relayna_spool_bytes 0.0" in lines
    assert any(line.startswith("relayna_record_buffer_events ") for line in lines)
    assert any(line.startswith('relayna_records_total{outcome="stored",source="status"}') for line in lines)
    assert any(line.startswith("relayna_append_duration_seconds_count") for line in lines)
    assert "relayna_measures_refused_total{" not in told
    said = await anyio.to_thread.run_sync(lambda: ask_promtool("check", "metrics", given=told.encode()))
    assert said == ""
    assert metrics.address is None


async def test_the_environment_names_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_METRICS_PORT", "0")
    async with WorkerMetrics() as metrics:
        assert metrics.address is not None
        assert metrics.address[0] == "127.0.0.1"
        assert "relayna_build_info" in await scraped(metrics)


async def test_without_a_port_nothing_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELAYNA_METRICS_PORT", raising=False)
    async with WorkerMetrics() as metrics:
        assert metrics.address is None


async def test_several_clients_share_one_port() -> None:
    metrics = WorkerMetrics(port=0)
    first, second = (
        RelaynaClient(topology=SHARED, broker=MemoryBroker(), counters=metrics) for _ in range(2)
    )
    async with first:
        async with second:
            address = metrics.address
        assert metrics.address == address
        assert "relayna_build_info" in await scraped(metrics)
    assert metrics.address is None


async def test_a_client_that_cannot_open_serves_nothing() -> None:
    metrics = WorkerMetrics(port=0)
    client = RelaynaClient(topology=SHARED, counters=metrics, broker=MemoryBroker())
    client.broker.declare = _fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        async with client:
            pass
    assert metrics.address is None


async def _fail(declarations: object) -> None:
    raise RuntimeError("the topology does not fit")


async def test_an_address_that_is_not_ours_ends_the_start_and_can_be_tried_again() -> None:
    metrics = WorkerMetrics(host="192.0.2.1", port=0)
    for _ in range(2):
        with pytest.raises(InvalidSetting):
            async with metrics:
                pass


def test_a_wrong_port_is_told_at_once() -> None:
    with pytest.raises(InvalidSetting, match="metrics_port"):
        WorkerMetrics(port=70_000)


async def test_what_was_told_where_to_report_stays_there() -> None:
    own, others = WorkerMetrics(), WorkerMetrics()
    sink = Recorder(RedisLog("redis://127.0.0.1:1"), counters=own)
    RelaynaClient(topology=SHARED, broker=MemoryBroker(), observation_sink=sink, counters=others)
    assert own.registry.get_sample_value("relayna_record_buffer_events") == 0
    assert others.registry.get_sample_value("relayna_record_buffer_events") is None
