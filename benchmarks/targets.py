"""What each figure should keep. A target is never met by leaving work out of what is measured."""

from __future__ import annotations

from typing import Final

from benchmarks.figures import Target

__all__ = [
    "APPEND_BESIDE_RAW", "APPEND_CLUSTER", "APPEND_FEW_TASKS", "CONSUMER_OVERHEAD", "DISABLED_CALL_SITE", "DURABLE_BUDGET",
    "FOLD_GROWTH", "FOLD_LARGE", "FOLD_SMALL", "GRAPH_BESIDE_XRANGE", "GRAPH_LARGE", "GRAPH_MEMORY",
    "GRAPH_MIDDLE", "IMPORT", "HELP", "LINEAGE_END_TO_END", "LINEAGE_FOLD_GROWTH", "LIVE_CONNECTIONS", "LIVE_MEDIAN", "LIVE_SLOWEST", "OUTAGE_BESIDE_UP",
    "RECORD_MEDIAN", "RECORD_SLOWEST", "SESSION_ANALYSED",
]  # fmt: skip

RECORD_MEDIAN: Final = Target("P1", most=3)
"""µs a call, whatever the store does."""
RECORD_SLOWEST: Final = Target("P1", most=50)
"""µs, 99th percentile."""
DISABLED_CALL_SITE: Final = Target("P2", most=0.3)
"""µs a call site."""
APPEND_BESIDE_RAW: Final = Target("P3", least=0.85)
"""Of what raw commands carry in the same run."""
APPEND_CLUSTER: Final = Target("P3", least=60_000)
"""Events a second into three masters."""
APPEND_FEW_TASKS: Final = Target("P3", least=150_000)
"""Events a second with 64 live tasks."""
CONSUMER_OVERHEAD: Final = Target("P4", most=60)
"""µs a message with an empty handler."""
FOLD_SMALL: Final = Target("P6", most=4)
"""µs an event at 1,000 events."""
FOLD_LARGE: Final = Target("P6", most=8)
"""µs an event at 100,000 events."""
FOLD_GROWTH: Final = Target("P6", most=1.1)
"""Exponent from 1,000 to 100,000 events."""
GRAPH_BESIDE_XRANGE: Final = Target("P7", most=2)
"""Times one awaited XRANGE, at 20 events."""
GRAPH_MIDDLE: Final = Target("P7", most=10)
"""µs an event at 1,000 events."""
GRAPH_LARGE: Final = Target("P7", most=1.5)
"""Seconds for 100,000 events."""
GRAPH_MEMORY: Final = Target("P7", most=300)
"""MB that the process grows by for 100,000 events."""
LINEAGE_FOLD_GROWTH: Final = Target("lineage", most=1.2)
"""Exponent from 1,000 to 8,000 runs."""
LINEAGE_END_TO_END: Final = Target("lineage", most=1.0)
"""Seconds for a session of 10,000 runs."""
LIVE_MEDIAN: Final = Target("P10", most=20)
"""ms from an append to a client, of 500 on 100 tasks."""
LIVE_SLOWEST: Final = Target("P10", most=250)
"""ms, 99th percentile."""
LIVE_CONNECTIONS: Final = Target("P10", most=1)
"""Connections to the store for each 64 watched tasks."""
IMPORT: Final = Target("P11", most=60)
"""ms for `import relayna`, with the interpreter's start."""
HELP: Final = Target("P11", most=150)
"""ms for `relayna --help`."""
OUTAGE_BESIDE_UP: Final = Target("outage", least=0.95)
"""Of the tasks a second that a worker does whose store is up, in the same run."""
DURABLE_BUDGET: Final = Target("outage", most=275)
"""ms for a budget of 250: a tenth for the event loop to come round to who waits."""
SESSION_ANALYSED: Final = Target("traces", most=1)
"""Seconds for a session of 10,000 runs."""
