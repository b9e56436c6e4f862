"""The shape of the answer to: why?"""

from __future__ import annotations

import msgspec
import pytest

from relayna.projections.task_why import Cause, Failure, TaskWhy


def answer(*, has_failed: bool, causes: int = 0, bystanders: int = 0, recovered: int = 0) -> TaskWhy:
    failure = Failure(node="n", event_id="e", task_id="t", kind="task_attempt", label="t attempt 1")
    cause = Cause(failure=failure, role="cause", took_down=[])
    return TaskWhy(
        task_id="t",
        status=None,
        has_failed=has_failed,
        sentence="s.",
        causes=[cause] * causes,
        bystanders=[cause] * bystanders,
        recovered=[cause] * recovered,
        waits_for=[],
        graph_completeness="full",
    )


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (answer(has_failed=True), True),
        (answer(has_failed=False, causes=1), True),
        (answer(has_failed=False, bystanders=1), True),
        (answer(has_failed=False, recovered=1), False),
        (answer(has_failed=False), False),
    ],
)
def test_what_recovered_is_no_failure(told: TaskWhy, found: bool) -> None:
    assert told.found_failure is found


def test_it_is_the_same_from_json() -> None:
    told = answer(has_failed=True, causes=1)
    assert msgspec.json.decode(msgspec.json.encode(told), type=TaskWhy) == told
