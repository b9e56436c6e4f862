"""Every metric there is: its name, its labels and what it means.

Owns the tuple from which the families are made and with which docs/metrics.md is compared. A name that is not here
is not served. Counts nothing itself.
"""

from __future__ import annotations

from typing import Final, Literal

from relayna.observability.metrics.metric import Metric, MetricKind

__all__ = ["LABELS", "METRICS", "Metric", "MetricKind"]

LABELS: Final = frozenset(
    {"service", "topology", "queue", "stage", "outcome", "source", "reason", "completeness"}
)
"""The only labels. A task, a worker or a host has a place in logs and graphs, and an exemplar may name a task."""


def _counter(
    name: str, about: str, *, labels: tuple[str, ...] = (), begins: tuple[tuple[str, ...], ...] = ()
) -> Metric:
    return Metric(name=name, kind="counter", about=about, labels=labels, begins=begins)


def _gauge(
    name: str, about: str, *, labels: tuple[str, ...] = (), joined: Literal["sum", "least"] = "sum"
) -> Metric:
    return Metric(name=name, kind="gauge", about=about, labels=labels, joined=joined)


def _histogram(name: str, about: str, *, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Metric:
    return Metric(name=name, kind="histogram", about=about, labels=labels, buckets=buckets)


_QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
_SIZES: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0, 100_000.0)
_NEVER_STORED: Final = (("buffer_full",), ("refused",), ("unreadable",), ("closed",))

_RECORDING: Final = (
    _counter(
        "relayna_records_total",
        "Events by what became of them; a spooled one counts again as stored when it comes back.",
        labels=("source", "outcome"),
    ),
    _counter(
        "relayna_records_dropped_total",
        "Events that were given up, all of them confessed in their graphs where that was possible.",
        labels=("reason",),
        begins=(*_NEVER_STORED, ("failover",)),
    ),
    _counter(
        "relayna_emission_failures_total",
        "Events that could neither be stored nor spooled by the process that recorded them.",
        labels=("reason",),
        begins=_NEVER_STORED,
    ),
    _gauge(
        "relayna_record_buffer_events",
        "Events that are recorded, and held in memory until the store or the spool has them.",
    ),
    _gauge("relayna_spool_bytes", "Bytes that wait on the local disk for the store."),
    _counter(
        "relayna_spool_frames_total",
        "Frames that were offered to the spool, by whether it took them.",
        labels=("outcome",),
    ),
    _counter("relayna_spool_lost_bytes_total", "Bytes that were lost in the spool.", labels=("reason",)),
    _histogram(
        "relayna_append_duration_seconds",
        "How long the store took to answer to a batch of appends.",
        buckets=_QUICK,
    ),
    _counter(
        "relayna_feed_references_missed_total",
        "Appends that a feed does not tell of, so that lists may lack their tasks until a reindex.",
    ),
)

_WORKERS: Final = (
    _counter(
        "relayna_attempts_total",
        "Attempts that ended, by their outcome in the words of graphs.",
        labels=("queue", "outcome"),
    ),
    _histogram(
        "relayna_attempt_duration_seconds",
        "From receipt to the event that closes the attempt.",
        labels=("queue",),
        buckets=_LONG,
    ),
    _histogram(
        "relayna_queue_wait_seconds",
        "From publish to receipt, of messages that were handed out for the first time and are no retry.",
        labels=("queue",),
        buckets=_LONG,
    ),
    _gauge(
        "relayna_attempts_in_progress", "Attempts that have begun and are not settled.", labels=("queue",)
    ),
    _counter("relayna_dead_letters_total", "Messages that were given up.", labels=("queue", "reason")),
    _counter(
        "relayna_deliveries_repeated_total",
        "Deliveries whose attempt had ended before, settled without the handler: lost acks.",
        labels=("queue",),
    ),
    _counter(
        "relayna_deliveries_failed_total",
        "Deliveries that went back because of a mistake in relayna itself.",
        labels=("queue",),
    ),
    _counter(
        "relayna_outcomes_failed_total",
        "Deliveries that went back because what ends them could not be published.",
        labels=("queue",),
    ),
    _counter(
        "relayna_batches_released_total",
        "Batches that went back before all their tasks were published.",
        labels=("queue",),
    ),
    _counter(
        "relayna_settlements_lost_total",
        "Acks that the broker did not get: those messages are handed out again.",
        labels=("queue",),
    ),
    _counter(
        "relayna_settled_before_durable_total",
        "Messages that were settled before their facts were stored or spooled.",
        labels=("reason",),
    ),
    _counter(
        "relayna_repeat_checks_failed_total",
        "Redelivered messages that were handled though the store could not say whether they had been.",
    ),
    _counter(
        "relayna_statuses_unpublished_total",
        "Lifecycle statuses that were recorded and reached no queue.",
        labels=("queue",),
    ),
    _counter("relayna_spans_failed_total", "Spans whose tracer raised."),
    _counter(
        "relayna_lineage_emission_failures_total",
        "Edges between runs that were not recorded, or could not be read where they are watched.",
        labels=("reason",),
        begins=(("second_birth",), ("invalid",), ("no_sink",), ("store",), ("unreadable",), ("failed",)),
    ),
    _counter(
        "relayna_suspended_reads_failed_total",
        "Looks of waiting handlers for their children that the store did not answer.",
    ),
    _counter(
        "relayna_message_contents_failed_total",
        "Inputs that were not stored, and inputs and outputs that could not be hashed.",
        labels=("reason",),
    ),
)

_BROKER: Final = (
    _counter(
        "relayna_broker_connections_lost_total",
        "Connections to the broker that were lost, by what they were for.",
        labels=("source",),
    ),
    _counter(
        "relayna_broker_connections_failed_total",
        "Tries to connect to the broker that failed.",
        labels=("source",),
    ),
    _counter(
        "relayna_subscriptions_interrupted_total",
        "Subscriptions that lost their channel or were cancelled by the broker, and went on.",
        labels=("queue",),
    ),
)


def _fact_consumers(counted_as: str, said: str) -> tuple[Metric, ...]:
    return (
        _counter(
            f"relayna_{counted_as}_waits_total", f"Pauses in recording {said} while the store was away."
        ),
        _counter(
            f"relayna_{counted_as}_unrecorded_total",
            f"Messages of {said} that went back because the store refused them.",
            labels=("queue",),
        ),
        _counter(
            f"relayna_{counted_as}_malformed_total",
            f"Messages that should have been {said} and could not be read.",
            labels=("queue",),
        ),
        _counter(
            f"relayna_{counted_as}_failed_total",
            f"Messages of {said} that went back because of a mistake in relayna itself.",
            labels=("queue",),
        ),
    )


_READERS: Final = (
    _counter(
        "relayna_replays_total",
        "Replays of dead letters that were asked for.",
        labels=("outcome",),
        begins=(("replayed",), ("refused",), ("unknown",), ("unmarked",)),
    ),
    _histogram(
        "relayna_graph_build_duration_seconds",
        "How long it took to read and fold what a graph is made of.",
        labels=("topology",),
        buckets=_QUICK,
    ),
    _histogram("relayna_graph_nodes", "How many nodes the graphs had.", buckets=_SIZES),
    _counter(
        "relayna_graphs_total",
        "Graphs that were built.",
        labels=("completeness",),
        begins=(("full",), ("partial",)),
    ),
    _counter(
        "relayna_graph_cache_total",
        "Graphs that were asked for, by what was kept of them.",
        labels=("outcome",),
        begins=(("answered",), ("continued",), ("missed",)),
    ),
    _counter("relayna_graph_cache_evictions_total", "Streams and graphs forgotten, for more is not kept."),
    _gauge("relayna_graph_cache_items", "Events, nodes and edges that are kept in memory."),
    _counter(
        "relayna_missing_inbound_edges_total",
        "Attempts in graphs without exactly one edge that they were born of, and no known gap that explains it.",
    ),
    _gauge("relayna_sse_clients", "Clients that follow an execution live."),
    _counter(
        "relayna_live_views_failed_total", "Live views that ended because of a mistake in relayna itself."
    ),
    _counter(
        "relayna_read_model_tasks_total",
        "Tasks that lists and statistics were brought up to date with, by how that went.",
        labels=("outcome",),
        begins=(("folded",), ("removed",), ("failed",)),
    ),
    _counter(
        "relayna_read_model_rebuilds_total",
        "Shards whose lists and statistics were begun anew.",
        labels=("reason",),
    ),
    _counter(
        "relayna_read_model_store_failures_total", "Times that the store did not answer to the indexer."
    ),
    _counter(
        "relayna_read_model_leases_lost_total",
        "Shards that another indexer took over while this one was at work.",
    ),
    _counter(
        "relayna_run_records_unreadable_total",
        "Records of runs that another version wrote, and that were passed over.",
    ),
    _gauge("relayna_store_up", "Whether the store answers: 1 or 0, as last seen.", joined="least"),
    _gauge("relayna_clock_skew_seconds", "How far the store's clock is ahead of ours."),
    _counter(
        "relayna_store_checks_total",
        "What was found of the store, by check and state.",
        labels=("source", "outcome"),
    ),
)

_LINEAGE: Final = (
    _gauge(
        "relayna_lineage_runs_without_birth",
        "Runs that began within the window that is watched, and that no recorded edge led to.",
    ),
    _gauge(
        "relayna_lineage_edge_failures_sustained",
        "Whether edges went on failing, window after window: 1 or 0.",
    ),
)

_OWN: Final = (
    _counter(
        "relayna_measures_refused_total",
        "Values that were told to no metric: a mistake in relayna, or in what reports beside it.",
        labels=("reason",),
    ),
)

METRICS: Final[tuple[Metric, ...]] = (
    *_RECORDING,
    *_WORKERS,
    *_BROKER,
    *_fact_consumers("statuses", "statuses"),
    *_fact_consumers("dead_letters", "dead letters"),
    *_READERS,
    *_LINEAGE,
    *_OWN,
)
"""In the order in which they are served; `relayna_build_info` comes before them."""
