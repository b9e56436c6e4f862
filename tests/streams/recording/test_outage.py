"""An outage is told once when it begins and once when it ends."""

from __future__ import annotations

import logging

import pytest

from relayna.streams.recording.outage import Outage


def test_each_outage_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "relayna.recorder")
    outage = Outage()
    outage.ended()
    for _ in range(2):
        outage.began("No answer.")
        outage.began("No answer.")
        outage.ended()
        outage.ended()
    assert [record.getMessage()[:10] for record in caplog.records] == ["No answer.", "The store "] * 2


def test_a_store_that_must_be_helped_is_an_error_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    outage.began("It is away.")
    for _ in range(3):
        outage.began("It is full.", shut=True)
        outage.began("It is away.")
    assert [(record.levelname, record.message[:11]) for record in caplog.records] == [
        ("WARNING", "It is away."),
        ("ERROR", "It is full."),
    ]
