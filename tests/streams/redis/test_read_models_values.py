"""Rows, counts and checkpoints as bytes, and back."""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams.log_harness import address
from streams.read_models_harness import row_for, some_rows

from relayna.errors import StoreRefused
from relayna.ids import StreamId, TaskId
from relayna.instants import Instant
from relayna.streams.read_models import Checkpoint, CountKey, IndexTerm, Row
from relayna.streams.redis.read_models_values import (
    checkpoint_text,
    count_field,
    read_checkpoint,
    read_count,
    read_row,
    row_field,
    row_value,
)
from relayna.streams.redis.row_words import ROW_WORDS

texts = st.text(st.characters(), max_size=8)


@given(some_rows)
def test_a_row_comes_back(row: Row) -> None:
    assert read_row(row.address, row_value(row), key="rows") == row


@given(some_rows, st.sampled_from([b"\x02", b"\x03"]), st.binary(max_size=40))
def test_whatever_lies_there_is_a_row_or_refused(row: Row, layout: bytes, value: bytes) -> None:
    with contextlib.suppress(StoreRefused):
        assert isinstance(read_row(row.address, layout + value, key="rows"), Row)


@pytest.mark.parametrize(
    ("layout", "terms", "counts"),
    [
        (b"\x03", [b"name", b"value"], {}),
        (b"\x03", [b"\xff", b"value", b"ref"], {}),
        (b"\x03", [], {7: {b"group": [b"\xff", 1]}}),
        (b"\x02", ["name", "value"], {}),
        (b"\x02", [b"name", b"value", b"ref"], {}),
        (b"\x02", [], {7: {"group": ["runs"]}}),
        (b"\x02", [], {7: {"group": [1, 1]}}),
    ],
)
def test_terms_and_counts_that_are_none_are_refused(layout: bytes, terms: list, counts: dict) -> None:
    stored = msgspec.msgpack.encode([(1, 0), 0, b"", {0: terms}, counts])
    with pytest.raises(StoreRefused, match="`relayna reindex`"):
        read_row(address("t"), layout + zlib.compress(stored, wbits=-12), key="rows")


def test_the_words_change_with_the_layout_alone() -> None:
    digest = hashlib.sha256(ROW_WORDS).hexdigest()[:16]

    assert (row_value(row_for("t"))[:1], digest) == (b"\x02", "abf885fa3b7dc4c1")
    assert len(ROW_WORDS) < 4_096 - 512


@pytest.mark.parametrize("task_id", ["order/7", "0f" * 16, "c5b16522-4a58-b791-df6a-f1d8303e61cd"])
def test_a_row_does_not_say_its_task_again(task_id: str) -> None:
    terms = [
        IndexTerm("tasks:all:started_at", "", Instant(7)),
        IndexTerm("tasks:status:started_at", task_id, Instant(7)),
    ]
    row = row_for(task_id, *terms, counts={CountKey(7, "g", "m"): 3}, data=task_id.encode())

    assert read_row(row.address, row_value(row), key="rows") == row
    assert len(row_value(row)) < 60


@given(st.lists(st.tuples(texts, texts), min_size=2, max_size=2, unique=True))
def test_each_count_has_a_field_of_its_own(names: list[tuple[str, str]]) -> None:
    keys = [CountKey(7, group, measure) for group, measure in names]

    assert [read_count(7, count_field(key)) for key in keys] == keys
    assert len({count_field(key) for key in keys}) == 2


@given(st.lists(texts, min_size=2, max_size=2, unique=True))
def test_each_task_has_a_field_of_its_own(names: list[str]) -> None:
    assert len({row_field(TaskId(name)) for name in names}) == 2


def test_minted_ids_and_uuids_have_short_fields_of_their_own() -> None:
    digits = "00112233445566778899aabbccddeeff"
    names = [digits, str(UUID(digits)), bytes.fromhex(digits).decode(errors="replace"), digits.upper()]

    assert [len(row_field(name)) for name in names[:2]] == [17, 17]
    assert len({row_field(name) for name in names}) == 4


@pytest.mark.parametrize("position", ["0-0", "1767225600000-18446744073709551615"])
def test_a_checkpoint_comes_back(position: str) -> None:
    checkpoint = Checkpoint(fold_version=1_001, position=StreamId(position))
    assert read_checkpoint(checkpoint_text(checkpoint).encode()) == checkpoint
