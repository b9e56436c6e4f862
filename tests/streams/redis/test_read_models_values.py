"""Rows, counts and checkpoints as bytes, and back."""

from __future__ import annotations

import contextlib
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams.log_harness import address
from streams.read_models_harness import some_rows

from relayna.errors import StoreRefused
from relayna.ids import StreamId, TaskId
from relayna.streams.read_models import Checkpoint, CountKey, Row
from relayna.streams.redis.read_models_values import (
    checkpoint_text,
    count_field,
    read_checkpoint,
    read_count,
    read_row,
    row_field,
    row_value,
)

texts = st.text(st.characters(), max_size=8)


@given(some_rows)
def test_a_row_comes_back(row: Row) -> None:
    assert read_row(row.address, row_value(row), key="rows") == row


@given(some_rows, st.binary(max_size=40))
def test_whatever_lies_there_is_a_row_or_refused(row: Row, value: bytes) -> None:
    with contextlib.suppress(StoreRefused):
        assert isinstance(read_row(row.address, b"\x01" + value, key="rows"), Row)


@pytest.mark.parametrize("terms", [[b"name", b"value"], [b"\xff", b"value", b"ref"]])
def test_terms_that_are_none_are_refused(terms: list[bytes]) -> None:
    stored = msgspec.msgpack.encode([(1, 0), 0, b"", {0: terms}, {}])
    with pytest.raises(StoreRefused, match="`relayna reindex`"):
        read_row(address("t"), b"\x01" + zlib.compress(stored, wbits=-zlib.MAX_WBITS), key="rows")


@given(st.lists(st.tuples(texts, texts), min_size=2, max_size=2, unique=True))
def test_each_count_has_a_field_of_its_own(names: list[tuple[str, str]]) -> None:
    keys = [CountKey(7, group, measure) for group, measure in names]

    assert [read_count(7, count_field(key)) for key in keys] == keys
    assert len({count_field(key) for key in keys}) == 2


@given(st.lists(texts, min_size=2, max_size=2, unique=True))
def test_each_task_has_a_field_of_its_own(names: list[str]) -> None:
    assert len({row_field(TaskId(name)) for name in names}) == 2


@pytest.mark.parametrize("position", ["0-0", "1767225600000-18446744073709551615"])
def test_a_checkpoint_comes_back(position: str) -> None:
    checkpoint = Checkpoint(fold_version=1_001, position=StreamId(position))
    assert read_checkpoint(checkpoint_text(checkpoint).encode()) == checkpoint
