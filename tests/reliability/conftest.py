"""The report of the reliability tests, and where they work."""

from __future__ import annotations

import pytest
from reliability.report import ReliabilityReport

_REPORT = pytest.StashKey[ReliabilityReport]()


@pytest.fixture
def reliability(request: pytest.FixtureRequest) -> ReliabilityReport:
    """Where a reliability test enters what it found."""
    return request.config.stash.setdefault(_REPORT, ReliabilityReport())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The suite's own report line."""
    report = config.stash.get(_REPORT, None)
    if report is not None:
        terminalreporter.section("reliability")
        for line in report.lines():
            terminalreporter.line(line)
