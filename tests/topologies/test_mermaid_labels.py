"""Labels: what is dropped, what is cut and what is encoded. The real parser is asked in tests/mermaid."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.topologies.mermaid_labels import LABEL_LIMIT, mermaid_label, visible_text

texts = st.text(st.characters(), max_size=300)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("héllo wörld", "héllo wörld"),
        ("a\r\nb\rc\nd\u2028e\x85f", "a\nb\nc\nd\ne\nf"),
        ("a\tb", "a b"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x9b31mred", "31mred"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\u200db", "ab"),
        ("\ud800", "\ufffd"),
        ("\ufffe\ufdd0x\U0001ffff", "x"),
        ("  both ends \n", "both ends"),
        ("\x00", ""),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert visible_text(text) == shown


def test_long_texts_are_cut_and_say_so() -> None:
    assert visible_text("x" * LABEL_LIMIT) == "x" * LABEL_LIMIT
    assert visible_text("x" * (LABEL_LIMIT + 1)) == "x" * (LABEL_LIMIT - 1) + "…"
    assert visible_text("abcdef", limit=4) == "abc…"


@given(text=texts)
def test_nothing_that_controls_comes_through(text: str) -> None:
    shown = visible_text(text)
    assert len(shown) <= LABEL_LIMIT
    assert {unicodedata.category(character) for character in shown if character != "\n"}.isdisjoint(
        {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )
    assert visible_text(shown) == shown


@pytest.mark.parametrize(
    ("lines", "label"),
    [
        (("plain",), '"plain"'),
        (("a", "b"), '"a<br/>b"'),
        (("a", "", "b"), '"a<br/>b"'),
        (('"#"',), '"#quot;#35;#quot;"'),
        (("<b>&",), '"#lt;b#gt;#amp;"'),
        (("|%\\`",), '"#124;#37;#92;#96;"'),
        (("direction TB",), '"#100;irection TB"'),
        (("directions",), '"directions"'),
        (("style classDef",), '"#115;tyle #99;lassDef"'),
        (("ﬂ¶",), '"#64258;#182;"'),
        (("",), '"(no text)"'),
        (("\x00", " "), '"(no text)"'),
        ((), '"(no text)"'),
    ],
)
def test_labels(lines: tuple[str, ...], label: str) -> None:
    assert mermaid_label(*lines) == label


@given(lines=st.lists(texts, max_size=3))
def test_a_label_is_one_quoted_line(lines: list[str]) -> None:
    label = mermaid_label(*lines)
    assert label[0] == label[-1] == '"'
    assert len(label) > 2
    assert not set(label[1:-1]) & set('"|%\\`&\n')
    assert "<" not in label.replace("<br/>", "")
