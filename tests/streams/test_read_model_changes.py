"""What rewriting rows changes: carried out, it is what rows say now, whatever they said before."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from streams.read_models_harness import DAY, NOW, row_for, some_rows

from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.read_model_changes import RowChange, changes_by_tenant
from relayna.streams.read_model_index import row_members
from relayna.streams.read_models import CountKey, IndexTerm, Row

states = st.lists(some_rows, max_size=6).map(lambda rows: {row.address: row for row in rows})
RUNS, WAITS = CountKey(1, "orders", "runs"), CountKey(2, "orders", "waits")


def index_of(rows: dict[TaskAddress, Row], tenant: Tenant) -> set[bytes]:
    return {member for row in rows.values() if row.address.tenant == tenant for member in row_members(row)}


def counts_of(rows: dict[TaskAddress, Row], tenant: Tenant) -> Counter[CountKey]:
    summed: Counter[CountKey] = Counter()
    for row in rows.values():
        if row.address.tenant == tenant:
            for key, count in row.counts.items():
                summed[key] += count
    return summed


@given(states, states)
def test_differences_lead_from_what_was_to_what_is(
    before: dict[TaskAddress, Row], after: dict[TaskAddress, Row]
) -> None:
    named = [*after, *(address for address in before if address not in after)]
    changes = changes_by_tenant(RowChange(one, before.get(one), after.get(one)) for one in named)

    assert set(changes) == {address.tenant for address in named}
    for tenant, changed in changes.items():
        index, counts = index_of(before, tenant), counts_of(before, tenant)
        assert changed.removed <= index
        assert not changed.added & index
        for key, tally in changed.tallies.items():
            counts[key] += tally.change
            assert tally.after == counts_of(after, tenant)[key]
        assert (index - changed.removed) | changed.added == index_of(after, tenant)
        assert +counts == +counts_of(after, tenant)
        assert -counts == -counts_of(after, tenant)
        mine = {address: row for address, row in after.items() if address.tenant == tenant}
        assert {name: row for name, row in changed.rows.items() if row} == {
            address.task_id: row for address, row in mine.items()
        }


def test_a_row_that_says_the_same_changes_no_entry_and_no_count() -> None:
    row = row_for("t", IndexTerm("status", "failed", Instant(1)), counts={RUNS: 3})
    (changed,) = changes_by_tenant([RowChange(row.address, row, row)]).values()

    assert (changed.added, changed.removed) == (set(), set())
    assert {(tally.change, tally.after) for tally in changed.tallies.values()} == {(0, 3)}


def test_keys_are_kept_for_the_longest_of_their_rows() -> None:
    early, late = Instant(NOW + DAY), Instant(NOW + 2 * DAY)
    rows = [
        row_for("a", counts={RUNS: 1, WAITS: 1}, expires_at=late),
        row_for("b", counts={RUNS: 1}, expires_at=early),
    ]
    changes = [RowChange(row.address, None, row) for row in rows]
    gone = row_for("c", counts={CountKey(3, "g", "m"): 1}, expires_at=Instant(NOW + 9 * DAY))
    (changed,) = changes_by_tenant([*changes, RowChange(gone.address, gone, None)]).values()
    (earlier,) = changes_by_tenant(changes[1:]).values()

    assert (changed.kept_until, changed.days_kept_until) == (late, {1: late, 2: late})
    assert (earlier.kept_until, earlier.days_kept_until) == (early, {1: early})
