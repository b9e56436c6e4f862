"""Shared tasks: one queue for all of them, wherever their type."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import shared

from relayna.errors import InvalidTopology
from relayna.topologies import Binding, Route, declarations, task_route


def test_every_type_goes_the_same_way() -> None:
    assert task_route(shared()) == task_route(shared(), "email") == Route("tasks", "task")


def test_the_queue_is_bound_by_the_key() -> None:
    assert Binding(queue="tasks.all", exchange="tasks", routing_key="task") in declarations(shared()).bindings


@pytest.mark.parametrize("field", ["tasks_exchange", "tasks_queue", "tasks_routing_key"])
def test_its_own_fields_are_checked(field: str) -> None:
    with pytest.raises(InvalidTopology) as refused:
        shared(**{field: ""})
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status_queue": "tasks.all"}, "tasks_queue"),
        ({"status_queue": "tasks.all.dead_letters"}, "status_queue"),
        ({"status_queue": "tasks.all.dead_letters.record"}, "status_queue"),
        ({"status_exchange": "tasks"}, "tasks_exchange"),
        ({"tasks_exchange": "status.dead_letters"}, "tasks_exchange"),
        ({"dead_letter_exchange": "tasks"}, "tasks_exchange"),
        ({"dead_letter_exchange": "status"}, "dead_letter_exchange"),
    ],
)
def test_no_name_stands_for_two_things(changes: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidTopology, match="two purposes") as refused:
        shared(**changes)
    assert refused.value.field == field
