"""Times: every usual spelling is read to the same instant, everything else is none, nothing raises."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.instants import UNTIMED, Instant, format_instant, milliseconds_between, parse_instant

NOON = Instant(1_767_268_800_000_000)  # 2026-01-01T12:00:00Z
HALF = Instant(NOON + 500_000)
EARLIEST = parse_instant("0001-01-01T00:00:00Z")
LATEST = parse_instant("9999-12-31T23:59:59.999999Z")
assert EARLIEST is not None
assert LATEST is not None

instants = st.integers(EARLIEST, LATEST).map(Instant)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01t12:00:00z", NOON),
        ("2026-01-01T12:00:00", NOON),
        ("2026-01-01 12:00:00", NOON),
        ("  2026-01-01T12:00:00Z\n", NOON),
        ("2026-01-01T12:00Z", NOON),
        ("2026-01-01T12Z", NOON),
        ("2026-01-01T14:00:00+02:00", NOON),
        ("2026-01-01T14:00:00+0200", NOON),
        ("2026-01-01T14:00:00+02", NOON),
        ("2025-12-31T22:30:00-13:30", NOON),
        ("2026-01-01T12:00:00.5Z", HALF),
        ("2026-01-01T12:00:00,5Z", HALF),
        ("2026-01-01T12:00:00.500000", HALF),
        ("2026-01-01T12:00:00.500000999Z", HALF),
        ("20260101T120000Z", NOON),
        ("20260101T120000.5Z", HALF),
        ("20260101T120000", NOON),
        ("20260101120000", NOON),
        ("20260101", NOON - 12 * 3_600_000_000),
        ("2026-01-01", NOON - 12 * 3_600_000_000),
        ("2026-W01-4T12:00:00Z", NOON),
    ],
)
def test_iso_8601_is_read_in_every_form(text: str, expected: int) -> None:
    assert parse_instant(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250000+00:00"),
        ("2017-01-01T01:59:60+02:00", "2017-01-01T00:00:00+00:00"),
        ("20161231T235960Z", "2017-01-01T00:00:00+00:00"),
        ("20161231235960", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31 23:59:60", "2017-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:60Z", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_a_leap_second_is_the_first_of_the_next_minute(text: str, expected: str) -> None:
    instant = parse_instant(text)
    assert instant is not None
    assert format_instant(instant) == expected


@pytest.mark.parametrize("fraction", ["123460", "000060", "12345660", "6060"])
def test_a_fraction_that_ends_in_sixty_is_no_leap_second(fraction: str) -> None:
    expected = NOON + int(fraction[:6].ljust(6, "0"))
    assert parse_instant(f"2026-01-01T12:00:00.{fraction}Z") == expected


@pytest.mark.parametrize(
    "value",
    [
        1_767_268_800,
        1_767_268_800.0,
        1_767_268_800_000,
        1_767_268_800_000_000,
        1_767_268_800_000_000_000,
        "1767268800",
        "1767268800.000",
        "1767268800.0",
        "+1767268800",
        "1767268800000",
        "1767268800000000",
        "1767268800000000000",
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        datetime(2026, 1, 1, 12),  # noqa: DTZ001 - naive on purpose: read as UTC
        datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_epoch_numbers_and_datetimes_are_read(value: Any) -> None:
    assert parse_instant(value) == NOON


def test_epoch_fractions_are_kept() -> None:
    assert (
        parse_instant(1_767_268_800.5)
        == parse_instant("1767268800.5")
        == parse_instant(1_767_268_800_500)
        == HALF
    )


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, b"2026-01-01", [], {}, object(), date(2026, 1, 1), timedelta(1),
        "", " ", "next tuesday", "2026-13-01T00:00:00Z", "2026-02-30", "2026-01-01T25:00:00Z", "2026-01-01T12:60:00Z",
        "2026-01-01T12:00:61Z", "1e9", "0x10", "nan", "inf", "--1", "1.2.3", "\ud800", "\x00", "9" * 63, "9" * 100_000,
        float("nan"), float("inf"), -float("inf"), 1e300, 10**400, -(10**400),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else type(value).__name__,
)  # fmt: skip
def test_what_is_no_time_is_none(value: Any) -> None:
    assert parse_instant(value) is None


@given(instant=instants)
def test_what_is_printed_is_read_back(instant: Instant) -> None:
    printed = format_instant(instant)
    assert printed.endswith("+00:00")
    assert parse_instant(printed) == instant


@given(instant=instants)
def test_printed_times_say_microseconds_only_when_there_are_any(instant: Instant) -> None:
    assert ("." in format_instant(instant)) == (instant % 1_000_000 != 0)


@given(first=instants, second=instants)
def test_printed_times_sort_as_instants_do(first: Instant, second: Instant) -> None:
    whole = [Instant(instant // 1_000_000 * 1_000_000) for instant in (first, second)]
    assert (format_instant(whole[0]) < format_instant(whole[1])) == (whole[0] < whole[1])


@given(moment=st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=offsets))  # noqa: DTZ001 - hypothesis adds the zone
def test_an_offset_changes_the_spelling_and_not_the_instant(moment: datetime) -> None:
    expected = parse_instant(moment.astimezone(UTC))
    assert expected is not None
    assert parse_instant(moment) == parse_instant(moment.isoformat()) == expected


@given(value=st.from_type(object) | st.floats() | st.integers() | st.datetimes(timezones=st.none() | offsets))
def test_no_value_raises(value: object) -> None:
    instant = parse_instant(value)
    assert instant is None or EARLIEST <= instant <= LATEST  # type: ignore[operator]


@given(text=st.text(st.sampled_from("0123456789-:.,+TZWtz e"), max_size=40) | st.text(st.characters()))
def test_no_text_raises(text: str) -> None:
    instant = parse_instant(text)
    assert instant is None or EARLIEST <= instant <= LATEST  # type: ignore[operator]


@given(instant=st.integers())
def test_printing_never_raises_not_even_on_damaged_data(instant: int) -> None:
    printed = parse_instant(format_instant(Instant(instant)))
    assert printed == max(EARLIEST, min(instant, LATEST))  # type: ignore[type-var]


def test_the_untimed_are_before_every_time() -> None:
    assert UNTIMED < EARLIEST  # type: ignore[operator]


@given(start=instants, end=instants)
def test_durations_are_whole_milliseconds_and_never_negative(start: Instant, end: Instant) -> None:
    duration = milliseconds_between(start, end)
    assert duration == (0 if end < start else (end - start) // 1000)
