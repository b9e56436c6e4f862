"""The code under "Traces" in docs/workers.md runs as it stands, and makes the spans that are named there."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from consumer.bench import SHARED
from consumer.broker_steps import PATIENCE_SECONDS
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from relayna.consumer import MemoryBroker, RelaynaClient, TaskConsumer, TaskContext, TaskEnvelope
from relayna.observability import OpenTelemetrySpans

WORKERS = (Path(__file__).parents[2] / "docs" / "workers.md").read_text(encoding="utf-8")


def snippet() -> str:
    found = re.search(r"^## Traces\n.*?```python\n(.*?)```", WORKERS, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.anyio
async def test_it_makes_the_spans_that_it_names() -> None:
    broker, exporter = MemoryBroker(), InMemorySpanExporter()
    names: dict[str, Any] = {
        "BatchSpanProcessor": BatchSpanProcessor,
        "OpenTelemetrySpans": OpenTelemetrySpans,
        "RelaynaClient": functools.partial(RelaynaClient, broker=broker),
        "TaskContext": TaskContext,
        "TaskEnvelope": TaskEnvelope,
        "TracerProvider": functools.partial(TracerProvider, shutdown_on_exit=False),
        "exporter": exporter,
        "sink": None,
        "topology": SHARED,
    }
    exec(snippet(), names)
    consumer = TaskConsumer(rabbitmq=names["client"], handler=names["resize"])
    with anyio.fail_after(PATIENCE_SECONDS):
        async with names["client"], anyio.create_task_group() as running:
            await running.start(consumer.run)
            await names["client"].publish_task("photo-7", {"width": 640})
            await broker.idle(resting=[SHARED.status_queue])
            consumer.stop()
    names["provider"].shutdown()
    assert {span.name for span in exporter.get_finished_spans()} == {
        "send tasks:task",
        "process work",
        "decode",
        "send statuses:{task_id}",
    }
