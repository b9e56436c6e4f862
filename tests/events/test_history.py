"""What is known of a stream beside its events."""

from __future__ import annotations

from typing import get_args

import pytest

from relayna.events.history import RecordWarning, StreamFact, StreamFactName
from relayna.ids import TaskId


@pytest.mark.parametrize("name", get_args(StreamFactName))
def test_facts_add_up_and_repeats_change_nothing(name: StreamFactName) -> None:
    facts = {StreamFact(task_id=TaskId("a"), name=name), StreamFact(task_id=TaskId("a"), name=name)}
    assert len(facts) == 1
    assert StreamFact(task_id=TaskId("b"), name=name) not in facts


def test_warnings_are_values_too() -> None:
    warning = RecordWarning(task_id=TaskId("a"), code="bad_field", detail="x")
    assert {warning, RecordWarning(task_id=TaskId("a"), code="bad_field", detail="x")} == {warning}
