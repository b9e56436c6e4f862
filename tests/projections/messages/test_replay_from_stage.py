"""Which inputs a replay from a stage sends again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from projections.messages.session_x import rows_by_task, rows_of, session_x

from relayna.projections.messages.message_row import MessageRow
from relayna.projections.messages.replay_from_stage import plan_stage_replay


def row(name: str, route: str, parent: str | None = None, **told: object) -> MessageRow:
    metadata = {"storage_key": f"default/{name}", "queue_name": f"q.{route}", "kind": "task", **told}
    return MessageRow(
        id=name, session_id="S", task_id=f"task-{name}", route=route, handler=None, parent_id=parent, status="failed",
        attempts=1, metadata={key: value for key, value in metadata.items() if value is not None},
    )  # fmt: skip


def test_what_came_of_another_message_of_the_stage_comes_anew() -> None:
    rows = [
        row("a", "cut"),
        row("b", "glue", "a"),
        row("c", "cut", "b"),
        row("d", "glue", "c"),
        row("e", "glue", "a"),
    ]
    assert [one.message_id for one in plan_stage_replay(rows, "S", "cut").inputs] == ["a"]
    assert [one.message_id for one in plan_stage_replay(rows, "S", "glue").inputs] == ["b", "e"]


def test_an_input_says_where_it_goes() -> None:
    [found] = plan_stage_replay([row("a", "cut", kind="workflow")], "S", "cut").inputs
    assert (found.task_id, found.queue_name, found.storage_key, found.stage) == (
        "task-a",
        "q.cut",
        "default/a",
        "cut",
    )
    [task] = plan_stage_replay([row("a", "work", topology_kind="routed")], "S", "work").inputs
    assert task.stage is None


def test_an_unknown_stage_has_nothing_and_the_known_ones_are_told() -> None:
    plan = plan_stage_replay([row("a", "cut"), row("b", "glue")], "S", "paint")
    assert (plan.inputs, plan.without_input, plan.stages) == ((), (), ("cut", "glue"))


def test_what_is_not_stored_is_told() -> None:
    rows = [row("a", "cut"), row("b", "cut", storage_key=None), row("c", "cut", queue_name=None)]
    plan = plan_stage_replay(rows, "S", "cut")
    assert plan.without_input == ("b", "c")
    assert [one.message_id for one in plan.inputs] == ["a"]


def test_reports_are_told_apart() -> None:
    plan = plan_stage_replay([row("a", "shard", kind="aggregation")], "S", "shard")
    assert (plan.reports, plan.without_input, plan.inputs) == (("a",), (), ())


def test_the_worked_case_has_one_first_message() -> None:
    plan = plan_stage_replay(rows_of(session_x()[-1]), "X", "r1")
    assert plan.without_input == (rows_by_task(session_x()[-1])["L1"].id,)


@settings(max_examples=80)
@given(drawn=st.lists(st.tuples(st.sampled_from("xy"), st.none() | st.integers(0, 9)), max_size=10))
def test_every_message_of_the_stage_is_sent_or_comes_of_one_that_is(
    drawn: list[tuple[str, int | None]],
) -> None:
    rows = [
        row(str(n), route, None if up is None or up >= n else str(up)) for n, (route, up) in enumerate(drawn)
    ]
    by_id = {one.id: one for one in rows}
    sent = {one.message_id for one in plan_stage_replay(rows, "S", "x").inputs}
    for one in rows:
        above = set()
        at = one.parent_id
        while at is not None:
            above.add(at)
            at = by_id[at].parent_id
        of_stage = {name for name in above if by_id[name].route == "x"}
        assert (one.id in sent) == (one.route == "x" and not of_stage)
        assert not of_stage or above & sent


def test_parents_in_a_circle_end() -> None:
    rows = [row("a", "x", "b"), row("b", "y", "c"), row("c", "y", "b")]
    assert [one.message_id for one in plan_stage_replay(rows, "S", "x").inputs] == ["a"]
