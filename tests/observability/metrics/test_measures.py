"""The measures that Prometheus collects: they take anything, and what they serve can be read."""

from __future__ import annotations

import gc
import math
import os
import signal
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observability.metrics.promtool import ask_promtool
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from relayna.clock import FrozenClock
from relayna.observability.metrics import METRICS, OPEN_METRICS, TEXT, PrometheusMeasures, expose
from relayna.signals import Measures

NAMES = [metric.name for metric in METRICS]


def value(measures: PrometheusMeasures, name: str, **labels: str) -> float | None:
    found = measures.registry.get_sample_value(name, labels)
    return None if found is None else float(found)


def refused(measures: PrometheusMeasures, reason: str) -> float | None:
    return value(measures, "relayna_measures_refused_total", reason=reason)


def test_they_are_measures_and_count() -> None:
    measures: Measures = PrometheusMeasures()
    assert isinstance(measures, PrometheusMeasures)
    measures.increment("relayna_attempts_total", queue="work", outcome="acked")
    measures.increment("relayna_attempts_total", 2, queue="work", outcome="acked")
    assert value(measures, "relayna_attempts_total", queue="work", outcome="acked") == 3


def test_what_can_begin_at_nothing_does() -> None:
    measures = PrometheusMeasures()
    assert value(measures, "relayna_missing_inbound_edges_total") == 0
    assert value(measures, "relayna_emission_failures_total", reason="refused") == 0
    assert value(measures, "relayna_append_duration_seconds_count") == 0
    measures.increment("relayna_dead_letters_total", 0, queue="work", reason="poison")
    assert value(measures, "relayna_dead_letters_total", queue="work", reason="poison") == 0


def test_the_global_registry_is_left_alone_and_one_registry_takes_one() -> None:
    before = set(REGISTRY._names_to_collectors)
    registry = CollectorRegistry()
    assert PrometheusMeasures(registry).registry is registry
    assert set(REGISTRY._names_to_collectors) == before
    with pytest.raises(ValueError, match="Duplicated"):
        PrometheusMeasures(registry)


def test_what_it_does_not_know_is_counted_and_harms_nobody() -> None:
    measures = PrometheusMeasures()
    measures.increment("relayna_surprises_total")
    measures.increment("relayna_store_up")
    measures.observe("relayna_attempts_total", 1, queue="work", outcome="acked")
    assert refused(measures, "unknown_name") == 3
    measures.increment("relayna_attempts_total", queue="work")
    measures.increment("relayna_attempts_total", queue="work", outcome="acked", worker="w")
    measures.set("relayna_store_up", 1, host="h")
    assert refused(measures, "unknown_label") == 3
    measures.observe("relayna_append_duration_seconds", math.nan)
    measures.set("relayna_store_up", math.inf)
    measures.increment("relayna_spans_failed_total", -1)
    assert refused(measures, "bad_value") == 3


def test_a_wait_below_nothing_is_none() -> None:
    measures = PrometheusMeasures()
    measures.observe("relayna_queue_wait_seconds", -5.0, queue="work")
    assert value(measures, "relayna_queue_wait_seconds_sum", queue="work") == 0


def test_a_histogram_adds_up() -> None:
    measures = PrometheusMeasures()
    for nodes in (1, 2, 3, 1_000_000):
        measures.observe("relayna_graph_nodes", nodes)
    assert value(measures, "relayna_graph_nodes_bucket", le="1.0") == 1
    assert value(measures, "relayna_graph_nodes_bucket", le="3.0") == 3
    assert value(measures, "relayna_graph_nodes_bucket", le="100000.0") == 3
    assert value(measures, "relayna_graph_nodes_bucket", le="+Inf") == 4
    assert value(measures, "relayna_graph_nodes_count") == 4


class Gauge:
    def __init__(self, stands_at: float | None) -> None:
        self.stands_at = stands_at

    def read(self) -> float | None:
        return self.stands_at

    def fail(self) -> float:
        raise RuntimeError("nobody knows")


def test_gauges_are_read_when_somebody_looks_as_long_as_they_live() -> None:
    measures, first, second = PrometheusMeasures(), Gauge(3), Gauge(4)
    measures.watch("relayna_spool_bytes", first.read)
    measures.watch("relayna_spool_bytes", second.read)
    assert value(measures, "relayna_spool_bytes") == 7
    second.stands_at = 10
    assert value(measures, "relayna_spool_bytes") == 13
    first.stands_at = None
    assert value(measures, "relayna_spool_bytes") == 10
    del second
    gc.collect()
    assert value(measures, "relayna_spool_bytes") is None


def test_a_store_is_up_when_everybody_says_so() -> None:
    measures, recorder = PrometheusMeasures(), Gauge(0)
    measures.set("relayna_store_up", 1)
    assert value(measures, "relayna_store_up") == 1
    measures.watch("relayna_store_up", recorder.read)
    assert value(measures, "relayna_store_up") == 0


def test_a_gauge_that_fails_takes_no_other_with_it() -> None:
    measures, gauge = PrometheusMeasures(), Gauge(1)
    measures.watch("relayna_sse_clients", gauge.fail)
    measures.watch("relayna_spool_bytes", gauge.read)
    measures.watch("relayna_record_buffer_events", lambda: 2)
    assert value(measures, "relayna_spool_bytes") == 1
    assert value(measures, "relayna_record_buffer_events") == 2
    assert value(measures, "relayna_sse_clients") is None
    assert (refused(measures, "gauge_failed") or 0) >= 1


def exemplars(measures: PrometheusMeasures) -> list[dict[str, str]]:
    told = expose(measures.registry, OPEN_METRICS).decode()
    samples = [sample for family in open_metrics_families(told) for sample in family.samples]
    return [sample.exemplar.labels for sample in samples if sample.exemplar is not None]


@pytest.mark.parametrize("task_id", ["order-7", "a {b} # c", "задача", "x" * 121])
def test_a_duration_names_a_task(task_id: str) -> None:
    measures = PrometheusMeasures(clock=FrozenClock())
    measures.observe("relayna_attempt_duration_seconds", 0.2, exemplar=task_id, queue="work")
    assert exemplars(measures) == [{"task_id": task_id}]
    assert b" # " not in expose(measures.registry, TEXT)


@pytest.mark.parametrize("task_id", ["", "x" * 122, "a\nb", "\ud800", "nul\0", 'a "quote"', "back\\slash"])
def test_a_task_that_no_exemplar_can_hold_is_left_out(task_id: str) -> None:
    measures = PrometheusMeasures()
    measures.observe("relayna_attempt_duration_seconds", 0.2, exemplar=task_id, queue="work")
    assert exemplars(measures) == []
    assert value(measures, "relayna_attempt_duration_seconds_count", queue="work") == 1


ANY_NAME = st.one_of(st.sampled_from(NAMES), st.text(max_size=20))
ANY_NUMBER: st.SearchStrategy[Any] = st.one_of(
    st.floats(), st.integers(), st.none(), st.text(max_size=3), st.just(10**400)
)
ANY_LABELS = st.one_of(
    st.just("own"), st.dictionaries(st.sampled_from(["queue", "outcome", "worker"]), st.text(max_size=200))
)


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["increment", "observe", "set"]), ANY_NAME, ANY_NUMBER, ANY_LABELS, st.text()
        )
    )
)
def test_whatever_they_are_told_they_serve_what_can_be_read(
    told: list[tuple[str, str, Any, Any, str]],
) -> None:
    measures = PrometheusMeasures()
    own = {metric.name: metric.labels for metric in METRICS}
    for how, name, number, labels, text in told:
        given_labels = dict.fromkeys(own.get(name, ()), text) if labels == "own" else labels
        more = {"exemplar": text} if how == "observe" else {}
        getattr(measures, how)(name, number, **more, **given_labels)
    assert list(text_families(expose(measures.registry, TEXT).decode()))
    assert list(open_metrics_families(expose(measures.registry, OPEN_METRICS).decode()))


def test_prometheus_takes_all_of_it() -> None:
    measures = PrometheusMeasures()
    for metric in METRICS:
        labels = dict.fromkeys(metric.labels, 'any "thing\\ at all\n')
        if metric.kind == "counter":
            measures.increment(metric.name, **labels)
        elif metric.kind == "gauge":
            measures.set(metric.name, 1, **labels)
        else:
            measures.observe(metric.name, 1, exemplar="order", **labels)
    served = expose(measures.registry, TEXT)
    assert ask_promtool("check", "metrics", given=served) == ""
    assert served.count(b"# TYPE relayna_") == len(METRICS) + 1


def test_many_threads_lose_no_count() -> None:
    measures = PrometheusMeasures()

    def count() -> None:
        for _ in range(2_000):
            measures.increment("relayna_spans_failed_total")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(measures, "relayna_spans_failed_total") == 8_000


def test_a_signal_handler_may_count_while_we_do() -> None:
    measures = PrometheusMeasures()

    def count_more(number: int, frame: object) -> None:
        measures.increment("relayna_spans_failed_total")

    before = signal.signal(signal.SIGUSR1, count_more)
    try:
        with measures._lock:  # as when the signal comes in the middle of counting
            os.kill(os.getpid(), signal.SIGUSR1)
            for _ in range(1_000):
                if value(measures, "relayna_spans_failed_total"):
                    break
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert value(measures, "relayna_spans_failed_total") == 1


def test_a_forked_child_begins_at_nothing_and_is_not_held_up() -> None:
    measures, gauge = PrometheusMeasures(), Gauge(5)
    measures.watch("relayna_spool_bytes", gauge.read)
    measures.increment("relayna_spans_failed_total")
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with measures._lock:
            held.set()
            go_on.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        measures.increment("relayna_spans_failed_total", 2)
        told = value(measures, "relayna_spans_failed_total"), value(measures, "relayna_spool_bytes")
        os._exit(0 if told == (2, 5) else 1)
    go_on.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert value(measures, "relayna_spans_failed_total") == 1
