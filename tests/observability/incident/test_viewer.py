"""The page says what happened, to any reader and without any script, and holds nothing but text of others."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace
from observability.incident.incident_steps import HOSTILE, ORIGIN, failing_events, hostile_events, incident_of

from relayna.events import DeadLetterRecorded
from relayna.observability.graph_figure import COLOURS
from relayna.observability.incident import UnreadableIncident, graph_digest, incident_page, open_page
from relayna.observability.incident.run_list import LINE_LIMIT
from relayna.projections.failure import explain_failure
from relayna.testing import history

PAGE = incident_page(incident_of(failing_events()))


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._inside: str | None = None
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in self.raw:
            self._inside = tag
            self.raw[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self.text += data
        else:
            self.raw[self._inside][-1] += data

    def attributes(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.tags if name in attributes]


def test_it_says_what_happened_and_why() -> None:
    page = Page(PAGE)
    graph = incident_of(failing_events()).graph()
    assert explain_failure(graph).sentence in page.text
    for words in ("✗ failed", "attempt 2", "dead_lettered", "retry 1", "child T-child", "retries_exhausted"):
        assert words in page.text
    assert "Full: there are observations" in page.text
    assert "hunter2" not in PAGE.decode()
    assert ORIGIN.store is not None
    assert ORIGIN.store in page.text


def test_the_same_incident_is_the_same_file() -> None:
    assert incident_page(incident_of(failing_events())) == PAGE
    later = incident_of(failing_events(), origin=replace(ORIGIN, made_at="2026-01-01T00:00:00+00:00"))
    assert incident_page(later) != PAGE


def test_it_asks_for_nothing_and_runs_nothing_but_its_own_script() -> None:
    page = Page(PAGE)
    data, script = page.raw["script"]
    (style,) = page.raw["style"]
    (policy,) = [
        str(attributes["content"])
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    hashed = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (script, style)]
    assert policy.startswith(
        f"default-src 'none'; script-src 'sha256-{hashed[0]}'; style-src 'sha256-{hashed[1]}'"
    )
    assert "unsafe" not in policy
    assert data.startswith('{"relayna":"incident"')
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert not any(
        page.attributes(name) for name in ("src", "srcset", "action", "style", "xlink:href", "data")
    )
    assert not re.search(rb"url\((?!#)|@import|https?://(?!www\.w3\.org)", PAGE)


def test_it_is_parsed_as_it_was_written() -> None:
    page = Page(PAGE)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in page.attributes("href")} <= set(ids)
    void = {"meta", "input"}
    for tag in {tag for tag, _ in page.tags} - void:
        assert PAGE.count(f"<{tag}>".encode()) + PAGE.count(f"<{tag} ".encode()) == PAGE.count(
            f"</{tag}>".encode()
        )


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_texts_are_texts(payload: str) -> None:
    origin = replace(ORIGIN, with_payloads=True, store=payload, made_by=payload)
    incident = incident_of(hostile_events(payload), payload, origin=origin)
    plain = Page(incident_page(incident_of(hostile_events("x"), "x", origin=origin)))
    page = Page(incident_page(incident))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(attributes) for _, attributes in page.tags] == [
        sorted(attributes) for _, attributes in plain.tags
    ]
    assert page.raw["script"][1:] == plain.raw["script"][1:]
    assert not {"\x00", "\x1b", "\u202e", "\u2066", "\ufeff"} & set(page.text)
    assert graph_digest(open_page(incident_page(incident)).graph()) == graph_digest(incident.graph())


def test_dead_letters_have_no_bodies_unless_asked_for() -> None:
    events = failing_events()
    number = next(place for place, event in enumerate(events) if isinstance(event.body, DeadLetterRecorded))
    letter = replace(events[number].body, body=b'{"order": "wanted"}', headers={"x-order": "header"})
    events[number] = replace(events[number], body=letter)
    without, having = (
        incident_page(incident_of(events, origin=replace(ORIGIN, with_payloads=asked))).decode()
        for asked in (False, True)
    )
    assert "wanted" not in without
    assert "x-order" not in without
    assert "x-order: header" in having
    assert "wanted" in having


def test_what_is_too_large_is_cut_and_says_so() -> None:
    task = history("T", lifecycle_statuses=False).published()
    attempt = task.attempt()
    for number in range(LINE_LIMIT + 500):
        attempt.status(f"step {number}")
    attempt.fails("TheCause").dead_lettered()
    page = Page(incident_page(incident_of(attempt.events, max_nodes=10_000)))
    assert re.search(r"50\d more lines are not listed", page.text)
    assert "more events are not listed" in page.text
    assert re.search(r"200 of 2,5\d\d nodes and 199 of 2,5\d\d edges are drawn", page.text)
    assert page.text.count("dead letter: retries_exhausted") == 1


def test_links_lead_to_what_is_listed() -> None:
    task = history("T")
    attempt = task.published().attempt()
    for number in range(250):
        attempt.spawns(f"C{number:03}").attempt().acked()
    page = Page(incident_page(incident_of(attempt.acked().events)))
    links = {link.removeprefix("#") for link in page.attributes("href")}
    assert links <= set(page.attributes("id"))
    assert len(links) > 50
    assert "and 50 more" in page.text


def test_every_state_has_its_colours() -> None:
    (style,) = Page(PAGE).raw["style"]
    assert [state for state in COLOURS if f".box.state-{state} " not in style] == []
    assert [state for state in COLOURS if f".state-{state}" not in style] == []


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (b"", "no incident is in it"),
        (b"<!doctype html><p>another page", "no incident is in it"),
        (PAGE[: len(PAGE) // 2], "no incident is in it|ends early"),
        (PAGE.replace(b"TimeoutError", b"timeoutError"), "digest is another"),
        (PAGE.replace(b'data-sha256="', b'data-sha256="x'), "ends early, or is damaged"),
    ],
    ids=["empty", "foreign", "half", "changed", "unsigned"],
)
def test_a_damaged_or_foreign_file_is_refused(page: bytes, problem: str) -> None:
    with pytest.raises(UnreadableIncident, match=problem):
        open_page(page)
