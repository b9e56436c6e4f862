"""Numbers and ids in few bytes come back as they were; other bytes are refused and nothing else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.streams.packing import PackedReader, PackedWriter, packed_id, unpacked_id

HEX = "00112233445566778899aabbccddeeff"

ids = st.one_of(
    st.text(st.characters(), max_size=40),
    st.uuids().map(str),
    st.uuids().map(lambda one: one.hex),
    st.sampled_from([HEX, HEX.upper(), HEX[1:], HEX + "0", "\ud800", "", "\0" * 16, "x" * 32]),
)


@given(ids, ids)
def test_every_id_comes_back_and_no_two_are_alike(one: str, other: str) -> None:
    assert unpacked_id(*packed_id(one)) == one
    assert (packed_id(one) == packed_id(other)) == (one == other)


def test_only_what_is_written_just_so_is_packed() -> None:
    assert packed_id(HEX) == (1, bytes.fromhex(HEX))
    assert packed_id(f"{HEX[:8]}-{HEX[8:12]}-{HEX[12:16]}-{HEX[16:20]}-{HEX[20:]}") == (2, bytes.fromhex(HEX))
    assert (
        packed_id(HEX.upper())[0]
        == packed_id(f"{HEX}\n")[0]
        == packed_id("\N{FULLWIDTH DIGIT ONE}" * 32)[0]
        == 0
    )


@given(st.lists(st.tuples(st.integers(0, 2**64), st.integers(-(2**63), 2**63), ids)))
def test_what_is_written_is_read(told: list[tuple[int, int, str]]) -> None:
    writer = PackedWriter()
    for number, signed, text in told:
        kind, packed = packed_id(text)
        writer.number(number)
        writer.signed(signed)
        writer.text(text)
        writer.number(kind)
        writer.id(kind, packed)
    reader = PackedReader(bytes(writer.data))
    for number, signed, text in told:
        assert (reader.number(), reader.signed(), reader.text()) == (number, signed, text)
        assert reader.id(reader.number()) == text

    assert reader.rest() == b""


@given(st.binary(max_size=40), st.integers(0, 9))
def test_other_bytes_raise_nothing_but_value_errors(data: bytes, kind: int) -> None:
    reader = PackedReader(data)
    with contextlib.suppress(ValueError):
        for _ in range(50):
            reader.signed()
            reader.text()
            reader.id(kind)


def test_a_number_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end"):
        PackedReader(b"\xff" * 50).number()
