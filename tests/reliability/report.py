"""What the reliability tests found, summed up in one line that nobody types.

Owns the numbers and the line. `tests/conftest.py` prints it at the end of a run in which any of them ran.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

__all__ = ["Findings", "ReliabilityReport"]


class Findings(Struct, frozen=True, kw_only=True):
    """What one test did, and what it found."""

    tasks: int = 0
    events: int = 0
    """Entries of events in the streams that were looked at."""
    faults: int = 0
    """Servers killed, frozen or cut off, replies cut, queues deleted."""
    kills: int = 0
    """Worker processes that were killed, or killed themselves."""
    bad_inputs: int = 0
    lost: int = 0
    duplicated_in_log: int = 0
    """Allowed: at least once in the log, exactly once in the graph."""
    duplicated_in_graph: int = 0
    unexpected: int = 0
    silent_partials: int = 0
    """Graphs that say `full` and are not."""

    @property
    def clean(self) -> bool:
        """Whether nothing was found that must not be."""
        return not (self.lost or self.duplicated_in_graph or self.unexpected or self.silent_partials)


class ReliabilityReport:
    """The findings of one run."""

    def __init__(self) -> None:
        self.findings: list[tuple[str, Findings]] = []
        self.figures: list[str] = []
        """Measured, with units; judged only at full size, on a machine that does nothing else."""

    def measured(self, test: str, **figures: float | str) -> None:
        """Enter what a test measured: figures by name, a unit being part of the name."""
        told = (
            f"{name.replace('_', ' ')} {value:,.1f}"
            if isinstance(value, float)
            else f"{name.replace('_', ' ')} {value}"
            for name, value in figures.items()
        )
        self.figures.append(f"{test}: {', '.join(told)}")

    def add(self, test: str, findings: Findings) -> None:
        """Enter what a test found; it fails here when that is not clean."""
        self.findings.append((test, findings))
        assert findings.clean, f"{test}: {findings}"

    def handed_on(self) -> bytes:
        """All of it, for another process."""
        return msgspec.json.encode((self.findings, self.figures))

    def take_in(self, handed_on: bytes) -> None:
        """Add what another process found."""
        findings, figures = msgspec.json.decode(handed_on, type=tuple[list[tuple[str, Findings]], list[str]])
        self.findings += findings
        self.figures += figures

    def lines(self) -> list[str]:
        """One line a test, and the sum."""
        total = {
            name: sum(getattr(one, name) for _, one in self.findings) for name in Findings.__struct_fields__
        }
        return [
            *self.figures,
            *(f"{test}: {_words(asdict(one))}" for test, one in self.findings),
            f"in all {len(self.findings)} tests: {_words(total)}",
        ]


def _words(numbers: dict[str, int]) -> str:
    done = [f"{numbers[name]:,} {name.replace('_', ' ')}" for name in _DONE if numbers[name]]
    found = [f"{name.replace('_', ' ')} {numbers[name]:,}" for name in _FOUND]
    return f"{', '.join(done)}; {', '.join(found)}"


_DONE = ("tasks", "events", "faults", "kills", "bad_inputs")
_FOUND = ("lost", "duplicated_in_graph", "unexpected", "silent_partials", "duplicated_in_log")
