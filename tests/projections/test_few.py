"""Lists that mostly stay empty."""

from __future__ import annotations

from relayna.projections.few import Few, FewDistinct, with_one_more, with_one_more_distinct


def test_an_empty_one_becomes_a_list_and_a_list_stays_the_same() -> None:
    empty: Few[int] = ()
    one = with_one_more(empty, 1)
    assert with_one_more(one, 2) is one
    assert (empty, one) == ((), [1, 2])


def test_no_two_share_their_items() -> None:
    empty: Few[int] = ()
    assert with_one_more(empty, 1) is not with_one_more(empty, 1)


def test_an_empty_set_becomes_one_that_can_grow() -> None:
    empty: FewDistinct[int] = frozenset()
    one = with_one_more_distinct(empty, 1)
    assert with_one_more_distinct(one, 2) is one
    assert (empty, one) == (frozenset(), {1, 2})
