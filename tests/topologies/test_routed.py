"""Routed tasks: the type is the key, and types of other workers are welcome."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import routed

from relayna.errors import InvalidQuery, InvalidTopology
from relayna.topologies import Route, declarations, task_route


def test_one_queue_bound_once_for_each_type() -> None:
    bound = [
        (one.exchange, one.routing_key) for one in declarations(routed()).bindings if one.queue == "tasks.all"
    ]
    assert bound == [("tasks", "email"), ("tasks", "invoice")]


def test_the_type_is_the_key() -> None:
    assert task_route(routed(), "email") == Route("tasks", "email")
    assert task_route(routed(), "bound.elsewhere") == Route("tasks", "bound.elsewhere")


def test_a_list_of_types_is_taken() -> None:
    assert routed(task_types=["a", "b"]).task_types == ("a", "b")


@pytest.mark.parametrize("task_type", [None, "", "x" * 256])
def test_a_task_without_a_usable_type_has_no_way(task_type: str | None) -> None:
    with pytest.raises(InvalidQuery) as refused:
        task_route(routed(), task_type)
    assert refused.value.parameter == "task_type"


@pytest.mark.parametrize("types", [(), "email", ("",), ("a", "a"), ("x" * 256,), (7,)])
def test_types_are_checked(types: object) -> None:
    with pytest.raises(InvalidTopology) as refused:
        routed(task_types=types)
    assert refused.value.field == "task_types"


@pytest.mark.parametrize("field", ["tasks_exchange", "tasks_queue"])
def test_its_own_fields_are_checked(field: str) -> None:
    with pytest.raises(InvalidTopology) as refused:
        routed(**{field: ""})
    assert refused.value.field == field
