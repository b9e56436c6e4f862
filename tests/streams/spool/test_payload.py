"""What a record of the spool says."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.ids import TaskId, Tenant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append, Tells
from relayna.streams.spool.payload import decode_append, encode_append

texts = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    task_id=texts,
    tenant=texts,
    frame=st.binary(max_size=50),
    tells=st.sampled_from(["open", "ended", None]),
)
def test_an_append_reads_back(task_id: str, tenant: str, frame: bytes, tells: Tells | None) -> None:
    append = Append(TaskAddress(TaskId(task_id), Tenant(tenant)), frame, tells)
    assert decode_append(encode_append(append)) == append


def test_an_id_is_spelled_as_the_codec_stores_it() -> None:
    read = decode_append(encode_append(Append(TaskAddress(TaskId("a\ud800")), b"")))
    assert read == Append(TaskAddress(TaskId("a\ufffd")), b"")


def test_fields_that_a_newer_version_adds_are_passed_over() -> None:
    newer = msgspec.msgpack.encode(["default", "order", b"frame", "ended", 7, {"more": True}])
    assert decode_append(newer) == Append(TaskAddress(TaskId("order")), b"frame", "ended")


@pytest.mark.parametrize("fields", [[], ["paused"], [7], [None]])
def test_a_frame_that_says_nothing_known_of_its_task_is_whole(fields: list[object]) -> None:
    record = msgspec.msgpack.encode(["default", "order", b"frame", *fields])
    assert decode_append(record) == Append(TaskAddress(TaskId("order")), b"frame")


@pytest.mark.parametrize("strange", [b"", b"\xc1", b"text", msgspec.msgpack.encode(["default", "order"])])
def test_what_is_no_append_is_nothing(strange: bytes) -> None:
    assert decode_append(strange) is None


@given(noise=st.binary(max_size=60))
def test_reading_never_raises(noise: bytes) -> None:
    read = decode_append(noise)
    assert read is None or isinstance(read, Append)
