"""Mints: random ids for real work, counted ones for what must repeat."""

from __future__ import annotations

import re

import pytest

from relayna.mint import CountingMint, Mint, RandomMint

SHAPES = {"attempt_id": 16, "message_id": 32, "producer": 8}


@pytest.mark.parametrize("mint", [RandomMint(), CountingMint()], ids=lambda mint: type(mint).__name__)
@pytest.mark.parametrize(("what", "digits"), SHAPES.items())
def test_ids_are_hex_of_one_length_and_differ(mint: Mint, what: str, digits: int) -> None:
    minted = [getattr(mint, what)() for _ in range(100)]
    assert len(set(minted)) == 100
    assert all(re.fullmatch(f"[0-9a-f]{{{digits}}}", one) for one in minted)


def test_a_counting_mint_repeats_itself_from_the_start() -> None:
    runs = [
        [mint.attempt_id(), mint.message_id(), mint.producer()] for mint in (CountingMint(), CountingMint())
    ]
    assert runs[0] == runs[1] == ["0000000000000001", f"{2:032x}", "00000003"]
