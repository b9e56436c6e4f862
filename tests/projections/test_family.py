"""The walk from a task to its descendants."""

from __future__ import annotations

from typing import Any

from projections.laws import fold

from relayna.projections.execution_state import ExecutionState
from relayna.projections.family import Family, gather_family, referenced_children
from relayna.projections.registry import PROJECTIONS
from relayna.testing import history


def state_of(events: list[Any]) -> ExecutionState:
    state = fold(PROJECTIONS[0], events, "T")
    assert isinstance(state, ExecutionState)
    return state


def three_generations() -> list[Any]:
    parent = history("T").published().attempt()
    parent.spawns("C").attempt().spawns("G").attempt().acked()
    parent.spawns("D")
    return parent.acked().events


def names(family: Family) -> tuple[list[str], list[str]]:
    return list(family.runs), family.beyond  # type: ignore[return-value]


def test_breadth_first_to_the_depth_that_was_asked() -> None:
    state = state_of(three_generations())
    assert names(gather_family(state, at=None, depth=9)) == (["T", "C", "D", "G"], [])
    assert names(gather_family(state, at=None, depth=1)) == (["T", "C", "D"], ["G"])
    assert names(gather_family(state, at=None, depth=0)) == (["T"], ["C", "D"])


def test_a_depth_without_end_costs_no_more_than_the_family() -> None:
    family = gather_family(state_of(three_generations()), at=None, depth=10**12)
    assert len(family.runs) == 4


def test_children_that_only_say_so_themselves() -> None:
    own_word = [event for event in three_generations() if event.envelope.task_id != "T"]
    assert names(gather_family(state_of(own_word), at=None, depth=9))[0] == ["T", "C", "D", "G"]


def test_related_tasks_are_adopted_unless_the_records_place_them() -> None:
    state = state_of(three_generations())
    family = gather_family(state, at=None, depth=9, related=("G", "stranger", "T", "stranger"))  # type: ignore[arg-type]
    assert names(family)[0] == ["T", "C", "D", "G", "stranger"]
    assert [(one.child, one.rule) for one in family.kinships if one.rule] == [
        ("stranger", "related_task_ids")
    ]
    shallow = gather_family(state, at=None, depth=0, related=("stranger",))  # type: ignore[arg-type]
    assert names(shallow) == (["T"], ["C", "D", "stranger"])


def test_the_end_of_a_child_by_its_parents_word_else_by_its_own_latest_status() -> None:
    events = three_generations()
    told = gather_family(state_of(events), at=None, depth=9).kinships
    assert {one.child: one.ended_as for one in told} == {"C": None, "D": None, "G": "completed"}
    assert {one.child: one.parent_says_ended for one in told} == {"C": False, "D": False, "G": True}
    untold = [event for event in events if type(event.body).__name__ != "ChildFinished"]
    own = gather_family(state_of(untold), at=None, depth=9).kinships
    assert {one.child: one.ended_as for one in own} == {"C": None, "D": None, "G": "completed"}
    assert not any(one.parent_says_ended for one in own)


def test_a_status_that_ends_tasks_in_this_topology() -> None:
    parent = history("T", lifecycle_statuses=False).published().attempt()
    parent.spawns("C").attempt().status("archived")
    state = state_of(parent.events)
    usual = gather_family(state, at=None, depth=1).kinships
    named = gather_family(state, at=None, depth=1, terminal_statuses=("archived",)).kinships
    assert [one.ended_as for one in (*usual, *named)] == [None, "archived"]


def test_what_a_stream_says_of_children() -> None:
    own = [event for event in three_generations() if event.envelope.task_id == "T"]
    assert referenced_children(own) == {"C", "D"}
