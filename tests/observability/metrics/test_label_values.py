"""What labels may say, and how much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayna.observability.metrics.label_values import MOST_VALUES, OTHER, LabelValues


@given(st.lists(st.text(), max_size=30), st.integers(min_value=0, max_value=2 * MOST_VALUES))
def test_there_are_never_more_than_so_many_and_all_can_be_written_down(texts: list[str], many: int) -> None:
    values = LabelValues()
    shown = {values.shown(text) for text in [*texts, *(f"queue-{number}" for number in range(many))]}
    assert len(shown) <= MOST_VALUES + 1
    for text in shown:
        assert text.encode() or not text
        assert text.isprintable()
        assert len(text) <= 128


def test_what_was_there_first_keeps_its_name() -> None:
    values = LabelValues()
    for number in range(MOST_VALUES):
        assert values.shown(f"queue-{number}") == f"queue-{number}"
    assert values.shown("one-more") == OTHER
    assert values.shown("queue-0") == "queue-0"


def test_what_is_no_text_is_called_by_its_type() -> None:
    assert LabelValues().shown(None) == "NoneType"
