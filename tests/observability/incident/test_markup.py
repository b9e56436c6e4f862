"""Whatever a text holds, a parser finds it as text."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from mermaid.hostile_labels import labels

from relayna.observability.incident.markup import EMPTY, element, joined, text
from relayna.topologies.mermaid_labels import visible_text


class Found(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(label=labels)
def test_any_text_is_text_in_an_element_and_in_an_attribute(label: str) -> None:
    found = Found(element("p", text(label), title=label))
    assert found.text == visible_text(label, limit=600)
    assert found.tags == [("p", {"title": visible_text(label, limit=len(label) + 1)})]


def test_a_text_is_cut() -> None:
    assert text("x" * 700) == "x" * 599 + "…"
    assert text("<" * 9, limit=3) == "&lt;&lt;…"


def test_attributes_are_named_as_python_can_name_them() -> None:
    assert element("a", class_="b", aria_label="c", hidden=None) == '<a class="b" aria-label="c"></a>'


def test_pieces_are_joined() -> None:
    assert joined((text("a"), EMPTY, text("b")), "<") == "a&lt;&lt;b"
