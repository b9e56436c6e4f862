"""What may be asked of a graph, whether it is fetched or followed. Owns these parameters, said once for both."""

from __future__ import annotations

from typing import Final

from relayna.api.endpoint import Parameter
from relayna.observability.graph_question import DEFAULT_VIEW, MAX_DEPTH
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.projections.graph_view import COLLAPSES, GRAPH_VIEWS

__all__ = ["COLLAPSE", "DEPTH", "VIEW"]

DEPTH: Final = Parameter(
    name="depth",
    about="Generations of children drawn with their own attempts.",
    schema={"type": "integer", "minimum": 0, "maximum": MAX_DEPTH, "default": DEFAULT_DEPTH},
)
VIEW: Final = Parameter(
    name="view",
    about="The part to be shown.",
    schema={"type": "string", "enum": list(GRAPH_VIEWS), "default": DEFAULT_VIEW},
)
COLLAPSE: Final = Parameter(
    name="collapse",
    about="What to fold into one node each: " + ", ".join(COLLAPSES) + ", separated by commas.",
    schema={"type": "string", "pattern": "^({0})(,({0}))*$".format("|".join(COLLAPSES))},
)
