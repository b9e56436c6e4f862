"""Whether questions about lineage are answered at all. Owns how they are refused while they are not."""

from __future__ import annotations

from relayna.api.problems import RequestRefused
from relayna.settings import lineage_reads

__all__ = ["refuse_while_lineage_is_off"]


def refuse_while_lineage_is_off() -> None:
    """Raises `RequestRefused` (404) unless `RELAYNA_LINEAGE_READ` is on at this moment."""
    if not lineage_reads():
        hint = "Whoever runs the service can set RELAYNA_LINEAGE_READ."
        raise RequestRefused(404, "lineage_is_off", "This service answers no questions about lineage.", hint)
