"""Run records: runs and the edges that led to them, kept longer than their streams.

`records_of.py` makes them where tasks are folded, `encoding.py` says what their bytes mean, and `known_runs.py` reads
them. The store is behind the protocol in `relayna.streams.run_records`.
"""

from __future__ import annotations

from relayna.observability.run_records.encoding import KeptRun, decode_run, encode_run
from relayna.observability.run_records.retention import DEFAULT_LINEAGE_RETENTION_DAYS, RunRetention

__all__ = ["DEFAULT_LINEAGE_RETENTION_DAYS", "KeptRun", "RunRetention", "decode_run", "encode_run"]
