"""The `Accept` header, as RFC 9110 has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.api.negotiation import preferred_media_type

OFFERED = ("application/json", "text/vnd.mermaid", "text/x-mermaid")
JSON, MERMAID, OTHER_MERMAID = OFFERED


@pytest.mark.parametrize(
    ("accept", "preferred"),
    [
        ("", JSON),
        ("  ", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("Application/JSON", JSON),
        ("application/*", JSON),
        ("text/*", MERMAID),
        ("text/x-mermaid", OTHER_MERMAID),
        ("text/x-mermaid, text/vnd.mermaid", MERMAID),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
        ("application/json;q=0.5, text/vnd.mermaid;q=0.6", MERMAID),
        ("application/json;q=0.5, text/vnd.mermaid;q=0.5", JSON),
        ("application/json ; q = 0.5 , text/vnd.mermaid", MERMAID),
        ("*/*, application/json;q=0", MERMAID),
        ("*/*;q=0.1, text/*;q=0.5, text/vnd.mermaid;q=0", OTHER_MERMAID),
        ("application/json;charset=utf-8", JSON),
        ("application/json;charset=utf-8;q=0.1, text/*;q=0.2", MERMAID),
        ("application/json;q=0.1, application/json;version=1", JSON),
        ("application/json;q=1.000", JSON),
        (", ,application/json,", JSON),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=0.000", None),
        ("*/*;q=0", None),
        ("application/json;q=2", None),
        ("application/json;q=-1", None),
        ("application/json;q=nan", None),
        ("application/json;q=", None),
        ("application/json;q=high", None),
        ("json", None),
        ("*", None),
        ("application", None),
        (";;;", None),
    ],
)
def test_the_best_is_chosen(accept: str, preferred: str | None) -> None:
    assert preferred_media_type(accept, OFFERED) == preferred


@given(st.text(st.sampled_from(' ,;=*/q.019ajpsontexvrmid-+"\\\0')))
def test_any_header_is_read(accept: str) -> None:
    assert preferred_media_type(accept, OFFERED) in (*OFFERED, None)


@given(st.dictionaries(st.sampled_from(OFFERED), st.integers(0, 1000), min_size=1), st.randoms())
def test_the_heaviest_wins_in_any_order(weights: dict[str, int], random: st.DataObject) -> None:
    elements = [f"{media_type};q={weight / 1000:.3f}" for media_type, weight in weights.items()]
    random.shuffle(elements)  # type: ignore[attr-defined]
    heaviest = max(weights.values())
    winners = [media_type for media_type in OFFERED if weights.get(media_type) == heaviest]
    assert preferred_media_type(", ".join(elements), OFFERED) == (winners[0] if heaviest else None)
