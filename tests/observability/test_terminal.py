"""Graphs on a terminal, as a person on call sees them."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from mermaid.hostile_labels import HOSTILE
from observability.sample_graphs import GraphSketch, failing_run, fan_in, workflow_run
from rich.cells import cell_len
from rich.console import Console

from relayna.observability.terminal import print_graph_table, print_graph_tree
from relayna.projections.graph import ExecutionGraph

Printer = Callable[[ExecutionGraph, Console], None]
both = pytest.mark.parametrize("printer", [print_graph_tree, print_graph_table])


def printed(printer: Printer, graph: ExecutionGraph, *, width: int = 80) -> str:
    file = io.StringIO()
    printer(graph, Console(file=file, width=width, color_system=None))
    return file.getvalue()


def test_a_failing_run_at_eighty_columns() -> None:
    assert (
        printed(print_graph_tree, failing_run())
        == """\
Task      order-7
Topology  routed_tasks_shared_status
Status    ✗ failed, took 32.23 s
Started   2026-01-01T00:00:00+00:00
Evidence  partial: gap

             ✗ order-7  dead_lettered
    +0.012 s ├─ ✗ attempt 1  failed, took 1.204 s, lost_ack, type email, from
             │  │ tasks.email, by worker-1, waited 12 ms
             │  │ TimeoutError: no answer from smtp.example within 1 s (3
             │  │   addresses tried)
    +0.013 s │  ├─ · status processing
    +1.215 s │  ├─ · status retrying
    +1.216 s │  └─ ↻ retry 1, after 30 s, handler_failed
   +31.220 s └─ ✗ attempt 2  dead_lettered, took 1.011 s, type email, from
                │ tasks.email, by worker-1, waited 4 ms
                │ TimeoutError: no answer from smtp.example within 1 s (3
                │   addresses tried)
   +31.221 s    ├─ · status processing
   +32.230 s    ├─ · status failed (inferred)
   +32.231 s    └─ ✗ dead letter: retries_exhausted, TimeoutError, from
                     tasks.email

Anomalies
  lost_ack: order-7 attempt 1

Missing
  gap: task_id order-7, attempt 00000000000000a2, missing [[3, 4]]

Inferred
  1 of 8 edges by latest_attempt

Warnings
  bad_timestamp: a status record has no timestamp
"""
    )


ATTEMPT = "order-7 attempt 1, lost_ack, type email, from tasks.email"


def test_a_failing_run_as_a_table() -> None:
    lines = printed(print_graph_table, failing_run(), width=120).splitlines()
    assert lines[6:10] == [
        "Time          State         Took         What",
        "              dead_lettered              order-7",
        f"+0.012 s      failed        1.204 s      {ATTEMPT}, by worker-1, waited",
        f"{' ' * 41}12 ms, TimeoutError: no answer from smtp.example within 1 s (3 addresses tried)",
    ]
    assert "+1.216 s                                 retry 1, after 30 s, handler_failed" in lines


def test_branches_and_folds() -> None:
    assert printed(print_graph_tree, fan_in()).splitlines()[6:] == [
        "             ▸ order-7  running",
        "             ├─ ✓ 11 children succeeded, 1 of them after a failed attempt",
        "             │    (child-000, child-001, child-002, …)",
        "             └─ ✗ child child-003  failed",
        "    +4.000 s    └─ ✗ attempt 1  failed",
    ]


@both
@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize(
    "graph", [failing_run(), fan_in(), workflow_run()], ids=["failing", "fan_in", "workflow"]
)
def test_no_line_is_wider_than_the_console(printer: Printer, graph: ExecutionGraph, width: int) -> None:
    assert max(cell_len(line) for line in printed(printer, graph, width=width).splitlines()) <= width


@both
def test_wide_letters_and_long_words_stay_on_the_page(printer: Printer) -> None:
    sketch = GraphSketch("漢字" * 60).node("x", "task", "漢字" * 60)
    sketch.node("y", "task_attempt", "z" * 180, 1, state="failed", exception_message="漢" * 900)
    text = printed(printer, sketch.edge("x", "received_by", "y").graph("failed"))
    assert max(map(cell_len, text.splitlines())) <= 80


@both
def test_nothing_that_users_wrote_controls_the_terminal_or_forges_a_line(printer: Printer) -> None:
    sketch = GraphSketch("\x1b[2J\x1b]0;owned\x07task", kind="\x1b[31mkind")
    for number, label in enumerate(HOSTILE):
        sketch.node(
            f"n{number}", "task_attempt", label, number, state="failed\x1b[8m", outcome="\x9b2J", task_type=label,
            queue_name=label, consumer_name=label, exception_type=label, exception_message=f"{label}\nforged",
            anomalies=[label],
        )  # fmt: skip
        sketch.edge("n0", "received_by", f"n{number}", evidence="inferred", rule=label)
    graph = sketch.graph(
        "failed\x1b]8;;file:///etc\x07",
        completeness=["gap\x1b[1A"],
        warnings=[{"code": label, "detail": label} for label in HOSTILE],
        gaps=[{"reason": label} for label in HOSTILE],
    )
    text = printed(printer, graph)
    assert not {"\x1b", "\x9b", "\x07", "\x00", "\r", "\v", "\f", "\x85", "\u2028", "\u202e"} & set(text)
    assert not any(line.startswith("forged") for line in text.splitlines())


@both
def test_states_are_said_in_words_without_colour(printer: Printer) -> None:
    text = printed(printer, failing_run())
    assert "failed" in text
    assert "dead_lettered" in text


def test_colour_adds_to_the_words_and_changes_none() -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system="standard", highlight=True)
    print_graph_tree(failing_run(), console)
    assert "\x1b[1;31m" in file.getvalue()
    plain = "".join(
        part.partition("m")[2] if number else part
        for number, part in enumerate(file.getvalue().split("\x1b["))
    )
    assert plain == printed(print_graph_tree, failing_run())


@both
def test_a_chain_of_ten_thousand_is_printed(printer: Printer) -> None:
    sketch = GraphSketch(kind="shared_status_workflow").node("n0", "task", "order-7")
    for number in range(1, 10_000):
        sketch.node(f"n{number}", "stage_attempt", f"stage-{number} attempt 1", number, state="succeeded")
        sketch.edge(f"n{number - 1}", "stage_transitioned_to", f"n{number}")
    lines = printed(printer, sketch.graph()).splitlines()
    assert sum("stage-" in line for line in lines) == 9_999


@both
def test_a_graph_with_next_to_nothing_in_it(printer: Printer) -> None:
    graph = GraphSketch().graph()
    graph.summary.started_at = None
    assert printed(printer, graph).splitlines()[:5] == [
        "Task      order-7",
        "Topology  routed_tasks_shared_status",
        "Status    · none was published",
        "Started   unknown",
        "Evidence  full",
    ]


@both
def test_a_task_that_waits_says_so(printer: Printer) -> None:
    graph = GraphSketch().node("task", "task", "order-7", state="queued").graph()
    graph.summary.started_at = None
    assert printed(printer, graph).splitlines()[2:4] == [
        "Status    ○ none yet: it is queued, and no worker has taken it",
        "Started   not yet",
    ]


@both
def test_an_attempt_that_was_given_back_says_so(printer: Printer) -> None:
    sketch = GraphSketch().node("task", "task", "order-7", 0, state="queued")
    sketch.node("a", "task_attempt", "order-7 attempt 1", 0, state="abandoned", outcome="released")
    graph = sketch.edge("task", "received_by", "a").graph()
    assert "given back" in printed(printer, graph)
    assert "abandoned" not in printed(printer, graph)


@both
def test_a_narrow_console_loses_nothing(printer: Printer) -> None:
    words = "".join(printed(printer, failing_run(), width=30).split())
    assert "retries_exhausted" in words
