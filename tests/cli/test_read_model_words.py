"""What commands say of the age of what they read."""

from __future__ import annotations

import pytest

from relayna.cli.read_models import say_lag


@pytest.mark.parametrize(
    ("as_of", "lag_ms", "said"),
    [
        (None, None, ""),
        ("2026-01-01T00:00:00+00:00", 4_999, ""),
        ("2026-01-01T00:00:00+00:00", 90_000, "run records as of 2026-01-01T00:00:00+00:00, 1 min 30 s ago"),
    ],
)
def test_old_run_records_are_told_of(
    as_of: str | None, lag_ms: int | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say_lag(as_of, lag_ms)
    told = capsys.readouterr()

    assert (said in told.err, told.out) == (True, "")
    assert bool(told.err) is bool(said)
