"""What each figure should keep. A target is never met by leaving work out of what is measured."""

from __future__ import annotations

from typing import Final

from benchmarks.figures import Target

__all__ = [
    "APPEND_BESIDE_RAW", "APPEND_CLUSTER", "APPEND_FEW_TASKS", "CONSUMER_BESIDE_BARE",
    "CONSUMER_OVERHEAD", "CONSUMER_SHARE", "DISABLED_CALL_SITE", "DURABLE_BUDGET",
    "FLAT_BESIDE_DEAD_LETTERS", "FOLD_GROWTH", "FOLD_LARGE", "FOLD_SMALL", "GRAPH_BESIDE_EARLIER_FAMILY",
    "GRAPH_BESIDE_EARLIER_MIDDLE", "GRAPH_BESIDE_EARLIER_SMALL", "GRAPH_BESIDE_XRANGE", "GRAPH_LARGE",
    "GRAPH_MEMORY", "GRAPH_MIDDLE", "GROWTH_OF_COST", "HELP", "IMPORT", "INDEX_MEMORY",
    "LINEAGE_END_TO_END", "LINEAGE_FOLD_GROWTH", "LIVE_CONNECTIONS", "LIVE_MEDIAN", "LIVE_MEMORY",
    "LIVE_SLOWEST", "OUTAGE_BESIDE_UP", "RECORD_MEDIAN", "RECORD_SLOWEST", "ROUND_TRIPS_OF_A_FAMILY",
    "ROUND_TRIPS_OF_A_TASK", "RUN_EDGE_MEMORY", "SCANNING_COMMANDS", "SEALED_MEMORY", "SESSION_ANALYSED",
    "UNCHANGED_BESIDE_PING",
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
CONSUMER_SHARE: Final = Target("P4", most=3)
"""% of the time that the same messages take with recording off, with a handler of 1 ms."""
CONSUMER_BESIDE_BARE: Final = Target("P5", least=0.7)
"""Of the messages a second that a bare aio-pika consumer takes and acks in the same run."""
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
GRAPH_BESIDE_EARLIER_SMALL: Final = Target("P7b", least=5)
"""Times as fast as the best-known earlier implementation was recorded, at 20 events."""
GRAPH_BESIDE_EARLIER_MIDDLE: Final = Target("P7b", least=20)
"""The same at 1,000 events."""
GRAPH_BESIDE_EARLIER_FAMILY: Final = Target("P7b", least=10)
"""The same for 100 children."""
FLAT_BESIDE_DEAD_LETTERS: Final = Target("P7b", most=1.1)
"""Times what it costs without 5,000 dead letters of others."""
ROUND_TRIPS_OF_A_TASK: Final = Target("P7b", most=1)
"""On the wire, by a count of a relay."""
ROUND_TRIPS_OF_A_FAMILY: Final = Target("P7b", most=2)
"""The same for a task with 100 children."""
UNCHANGED_BESIDE_PING: Final = Target("P8", most=1.5)
"""Times one awaited redis-py PING, with If-None-Match."""
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
LIVE_MEMORY: Final = Target("P9", most=4_500)
"""Bytes of a live stream of 8 events."""
SEALED_MEMORY: Final = Target("P9", most=1_700)
"""Bytes of a sealed stream of 8 events."""
INDEX_MEMORY: Final = Target("P9", most=800)
"""Bytes of all indexes of a task."""
RUN_EDGE_MEMORY: Final = Target("P9", most=100)
"""Bytes of a run edge."""
GROWTH_OF_COST: Final = Target("P12", most=1.2)
"""Cost among many tasks, of that among 1,000."""
SCANNING_COMMANDS: Final = Target("P12", most=0)
"""Commands that look at whatever there is."""
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
