"""Signals: the default counter takes everything and keeps nothing."""

from __future__ import annotations

from relayna.signals import Counters, IgnoredCounters


def test_the_default_takes_any_count_and_any_label() -> None:
    counters: Counters = IgnoredCounters()
    counters.increment("records", outcome="appended")
    counters.increment("records", 5)
    assert vars(counters) == {}
