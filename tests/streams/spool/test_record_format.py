"""The format of segments: whatever happens to the bytes, whole records are found and nothing else is."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams.spool.spool_steps import flipped

from relayna.streams.spool.record_format import (
    FORMAT_VERSION,
    HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    RECORD_OVERHEAD,
    encode_header,
    encode_records,
    scan,
)

SALT = b"saltsalt"
OTHER = b"another!"


def segment(payloads: list[bytes], salt: bytes = SALT) -> bytes:
    return encode_header(salt) + encode_records(payloads, salt)


plain = st.binary(min_size=1, max_size=60) | st.integers(1, 400).map(bytes)
# A body that itself holds a segment, whole or in part, is what a careless scan falls for.
nested = st.builds(
    lambda inner, cut: segment(inner, OTHER)[cut:],
    st.lists(plain, min_size=1, max_size=3),
    st.integers(0, HEADER_BYTES),
)
records = st.lists(plain | nested, max_size=6)


def spans(payloads: list[bytes]) -> list[tuple[int, int]]:
    """Where each record lies."""
    found, start = [], HEADER_BYTES
    for payload in payloads:
        found.append((start, start + RECORD_OVERHEAD + len(payload)))
        start = found[-1][1]
    return found


@given(payloads=records)
def test_what_was_written_is_found(payloads: list[bytes]) -> None:
    found = scan(segment(payloads))
    assert (found.payloads, found.damaged, found.version) == (payloads, [], FORMAT_VERSION)


@given(payloads=records, data=st.data())
def test_whatever_happens_every_whole_record_is_found_and_nothing_else(
    payloads: list[bytes], data: st.DataObject
) -> None:
    sound = segment(payloads)
    bits = data.draw(st.sets(st.integers(0, len(sound) * 8 - 1), max_size=12), label="flipped bits")
    end = data.draw(st.just(len(sound)) | st.integers(0, len(sound)), label="cut at")
    touched = {bit // 8 for bit in bits}
    whole = [
        (payload, span)
        for payload, span in zip(payloads, spans(payloads), strict=True)
        if span[1] <= end and touched.isdisjoint(range(*span))
    ]
    found = scan(flipped(sound, bits)[:end], salt=SALT)
    assert found.payloads == [payload for payload, _ in whole]
    explained = sum(stop - start for _, (start, stop) in whole) + found.damaged_bytes
    header = HEADER_BYTES if end >= HEADER_BYTES and touched.isdisjoint(range(HEADER_BYTES)) else 0
    assert explained + header == end
    assert found.damaged == sorted(found.damaged)


def test_bytes_that_went_missing_cost_the_record_they_were_of() -> None:
    payloads = [b"before", b"some of this is missing", b"after"]
    sound = segment(payloads)
    hole = sound.index(b"missing")
    assert scan(sound[:hole] + sound[hole + 5 :]).payloads == [b"before", b"after"]


@given(noise=st.binary(max_size=400))
def test_nothing_is_found_in_noise(noise: bytes) -> None:
    found = scan(noise, salt=SALT)
    assert found.payloads == []
    assert found.damaged_bytes == len(noise)


def test_a_record_of_another_segment_is_not_taken_for_one() -> None:
    foreign = encode_records([b"foreign"], OTHER)
    assert scan(encode_header(SALT) + foreign).payloads == []
    assert scan(encode_header(SALT) + foreign).damaged == [(HEADER_BYTES, HEADER_BYTES + len(foreign))]


def test_what_lies_inside_a_damaged_record_stays_inside() -> None:
    outer = segment([segment([b"inner", b"more"], OTHER), b"next"])
    damaged = flipped(outer, [8 * HEADER_BYTES + 24])  # a bit of its length
    assert scan(damaged).payloads == [b"next"]


@pytest.mark.parametrize("salt", [None, SALT])
def test_a_header_of_which_the_salt_is_whole_is_enough(salt: bytes | None) -> None:
    damaged = flipped(segment([b"one"]), [0, 70])  # of the magic and of the version
    assert scan(damaged, salt=salt).payloads == [b"one"]


def test_a_header_without_its_salt_needs_the_name() -> None:
    damaged = flipped(segment([b"one"]), [8 * 12])
    assert scan(damaged, salt=SALT).payloads == [b"one"]
    assert scan(damaged).payloads == []


def test_a_sound_header_is_believed_before_a_name() -> None:
    assert scan(segment([b"one"]), salt=OTHER).payloads == [b"one"]


def test_a_newer_format_is_left_alone() -> None:
    header = struct.pack(">8sH8s", b"rlnspool", FORMAT_VERSION + 1, SALT)
    newer = header + struct.pack(">I", zlib.crc32(header)) + encode_records([b"one"], SALT)
    found = scan(newer)
    assert (found.version, found.payloads, found.damaged) == (FORMAT_VERSION + 1, [], [])


@pytest.mark.parametrize("size", [0, MAX_PAYLOAD_BYTES + 1])
def test_a_payload_has_a_size_that_is_believed(size: int) -> None:
    with pytest.raises(ValueError, match=f"a payload of {size} bytes"):
        encode_records([bytes(size)], SALT)


def test_the_longest_payload_is_found() -> None:
    longest = bytes(MAX_PAYLOAD_BYTES)
    assert scan(segment([longest, b"next"])).payloads == [longest, b"next"]


def test_the_format_is_the_written_one() -> None:
    header = b"rlnspool\x00\x01" + SALT
    length = b"\x00\x00\x00\x03"
    crc = zlib.crc32(length + b"one", zlib.crc32(SALT)).to_bytes(4)
    assert segment([b"one"]) == header + zlib.crc32(header).to_bytes(4) + length + crc + b"one"
