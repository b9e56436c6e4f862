"""An analysis as data frames, for notebooks: what took how long, and the critical path.

Owns their columns and order. Needs `pandas`, the extra `relayna[dataframes]`, which is imported only here and only when
a frame is asked for.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from relayna.errors import ConfigurationError
from relayna.projections.trace.breakdown import PhaseTable
from relayna.projections.trace.profile import ProfileSummary

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["compute_frame", "critical_path_frame", "network_frame"]


def compute_frame(summary: ProfileSummary) -> DataFrame:
    """A row for each kind of computing: `event_type`, `count` and seconds, the greatest total first.

    Raises `ConfigurationError` without the extra, as all of these.
    """
    return _phases(summary.e2e_breakdown.hardware_summary)


def network_frame(summary: ProfileSummary) -> DataFrame:
    """A row for each kind of transfer, as of `compute_frame`; a total counts what overlaps once."""
    return _phases(summary.e2e_breakdown.network_summary)


def critical_path_frame(summary: ProfileSummary) -> DataFrame:
    """A row for each run that decided the end, the one that took longest first; `position` is its place on the path.

    Columns: `data_id`, `position` from 0, `active_seconds`, `wait_seconds`, `total_seconds`.
    """
    path = summary.critical_path
    told = None if path is None else path.active_wait_breakdown
    active, wait = ([], []) if told is None else (told.active_seconds, told.wait_seconds)
    frame = _pandas().DataFrame(
        {
            "data_id": [] if told is None else told.data_id,
            "position": range(len(active)),
            "active_seconds": active,
            "wait_seconds": wait,
            "total_seconds": [one + other for one, other in zip(active, wait, strict=True)],
        }
    )
    return _sorted(frame)


def _phases(table: PhaseTable) -> DataFrame:
    columns = {name: getattr(table, name) for name in PhaseTable.__struct_fields__}
    return _sorted(_pandas().DataFrame(columns))


def _sorted(frame: DataFrame) -> DataFrame:
    return frame.sort_values("total_seconds", ascending=False, kind="stable", ignore_index=True)


def _pandas() -> ModuleType:
    try:
        import pandas
    except ImportError:
        raise ConfigurationError(
            "Data frames need `pandas`. Install relayna with its extra `dataframes`."
        ) from None
    return pandas
