"""Instants: whole microseconds since 1970-01-01 UTC, and the one parser and printer of times.

Owns every conversion between text and time. Never asks what time it is (`relayna.clock` does).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType

__all__ = ["UNTIMED", "Instant", "format_instant", "milliseconds_between", "parse_instant"]

Instant = NewType("Instant", int)
"""Microseconds since the Unix epoch, UTC."""

UNTIMED = Instant(-(2**62))
"""The time of a record that has none; before every real instant, and never printed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LATEST = (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LEAP_SECOND = re.compile(r"^([\dW-]{7,10}[T ]\d\d:?\d\d:?)60((?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)$")
_NUMBER = re.compile(r"^[+-]?\d+(?:\.\d+)?$")
_LONGEST_TEXT = 64
_DIGITS = tuple(f"{number:03d}" for number in range(1000))
"""Graphs of long histories have hundreds of thousands of times: looking digits up is faster than formatting."""


def parse_instant(value: object) -> Instant | None:
    """Read a time written in any usual way; `None` when it is not one. Never raises.

    Takes ISO 8601 with `Z`, an offset or neither (read as UTC), its compact forms, leap seconds,
    `datetime` objects, and epoch numbers in seconds, milliseconds, microseconds or nanoseconds
    (told apart by size: nobody's tasks ran before 1973 in milliseconds).

    >>> parse_instant("1970-01-01T00:00:01Z"), parse_instant("1970-01-01T02:00:01+02:00")
    (1000000, 1000000)
    >>> parse_instant("next tuesday") is None
    True
    """
    match value:
        case bool():
            return None
        case int() | float():
            return _from_epoch(value)
        case datetime():
            return _from_datetime(value)
        case str() if len(value) <= _LONGEST_TEXT:
            return _from_text(value.strip())
        case _:
            return None


def format_instant(instant: Instant) -> str:
    """ISO 8601 with `+00:00`, microseconds only when there are any.

    An instant that no calendar holds (damaged data) is printed as the nearest one that does.

    >>> format_instant(Instant(1_500_000))
    '1970-01-01T00:00:01.500000+00:00'
    """
    if not _EARLIEST <= instant <= _LATEST:
        instant = Instant(_EARLIEST if instant < _EARLIEST else _LATEST)
    seconds, micros = divmod(instant, 1_000_000)
    if not micros:
        return f"{_whole_second(seconds)}+00:00"
    thousands, rest = divmod(micros, 1000)
    return f"{_whole_second(seconds)}.{_DIGITS[thousands]}{_DIGITS[rest]}+00:00"


def milliseconds_between(start: Instant, end: Instant) -> int:
    """Whole milliseconds from start to end, never negative."""
    return (end - start) // 1000 if end > start else 0


@lru_cache(maxsize=4096)
def _whole_second(seconds: int) -> str:
    # Events of one task share their seconds; the date arithmetic is the dear part of printing.
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def _from_epoch(value: float) -> Instant | None:
    size = abs(value)
    if not size < 1e30:  # also NaN and the infinities
        return None
    if size < 1e11:
        micros = round(value * 1_000_000)
    elif size < 1e14:
        micros = round(value * 1_000)
    elif size < 1e17:
        micros = round(value)
    else:
        micros = int(value) // 1_000
    return Instant(micros) if _EARLIEST <= micros <= _LATEST else None


def _from_datetime(value: datetime) -> Instant | None:
    try:
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        micros = (aware - _EPOCH) // _MICROSECOND
    except (OverflowError, ValueError):
        return None
    return Instant(micros) if _EARLIEST <= micros <= _LATEST else None


def _from_text(text: str) -> Instant | None:
    is_date = len(text) in (8, 14) and text.isdigit()  # 20260101 and 20260101093000
    if _NUMBER.match(text) and not is_date:
        return _from_epoch(int(text) if text.lstrip("+-").isdigit() else float(text))
    if is_date and len(text) == 14:
        text = f"{text[:8]}T{text[8:]}"
    text = text.upper()
    leap = _LEAP_SECOND.match(text)
    if leap:
        before = _from_text(f"{leap[1]}59{leap[2]}")
        return None if before is None else Instant(min(before + 1_000_000, _LATEST))
    try:
        return _from_datetime(datetime.fromisoformat(text))
    except ValueError:
        return None
