"""Every benchmark, registered once. A new one is a file in `cases/` and a line here."""

from __future__ import annotations

from typing import Final

from benchmarks.case import Case
from benchmarks.cases.append import APPEND
from benchmarks.cases.capacity import CAPACITY
from benchmarks.cases.cluster import CLUSTER
from benchmarks.cases.codec import CODEC
from benchmarks.cases.consumer import CONSUMER
from benchmarks.cases.fold import FOLD
from benchmarks.cases.imports import IMPORTS
from benchmarks.cases.lineage import LINEAGE
from benchmarks.cases.live import LIVE
from benchmarks.cases.memory import MEMORY
from benchmarks.cases.outage import OUTAGE
from benchmarks.cases.rabbitmq import RABBITMQ
from benchmarks.cases.read_path import READ_PATH
from benchmarks.cases.record import RECORD
from benchmarks.cases.scale import SCALE
from benchmarks.cases.trace import TRACE

__all__ = ["CASES"]

CASES: Final[tuple[Case, ...]] = (
    CODEC, RECORD, APPEND, CLUSTER, FOLD, LINEAGE, READ_PATH, LIVE, CONSUMER, RABBITMQ, OUTAGE, TRACE,
    IMPORTS, MEMORY, CAPACITY, SCALE,
)  # fmt: skip
