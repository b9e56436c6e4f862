"""Lists that mostly stay empty."""

from __future__ import annotations

from relayna.projections.few import Few, with_one_more


def test_an_empty_one_becomes_a_list_and_a_list_stays_the_same() -> None:
    empty: Few[int] = ()
    one = with_one_more(empty, 1)
    assert with_one_more(one, 2) is one
    assert (empty, one) == ((), [1, 2])


def test_no_two_share_their_items() -> None:
    empty: Few[int] = ()
    assert with_one_more(empty, 1) is not with_one_more(empty, 1)
