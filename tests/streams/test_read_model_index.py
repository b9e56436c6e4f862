"""Members of the index: each says its entry again, and they sort as entries do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from streams.read_models_harness import NOW, row_for

from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.streams.read_model_index import (
    entry_in,
    range_of,
    row_members,
    sweep_range,
    term_member,
)
from relayna.streams.read_models import IndexEntry, IndexPage, IndexTerm

texts = st.text(st.characters(), max_size=8) | st.text("a\0\x01\xff\U0010ffff", max_size=6)
instants = st.integers(-(2**62), 2**62).map(Instant) | st.sampled_from([-1, 0, 1, 255, 256]).map(Instant)
entries = st.builds(IndexEntry, instants, texts, texts)


def member(entry: IndexEntry, name: str = "status", value: str = "failed") -> bytes:
    return term_member(IndexTerm(name, value, entry.at, entry.ref), TaskId(entry.task_id))


def order(entry: IndexEntry) -> tuple[int, str, str]:
    return entry.at, entry.task_id, entry.ref


def wanted(**changed: object) -> IndexPage:
    return IndexPage(**{"tenant": Tenant("default"), "name": "status", "value": "failed", **changed})  # type: ignore[arg-type]


@given(entries, texts, texts)
def test_a_member_says_its_entry_again(entry: IndexEntry, name: str, value: str) -> None:
    assert entry_in(member(entry, name, value)) == entry


@given(entries, entries)
def test_members_sort_as_entries_do(one: IndexEntry, other: IndexEntry) -> None:
    assert (member(one) < member(other)) == (order(one) < order(other))
    assert (member(one) == member(other)) == (one == other)


@given(st.tuples(texts, texts), st.tuples(texts, texts), entries)
def test_other_names_and_values_lie_elsewhere(
    one: tuple[str, str], other: tuple[str, str], entry: IndexEntry
) -> None:
    within = range_of(wanted(name=one[0], value=one[1]))

    assert (within.first <= member(entry, *other) < within.end) == (one == other)


@given(
    st.lists(entries, max_size=8),
    instants | st.none(),
    instants | st.none(),
    entries | st.none(),
    st.booleans(),
)
def test_a_range_holds_what_was_asked_for(
    found: list[IndexEntry],
    since: Instant | None,
    until: Instant | None,
    after: IndexEntry | None,
    newest_first: bool,
) -> None:
    within = range_of(wanted(since=since, until=until, after=after, newest_first=newest_first))

    for entry in found + ([after] if after else []):
        told = member(entry)
        is_after = after is None or (
            order(entry) < order(after) if newest_first else order(entry) > order(after)
        )
        is_timely = (since is None or entry.at >= since) and (until is None or entry.at < until)
        is_within = within.first <= told < within.end and not (within.without_first and told == within.first)
        assert is_within == (is_after and is_timely)


@given(instants, instants, texts)
def test_what_is_to_be_swept_is_an_entry_of_no_name(expires_at: Instant, before: Instant, name: str) -> None:
    terms = [IndexTerm(name, "", Instant(NOW)), IndexTerm("", name, Instant(NOW))]
    members = row_members(row_for("t", *terms, expires_at=expires_at))
    within = sweep_range(before)
    swept = [entry_in(told) for told in members if within.first <= told < within.end]

    assert len(members) == len(set(terms)) + 1
    assert swept == ([IndexEntry(expires_at, "t")] if expires_at <= before else [])
