"""Boxes have places of their own, right of what they hang on; too many are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayna.observability.incident.layout import BOX_LIMIT, Place, lay_out

boxes = st.integers(0, 30).flatmap(
    lambda count: st.dictionaries(
        st.integers(0, count).map(str), st.integers(0, count).map(str), max_size=count
    )
)


@given(above=boxes)
def test_no_two_boxes_share_a_place_whatever_hangs_on_what(above: dict[str, str]) -> None:
    keys = [*above, "alone"]
    layout = lay_out(keys, above, first=())
    assert set(layout.places) == set(keys)
    assert len(set(layout.places.values())) == len(keys)
    assert all(
        0 <= place.column < layout.columns and 0 <= place.row < layout.rows
        for place in layout.places.values()
    )


def test_a_chain_stays_in_its_row_and_the_rest_comes_below() -> None:
    above = {"attempt": "task", "status": "attempt", "retry": "attempt", "again": "retry", "done": "again"}
    layout = lay_out(["task", *above], above, first=())
    assert [layout.places[key] for key in ("task", "attempt", "retry", "again", "done")] == [
        Place(column, 0) for column in range(5)
    ]
    assert layout.places["status"] == Place(2, 1)
    assert (layout.columns, layout.rows) == (5, 2)


def test_a_long_chain_needs_no_stack() -> None:
    keys = [str(number) for number in range(BOX_LIMIT)]
    layout = lay_out(keys, dict(zip(keys[1:], keys, strict=False)), first=())
    assert (layout.columns, layout.rows) == (BOX_LIMIT, 1)


def test_of_too_many_the_first_are_kept() -> None:
    keys = [str(number) for number in range(BOX_LIMIT * 2)]
    layout = lay_out(keys, {}, first=[keys[-1], "not there"])
    assert len(layout.places) == BOX_LIMIT
    assert {keys[-1], keys[0]} <= set(layout.places)


def test_nothing_takes_no_room() -> None:
    assert (lay_out([], {}, first=()).columns, lay_out([], {}, first=()).rows) == (0, 0)
