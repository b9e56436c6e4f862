"""Records of runs: nothing is lost, little is stored, and foreign bytes are no record."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from relayna.ids import TaskId, Tenant
from relayna.instants import UNTIMED, Instant
from relayna.observability.run_records.encoding import KeptRun, ParentsWord, decode_run, encode_run
from relayna.projections.lineage.run_edges import EDGE_KINDS, Run, RunEdge
from relayna.streams import TaskAddress
from relayna.streams.run_records import StoredRun

BEGAN = Instant(1_767_225_600_000_000)

ids = st.one_of(
    st.text(st.characters(), max_size=12),
    st.uuids().map(str),
    st.uuids().map(lambda one: one.hex),
    st.sampled_from(["T", "S", "T/2"]),
)
event_ids = st.one_of(
    ids,
    st.builds("{}.{}".format, ids, st.sampled_from(["0", "7", "07", "published", "", "a.b", "9" * 12])),
    st.builds(
        "{:016x}.{}".format,
        st.integers(0, 2**64 - 1),
        st.sampled_from(["0", "12", "05", "-1", "edge.1", "\N{SUPERSCRIPT TWO}"]),
    ),
)
times = st.one_of(
    st.integers(-(2**62), 2**62), st.integers(0, 10**7).map(lambda after: BEGAN + after), st.just(UNTIMED)
).map(Instant)
texts = st.none() | st.text(st.characters(), max_size=10)
objects = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False)
        | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
amounts = st.just(0) | st.integers(0, 2**53)
statuses = texts | st.sampled_from(
    ["completed", "failed", "running", "dead_lettered", "cancelled", "retrying"]
)

runs = st.builds(
    Run,
    run_id=ids, session_id=ids, agent=texts, ended_by=texts, workflow=texts, status=statuses,
    started_at=st.none() | times, ended_at=st.none() | times, decisions=objects,
)  # fmt: skip
edges = st.builds(
    RunEdge,
    edge_id=event_ids, kind=st.sampled_from(EDGE_KINDS), source=st.none() | ids, target=ids, at=times,
    session_id=ids, is_birth=st.booleans(), variant=texts, label=texts, group_key=texts, metadata=st.none() | objects,
    cost_attributed=amounts, tokens_attributed=amounts,
)  # fmt: skip


def stored(kept: KeptRun, *, task_id: str, session_id: str, began: Instant = BEGAN) -> StoredRun:
    record = encode_run(kept, task_id=task_id, session_id=session_id, began=began)
    return StoredRun(
        address=TaskAddress(TaskId(task_id), Tenant("default")),
        session_id=session_id,
        began=began,
        expires_at=began,
        data=record.data,
        heading=record.heading,
    )


words = st.builds(ParentsWord, event_ids, texts, texts, texts)


@given(runs, st.lists(edges, max_size=4), st.lists(words, max_size=2), st.tuples(ids, ids), times)
def test_nothing_is_lost(
    run: Run, told: list[RunEdge], said: list[ParentsWord], under: tuple[str, str], began: Instant
) -> None:
    task_id, session_id = under
    kept = KeptRun(run, told, said)

    assert decode_run(stored(kept, task_id=task_id, session_id=session_id, began=began)) == kept


def test_every_field_is_known_here() -> None:
    assert Run.__struct_fields__ == (
        "run_id", "session_id", "agent", "ended_by", "workflow", "status", "started_at", "ended_at", "decisions",
    )  # fmt: skip
    assert RunEdge.__struct_fields__ == (
        "edge_id", "kind", "source", "target", "at", "session_id", "is_birth", "variant", "cost_attributed",
        "tokens_attributed", "label", "metadata", "group_key",
    )  # fmt: skip


@given(st.binary(max_size=60))
def test_foreign_bytes_are_no_record_and_no_error(data: bytes) -> None:
    address = TaskAddress(TaskId("T"))
    for told in (data, b"\x01" + data, b"\x01\x00\x00" + data, b"\x02\x00\x00\x00" + data):
        found = decode_run(
            StoredRun(address=address, session_id="S", began=BEGAN, expires_at=BEGAN, data=told)
        )
        assert found is None or isinstance(found, KeptRun)


def test_another_version_is_not_read() -> None:
    kept = KeptRun(Run(run_id="T", session_id="S"), [], [])
    record = stored(kept, task_id="T", session_id="S")

    assert decode_run(record) == kept
    assert decode_run(replace(record, data=b"\x03" + record.data[1:])) is None


def test_records_from_before_anybody_else_was_named_are_read_and_written_as_ever() -> None:
    run = Run(run_id="T", session_id="S", agent="price", status="failed")
    plain = stored(KeptRun(run, []), task_id="T", session_id="S")
    assert plain.data.hex() == "010670726963650040"
    ended = stored(KeptRun(replace(run, ended_by="charge"), []), task_id="T", session_id="S")
    assert ended.data.hex() == "02067072696365000763686172676540"
    assert ended.heading == len(ended.data) - 1


def test_an_ordinary_run_takes_little() -> None:
    run_id, source, session_id = (f"{number:032x}" for number in (2**127 + 1, 2**127 + 2, 2**127 + 3))
    run = Run(
        run_id=run_id, session_id=session_id, agent="invoice-writer", workflow="monthly-invoices",
        status="completed", started_at=Instant(BEGAN + 4_000), ended_at=Instant(BEGAN + 1_900_000),
    )  # fmt: skip
    birth = RunEdge(
        edge_id=f"{2**63:016x}.3", kind="spawn", source=source, target=run_id, at=BEGAN, session_id=session_id,
        is_birth=True,
    )  # fmt: skip
    record = stored(KeptRun(run, [birth]), task_id=run_id, session_id=session_id)

    assert record.data[: record.heading] == b"\x01\x0finvoice-writer\x11monthly-invoices"
    assert len(record.data) - record.heading == 34
