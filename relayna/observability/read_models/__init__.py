"""Lists, failures, dead letters and statistics over all tasks: kept up beside the streams, and asked for.

`Indexer` keeps them up, `ExecutionLists` and `StatisticsService` answer from them, and `ReadModelProgress` says how
far behind the streams they are. The store is behind the protocol in `relayna.streams.read_models`.
"""

from __future__ import annotations

from relayna.observability.read_models.attempt_statistics import StatisticsService
from relayna.observability.read_models.indexer import Indexer, IndexerState
from relayna.observability.read_models.leases import LeaseTerms
from relayna.observability.read_models.lists import ExecutionLists
from relayna.observability.read_models.progress import ReadModelProgress
from relayna.observability.read_models.questions import (
    AsOf,
    AttemptStatistics,
    Durations,
    ExecutionPage,
    ExecutionsWanted,
    FailurePage,
    FailuresWanted,
    GroupOfAttempts,
    LetterPage,
    LettersWanted,
    ListedFailure,
    ListedLetter,
)
from relayna.observability.read_models.reindexing import Reindexing, ReindexProgress
from relayna.observability.read_models.sources import read_models_beside, run_records_beside

__all__ = [
    # keeping them up
    "Indexer", "IndexerState", "LeaseTerms", "ReindexProgress", "Reindexing",
    "read_models_beside", "run_records_beside",
    # asking
    "AsOf", "ExecutionLists", "ExecutionPage", "ExecutionsWanted", "FailurePage", "FailuresWanted", "LetterPage",
    "LettersWanted", "ListedFailure", "ListedLetter", "ReadModelProgress",
    # statistics
    "AttemptStatistics", "Durations", "GroupOfAttempts", "StatisticsService",
]  # fmt: skip
