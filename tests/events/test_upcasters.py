"""Old shapes become new ones, one version at a time."""

from __future__ import annotations

from typing import Any

import pytest

from relayna.events.upcasters import UPCASTERS, upcast
from relayna.events.vocabulary import CURRENT_VERSIONS


def split_name(fields: list[Any]) -> list[Any]:
    """Version 1 had one `name`; version 2 has first and last."""
    first, _, last = fields[0].partition(" ")
    return [first, last, *fields[1:]]


def seconds_to_milliseconds(fields: list[Any]) -> list[Any]:
    """Version 2 counted seconds; version 3 counts milliseconds."""
    return [*fields[:2], fields[2] * 1000]


CHAIN = {("PersonGreeted", 1): split_name, ("PersonGreeted", 2): seconds_to_milliseconds}
CURRENT = {"PersonGreeted": 3}


@pytest.mark.parametrize(
    ("version", "fields"),
    [(1, ["Ada Lovelace", 2]), (2, ["Ada", "Lovelace", 2]), (3, ["Ada", "Lovelace", 2000])],
)
def test_every_version_arrives_at_the_current_one(version: int, fields: list[Any]) -> None:
    arrived = upcast("PersonGreeted", version, fields, upcasters=CHAIN, current=CURRENT)
    assert arrived == ["Ada", "Lovelace", 2000]


@pytest.mark.parametrize("version", [0, -1, 4])
def test_a_version_without_a_way_is_none(version: int) -> None:
    assert upcast("PersonGreeted", version, ["x"], upcasters=CHAIN, current=CURRENT) is None


def test_a_broken_chain_is_none() -> None:
    chain = {("PersonGreeted", 1): split_name}
    assert upcast("PersonGreeted", 1, ["Ada Lovelace", 2], upcasters=chain, current=CURRENT) is None


def test_every_step_starts_from_a_known_type_and_an_earlier_version() -> None:
    assert [step for step in UPCASTERS if not 1 <= step[1] < CURRENT_VERSIONS[step[0]]] == []


def test_every_earlier_version_has_its_step() -> None:
    needed = {(name, version) for name, current in CURRENT_VERSIONS.items() for version in range(1, current)}
    assert set(UPCASTERS) == needed
