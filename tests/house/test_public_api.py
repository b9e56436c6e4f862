"""The public API is what tests/public_api.txt says; a change to it is a decision, not an accident."""

from __future__ import annotations

import difflib

from tools.public_api import SNAPSHOT, described_api

RENEW = "The public API changed. If that is meant: `python -m tools.public_api --write`, and a line in CHANGELOG.md."


def test_the_public_api_is_the_written_one() -> None:
    written = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    changes = difflib.unified_diff(
        written, described_api().splitlines(), "written", "found", lineterm="", n=0
    )
    difference = "\n".join(changes)
    assert not difference, f"{RENEW}\n{difference}"
