"""For tests of whoever uses relayna: made-up histories, specifications of projections, questions to graphs."""

from relayna.testing.attempt_histories import AttemptHistory
from relayna.testing.graph_reading import births, edges, node, nodes, observed_edges
from relayna.testing.histories import TaskHistory, history
from relayna.testing.projection_spec import Answered, Given, given, given_to
from relayna.testing.scribe import Sent

__all__ = [
    "Answered", "AttemptHistory", "Given", "Sent", "TaskHistory", "births", "edges", "given", "given_to",
    "history", "node", "nodes", "observed_edges",
]  # fmt: skip
