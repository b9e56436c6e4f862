"""Records of one tenant's runs in one shard: from what is to be kept to commands of `fenced.lua`.

Owns in how many parts a week is kept, and that a record lies in one place only. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from relayna.ids import Tenant
from relayna.streams.keys import KeyGrammar
from relayna.streams.redis.run_records_values import (
    LARGEST_PARTS,
    Directory,
    KeptWeek,
    Placement,
    continued_fields,
    heading_code,
    part_of,
    placement_of,
    run_field,
    run_fields,
    week_value,
)
from relayna.streams.run_records import SPARE_DAYS, StoredRun

__all__ = ["RunChanges", "first_parts", "fitting_parts", "weeks_to_begin"]

_DAY_MS: Final = 86_400_000
_FEWEST_PARTS: Final = 4
_PARTS_OF_A_WEEK: Final = 4_096
"""Over all shards, where nothing is known yet: right for 50,000 to 500,000 runs a week."""
_FIELDS_A_PART: Final = 40
"""Aimed at: servers pack up to 128, and a key costs as much as two records."""
_HEADINGS: Final = 256
"""Of one tenant in one shard; what else records begin with stays with them."""
_LONGEST_HEADING: Final = 255
_SHORTEST_HEADING: Final = 3
"""Its code has 2 bytes."""

Command = tuple[str, str, list[bytes | str | int] | None]
"""Its name, its key and its words."""


class RunChanges:
    """Gathers records to be written at one moment, decided on the directory as it was read."""

    def __init__(self, keys: KeyGrammar, shard: int, tenant: Tenant, directory: Directory) -> None:
        """Weeks that are begun must be told with `begin` first."""
        self._keys = keys
        self._shard = shard
        self._tenant = tenant
        self._weeks = dict(directory.weeks)
        self._headings = dict(directory.headings)
        self._new_headings: dict[bytes, bytes] = {}
        self._begun = False
        self._until: dict[int, int] = {}
        """By week, how long it is to be kept from now on."""
        self._written: dict[tuple[int, int], dict[bytes, bytes]] = {}
        """By week and part."""
        self._removed: dict[tuple[int, int], set[bytes]] = {}
        self._parts_until: dict[tuple[int, int], int] = {}

    def begin(self, week: int, parts: int) -> None:
        """Keep a week that the directory does not know in so many parts."""
        self._weeks[week] = KeptWeek(parts, 0)
        self._begun = True

    def take(self, run: StoredRun, before: Placement | None) -> Placement:
        """Write this record, and remove it from where it lay before; says where it lies now.

        One of an earlier week stays: that of a run whose stream had expired when it was heard of again.
        """
        self._keep_heading(run)
        fields = run_fields(run, self._headings)
        place = placement_of(run, len(fields))
        part = place.week, part_of(place.spot, self._weeks[place.week].parts)
        if before is not None and before.week >= place.week:
            self.remove(run.address.task_id, before)
        self._written.setdefault(part, {}).update(fields)
        until = -(-(run.expires_at // 1000 + SPARE_DAYS * _DAY_MS) // _DAY_MS) * _DAY_MS
        self._parts_until[part] = max(self._parts_until.get(part, 0), until)
        if until > self._weeks[place.week].until_ms:
            self._until[place.week] = max(self._until.get(place.week, 0), until)
        return place

    def remove(self, task_id: str, before: Placement) -> None:
        """Remove a record from where it lay."""
        week = self._weeks.get(before.week)
        if week is None:
            return
        name = run_field(task_id)
        lay = before.week, part_of(before.spot, week.parts)
        self._removed.setdefault(lay, set()).update([name, *continued_fields(name, before.pieces)])

    def commands(self) -> Iterator[Command]:
        """What is to be done, in order."""
        directory = self._keys.runs(self._shard, self._tenant)
        told: list[bytes | str | int] = []
        for week, until in self._until.items():
            told += (str(week), week_value(KeptWeek(self._weeks[week].parts, until)))
        for code, heading in self._new_headings.items():
            told += (b"h" + code, heading)
        if self._begun:
            yield "sweep", directory, None
        if told:
            yield "HSET", directory, told
        if self._parts_until:
            yield "outlive", directory, [max(self._parts_until.values())]
        for part, gone in self._removed.items():
            left = sorted(gone - self._written.get(part, {}).keys())
            if left:
                yield "HDEL", self._key(part), list(left)
        for part, fields in self._written.items():
            yield "HSET", self._key(part), [word for pair in fields.items() for word in pair]
            yield "outlive", self._key(part), [self._parts_until[part]]

    def _key(self, part: tuple[int, int]) -> str:
        return self._keys.runs_of(self._shard, self._tenant, *part)

    def _keep_heading(self, run: StoredRun) -> None:
        heading = run.data[: max(0, run.heading)]
        if not _SHORTEST_HEADING <= len(heading) <= _LONGEST_HEADING or len(self._headings) >= _HEADINGS:
            return
        code = heading_code(heading)
        if code not in self._headings:
            self._headings[code] = self._new_headings[code] = heading


def first_parts(shard_count: int) -> int:
    """In how many parts a shard keeps a week when it knows no other.

    >>> first_parts(1), first_parts(64), first_parts(4_096)
    (1024, 64, 4)
    """
    return min(max(_FEWEST_PARTS, _power_of_two(_PARTS_OF_A_WEEK // shard_count)), LARGEST_PARTS // 4)


def fitting_parts(parts: int, fields: Sequence[int]) -> int:
    """In how many parts to keep a week like one of so many, of which some have so many fields.

    >>> fitting_parts(64, [10, 6]), fitting_parts(64, [700]), fitting_parts(64, [])
    (8, 1024, 4)
    """
    each = sum(fields) / len(fields) if fields else 0
    wanted = _power_of_two(round(parts * each / _FIELDS_A_PART))
    return min(max(_FEWEST_PARTS, wanted), LARGEST_PARTS)


def weeks_to_begin(runs: Sequence[StoredRun], weeks: Mapping[int, KeptWeek]) -> list[int]:
    """Weeks of these runs that the directory does not know."""
    return sorted({placement_of(run, 1).week for run in runs} - weeks.keys())


def _power_of_two(number: int) -> int:
    """The one not above it, and 1 at least."""
    return 1 << max(0, number.bit_length() - 1)
