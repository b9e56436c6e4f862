"""Who handled a run: the name that a consumer was given, else its stage, else its queue."""

from __future__ import annotations

from typing import Any

import pytest
from projections.lineage.told_facts import lineage, told

from relayna.events import TaskMessageReceived, WorkflowMessageReceived
from relayna.ids import AttemptId

NAMED_AFTER_ITS_PROCESS = {"consumer_name": "TaskConsumer-00112233", "queue_name": "work"}


@pytest.mark.parametrize(
    ("body", "agent"),
    [
        (TaskMessageReceived(consumer_name="resizer", queue_name="work"), "resizer"),
        (TaskMessageReceived(**NAMED_AFTER_ITS_PROCESS), "work"),
        (TaskMessageReceived(queue_name="work"), "work"),
        (WorkflowMessageReceived(stage="charge", **NAMED_AFTER_ITS_PROCESS), "charge"),
        (WorkflowMessageReceived(stage="charge", consumer_name="till", queue_name="work"), "till"),
        (TaskMessageReceived(), None),
    ],
)
def test_who_handled_it(body: Any, agent: str | None) -> None:
    attempt = {"attempt_id": AttemptId("a" * 16), "seq": 0, "producer": "00112233"}
    run = lineage([told("R1", 0, body, f"{'a' * 16}.0", **attempt)]).runs["R1"]
    assert run.agent == agent
