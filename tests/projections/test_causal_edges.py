"""What led to what, as far as failures are passed on."""

from __future__ import annotations

from observability.sample_graphs import failing_run

from relayna.projections.causal_edges import ATTEMPT_KINDS, causal_edges, end_of, state_of


def test_a_failed_tasks_last_attempt_leads_to_its_end() -> None:
    graph = failing_run()
    root = next(node for node in graph.nodes if node.kind == "task")
    below = causal_edges(graph)
    ending = [name for name, followed in below.items() if end_of(root.id) in followed]
    nodes = {node.id: node for node in graph.nodes}
    assert ending
    assert all(nodes[name].kind in (*ATTEMPT_KINDS, "dlq_record") for name in ending)
    assert all(state_of(nodes[name]) in ("failed", "dead_lettered") for name in ending)


def test_statuses_and_second_entries_pass_nothing_on() -> None:
    graph = failing_run()
    followed = {name for names in causal_edges(graph).values() for name in names}
    assert not {node.id for node in graph.nodes if node.kind == "status_event"} & followed
