from __future__ import annotations

from relayna.topologies.figure_limits import EDGE_LIMIT, Fitted, cut_words, fit, source_size

FAN = [("a", f"b{number}", f"a -> b{number}") for number in range(EDGE_LIMIT + 50)]
KEYS = ["a", *(target for _, target, _ in FAN)]


def test_everything_is_drawn_where_there_is_room() -> None:
    fitted = fit(["a", "b"], str.upper, [("a", "b", "a -> b")], first=(), room=1_000)
    assert fitted == Fitted({"a": "A", "b": "B"}, ["a -> b"])
    assert cut_words(fitted, "ab", "1") is None


def test_no_more_than_a_page_draws() -> None:
    fitted = fit(KEYS, str, FAN, first=(), room=10**6)
    assert (len(fitted.boxes), len(fitted.arrows)) == (EDGE_LIMIT + 1, EDGE_LIMIT)
    assert cut_words(fitted, KEYS, FAN) == "cut: 501 of 551 nodes and 500 of 550 edges are drawn"


def test_what_comes_first_is_kept_and_arrows_only_join_what_is_there() -> None:
    fitted = fit(KEYS, str, FAN, first=["nobody", "a", "b540"], room=60)
    assert [*fitted.boxes][:2] == ["a", "b540"]
    assert all(line.split(" -> ")[1] in fitted.boxes for line in fitted.arrows)
    assert source_size([*fitted.boxes.values(), *fitted.arrows]) <= 60


def test_sizes_are_those_of_javascript() -> None:
    assert source_size(["ab", "\N{GHOST}"]) == 3 + 3
