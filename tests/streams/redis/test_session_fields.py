"""Records of a session are picked out before they are read: none of them is ever left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.streams.keys import DEFAULT_TENANT, TaskAddress
from relayna.streams.redis.run_records_values import fields_of_session, read_run, run_fields
from relayna.streams.run_records import StoredRun, week_of

BEGAN = Instant(1_767_225_600_000_000)
MINTED = "00112233445566778899aabbccddeeff"

ids = st.sampled_from(["a", "b", "\0", "é", MINTED, MINTED[::-1], "x" * 59, "x" * 61, "y" * 500])
runs = st.builds(
    lambda task, session, data: StoredRun(
        address=TaskAddress(TaskId(task)), session_id=session, began=BEGAN,
        expires_at=Instant(BEGAN + 86_400_000_000), data=data,
    ),
    ids, ids, st.binary(max_size=150),
)  # fmt: skip


@given(st.lists(runs, max_size=9, unique_by=lambda run: run.address), ids)
def test_every_record_of_a_session_is_among_what_is_picked_out(told: list[StoredRun], session: str) -> None:
    fields = {name: value for run in told for name, value in run_fields(run, {}).items()}
    picked = fields_of_session(session, fields)
    read = [read_run(DEFAULT_TENANT, week_of(BEGAN), name, picked, {}) for name in picked]
    found = {one[0].address.task_id: one[0] for one in read if one is not None}

    assert picked.items() <= fields.items()
    assert {name: run for name, run in found.items() if run.session_id == session} == {
        run.address.task_id: run for run in told if run.session_id == session
    }


def test_others_are_left_out() -> None:
    def run(number: int) -> StoredRun:
        return StoredRun(
            address=TaskAddress(TaskId(f"order-{number}")), session_id=f"session-{number}", began=BEGAN,
            expires_at=Instant(BEGAN), data=b"",
        )  # fmt: skip

    fields = {
        name: value for number in range(100, 200) for name, value in run_fields(run(number), {}).items()
    }

    assert len(fields_of_session("session-107", fields)) == 1
