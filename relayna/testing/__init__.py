"""For tests of whoever uses relayna: trials of workers, graphs as tests, made-up histories, specs of projections.

The names below are loaded when they are first used: pytest imports this package in every project that has
relayna installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from relayna.testing.attempt_histories import AttemptHistory
    from relayna.testing.execution_assertions import ExecutionAssertions, NotAsExpected, assert_execution
    from relayna.testing.graph_reading import births, edges, node, nodes, observed_edges
    from relayna.testing.histories import TaskHistory, history
    from relayna.testing.projection_spec import Answered, Given, given, given_to
    from relayna.testing.scribe import Sent
    from relayna.testing.trial_report import NotInTime
    from relayna.testing.worker_trial import WorkerTrial

__all__ = [
    # trials of workers
    "NotInTime", "WorkerTrial",
    # made-up histories
    "AttemptHistory", "Sent", "TaskHistory", "history",
    # specifications of projections
    "Answered", "Given", "given", "given_to",
    # graphs as tests
    "ExecutionAssertions", "NotAsExpected", "assert_execution",
    # questions to graphs
    "births", "edges", "node", "nodes", "observed_edges",
]  # fmt: skip

_HOMES: Final = {
    "NotInTime": "relayna.testing.trial_report",
    "WorkerTrial": "relayna.testing.worker_trial",
    "AttemptHistory": "relayna.testing.attempt_histories",
    "Sent": "relayna.testing.scribe",
    **dict.fromkeys(("TaskHistory", "history"), "relayna.testing.histories"),
    **dict.fromkeys(("Answered", "Given", "given", "given_to"), "relayna.testing.projection_spec"),
    **dict.fromkeys(
        ("ExecutionAssertions", "NotAsExpected", "assert_execution"), "relayna.testing.execution_assertions"
    ),
    **dict.fromkeys(("births", "edges", "node", "nodes", "observed_edges"), "relayna.testing.graph_reading"),
}


def __getattr__(name: str) -> Any:  # Any: whatever the name stands for
    """Load a public name from its home (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
