"""Graphs as tests: what an execution must have been, said one thing after the other.

    assert_execution(graph).ended("completed").attempts(2).retried(1).hops("validate", "charge").is_complete()

Owns what each of these means, and what is said when it is not so. Reads a graph as it stands.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from relayna.errors import RelaynaError
from relayna.events import TERMINAL_STATUSES
from relayna.observability.terminal import print_graph_tree
from relayna.observability.wording import anomalies, node_state, reasons
from relayna.projections.causal_edges import ATTEMPT_KINDS
from relayna.projections.failure import explain_failure
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode, NodeKind, NodeState
from relayna.testing.trial_report import story

__all__ = ["ExecutionAssertions", "NotAsExpected", "assert_execution"]

_WIDTH: Final = 100
_LINES_SHOWN: Final = 120


class NotAsExpected(RelaynaError, AssertionError):
    """An execution was not as a test says. `expected` and `found` are sentences, `graph` is what happened."""

    def __init__(self, expected: str, found: str, graph: ExecutionGraph) -> None:
        self.expected = expected
        self.found = found
        self.graph = graph
        super().__init__("\n".join([f"Expected {expected}, but {found}.", "", *_drawn(graph)]))


def assert_execution(graph: ExecutionGraph) -> ExecutionAssertions:
    """Begin to say what the execution must have been. Each method raises `NotAsExpected`, or gives the same back."""
    return ExecutionAssertions(graph)


class ExecutionAssertions:
    """What can be said of one task of a graph: of its root, or of another after `of`."""

    def __init__(self, graph: ExecutionGraph, task_id: str | None = None) -> None:
        self.graph = graph
        self.task_id = graph.task_id if task_id is None else task_id

    def of(self, task_id: str) -> ExecutionAssertions:
        """Go on about another task of the graph, such as a child."""
        __tracebackhide__ = True
        known = dict.fromkeys(node.task_id for node in self.graph.nodes)
        self._expect(task_id in known, f"something of task {task_id!r}", f"there is only {_listed(known)}")
        return ExecutionAssertions(self.graph, task_id)

    def ended(self, status: str | None = None) -> ExecutionAssertions:
        """Its latest status is this one; without one, any that ends a task."""
        __tracebackhide__ = True
        last = self._latest_status()
        wanted = f"{self.task_id!r} to have ended" + ("" if status is None else f" as {status!r}")
        found = "it has no status" if last is None else f"its latest status is {last!r}"
        return self._expect(last in TERMINAL_STATUSES if status is None else last == status, wanted, found)

    def statuses(self, *texts: str) -> ExecutionAssertions:
        """It had exactly these statuses, in this order."""
        __tracebackhide__ = True
        told = [node.label for node in self._nodes("status_event")]
        return self._same(told, texts, "have the statuses")

    def attempts(self, count: int, *, stage: str | None = None) -> ExecutionAssertions:
        """So many times a handler took it; of a workflow, at this stage. Reports taken in for a parent are none."""
        __tracebackhide__ = True
        found = self._attempts(stage)
        at = "" if stage is None else f" at stage {stage!r}"
        return self._counted(len(found), count, "attempt", at)

    def retried(self, times: int) -> ExecutionAssertions:
        """So many retries were scheduled."""
        __tracebackhide__ = True
        return self._counted(len(self._nodes("retry")), times, "retry")

    def failed_with(self, exception_type: str, *, message: str | None = None) -> ExecutionAssertions:
        """A handler raised this exception; `message` is part of what it said."""
        __tracebackhide__ = True
        raised = [
            (str(told["exception_type"]), str(told.get("exception_message") or ""))
            for told in (node.annotations for node in self._attempts())
            if told.get("exception_type")
        ]
        matches = any(kind == exception_type and (message or "") in said for kind, said in raised)
        saying = "" if message is None else f" saying {message!r}"
        names = [f"{kind}: {said}" if said else kind for kind, said in raised]
        found = f"they raised {_listed(names)}" if names else "none raised anything"
        return self._expect(
            matches, f"a handler of {self.task_id!r} to raise {exception_type}{saying}", found
        )

    def dead_lettered(
        self, *, reason: str | None = None, exception_type: str | None = None, times: int | None = None
    ) -> ExecutionAssertions:
        """It has a dead letter, for this reason and after this exception; with `times`, exactly so many."""
        __tracebackhide__ = True
        letters = self._nodes("dlq_record")
        asked = {"reason": reason, "exception_type": exception_type}
        wanted = {name: value for name, value in asked.items() if value is not None}
        matching = [
            letter
            for letter in letters
            if all(letter.annotations.get(name) == value for name, value in wanted.items())
        ]
        right = bool(matching) if times is None else len(matching) == times
        how = " and ".join(f"{name} {value!r}" for name, value in wanted.items())
        much = "a dead letter" if times is None else _count(times, "dead letter")
        expected = f"{self.task_id!r} to have {much}{' with ' if how else ''}{how}"
        found = f"it has {_listed([letter.label for letter in letters])}" if letters else "it has none"
        return self._expect(right, expected, found)

    def not_dead_lettered(self) -> ExecutionAssertions:
        """It has no dead letter."""
        __tracebackhide__ = True
        return self._counted(len(self._nodes("dlq_record")), 0, "dead letter")

    def hops(self, *stages: str) -> ExecutionAssertions:
        """The messages of a workflow went to exactly these stages, in this order; retries are no hops."""
        __tracebackhide__ = True
        told = [node.label for node in self._nodes("workflow_message")]
        return self._same(told, stages, "hop through")

    def in_order(self, *happenings: str) -> ExecutionAssertions:
        """These happened in this order, and anything may have happened between.

        A happening is the text of a status, the name of a stage that was entered, `attempt 2`, `retry 1`, or the
        reason of a dead letter.
        """
        __tracebackhide__ = True
        told = list(self._happenings())
        rest = iter(told)
        right = all(any(one == happening for one in rest) for happening in happenings)
        return self._expect(
            right, f"in {self.task_id!r}, in order, {_listed(happenings)}", f"there was {_listed(told)}"
        )

    def has_child(self, task_id: str, *, state: NodeState | None = None) -> ExecutionAssertions:
        """The task asked for this child, which stands so: `succeeded`, `failed`, `running`…"""
        __tracebackhide__ = True
        children = {child.task_id: node_state(child) for child in self._children()}
        right = task_id in children and state in (None, children[task_id])
        wanted = f"{self.task_id!r} to have the child {task_id!r}"
        found = [f"{name!r} {where}" for name, where in children.items()]
        said = f"its children are {', '.join(found[:20])}" if found else "it has no child"
        return self._expect(right, wanted + ("" if state is None else f" {state}"), said)

    def children(self, count: int) -> ExecutionAssertions:
        """The task asked for so many children."""
        __tracebackhide__ = True
        return self._counted(len(self._children()), count, "child")

    def has_anomaly(self, name: str) -> ExecutionAssertions:
        """Something odd happened to a delivery of it: `lost_ack`, `clock_skew`…"""
        __tracebackhide__ = True
        odd = [one for node in self._nodes() for one in anomalies(node)]
        found = f"there is {_listed(odd)}" if odd else "nothing odd is known of it"
        return self._expect(name in odd, f"{self.task_id!r} to have the anomaly {name!r}", found)

    def has_no_anomalies(self) -> ExecutionAssertions:
        """Nothing odd happened to its deliveries."""
        __tracebackhide__ = True
        odd = [one for node in self._nodes() for one in anomalies(node)]
        return self._expect(not odd, f"nothing odd of {self.task_id!r}", f"there is {_listed(odd)}")

    def caused_by(self, exception_type: str, *, task_id: str | None = None) -> ExecutionAssertions:
        """The graph's task failed because a handler, of this task, raised this; as `relayna why` has it."""
        __tracebackhide__ = True
        why = explain_failure(self.graph)
        right = any(
            cause.failure.exception_type == exception_type and task_id in (None, cause.failure.task_id)
            for cause in why.causes
        )
        where = "" if task_id is None else f" in {task_id!r}"
        expected = f"{self.graph.task_id!r} to fail because of {exception_type}{where}"
        return self._expect(right, expected, why.sentence.rstrip("."))

    def is_complete(self) -> ExecutionAssertions:
        """Nothing is known to be missing from the graph."""
        __tracebackhide__ = True
        right = self.graph.summary.graph_completeness == "full"
        return self._expect(right, "a complete graph", f"it is partial: {_listed(reasons(self.graph))}")

    def is_partial(self, *because: str) -> ExecutionAssertions:
        """Something is missing from the graph, for these reasons among others."""
        __tracebackhide__ = True
        known = reasons(self.graph)
        right = self.graph.summary.graph_completeness == "partial" and set(because) <= set(known)
        wanted = "a partial graph" + (f" because of {_listed(because)}" if because else "")
        return self._expect(right, wanted, f"it is partial: {_listed(known)}" if known else "it is complete")

    def satisfies(self, holds: Callable[[ExecutionGraph], bool], what: str) -> ExecutionAssertions:
        """Anything else that a function of the graph says; `what` is said when it does not hold."""
        __tracebackhide__ = True
        return self._expect(holds(self.graph), what, "that does not hold")

    def _nodes(self, kind: NodeKind | None = None) -> list[ExecutionGraphNode]:
        return [
            node for node in self.graph.nodes if node.task_id == self.task_id and kind in (None, node.kind)
        ]

    def _latest_status(self) -> str | None:
        if self.task_id == self.graph.task_id:
            return self.graph.summary.status  # by what followed what, whatever the clocks say
        told = [node.label for node in self._nodes("status_event")]
        return told[-1] if told else None

    def _attempts(self, stage: str | None = None) -> list[ExecutionGraphNode]:
        return [
            node
            for node in self._nodes()
            if node.kind in ATTEMPT_KINDS
            and node.annotations.get("role") != "aggregation"
            and stage in (None, node.annotations.get("stage"))
        ]

    def _children(self) -> list[ExecutionGraphNode]:
        homes = {node.id: node for node in self.graph.nodes}
        return [
            homes[edge.source]
            for edge in self.graph.edges
            if edge.kind == "aggregated_into" and homes[edge.target].task_id == self.task_id
        ]

    def _happenings(self) -> Iterator[str]:
        for node in self._nodes():
            match node.kind:
                case "status_event" | "retry" | "dlq_record":
                    yield node.label
                case "task_attempt":
                    yield node.label.removeprefix(f"{node.task_id} ")
                case "stage_attempt":
                    yield str(node.annotations.get("stage") or node.label)
                case _:
                    pass

    def _same(self, told: Sequence[str], wanted: Sequence[str], verb: str) -> ExecutionAssertions:
        __tracebackhide__ = True
        expected = f"{self.task_id!r} to {verb} {_listed(wanted)}"
        return self._expect([*told] == [*wanted], expected, f"there is {_listed(told)}")

    def _counted(self, found: int, wanted: int, noun: str, where: str = "") -> ExecutionAssertions:
        __tracebackhide__ = True
        expected = f"{self.task_id!r} to have {_count(wanted, noun)}{where}"
        return self._expect(found == wanted, expected, f"it has {found or 'none'}")

    def _expect(self, right: bool, expected: str, found: str) -> ExecutionAssertions:
        __tracebackhide__ = True
        if not right:
            raise NotAsExpected(expected, found, self.graph)
        return self


def _drawn(graph: ExecutionGraph) -> list[str]:
    """The tree of `relayna graph`; a plain list without the extra that draws it."""
    try:
        from rich.console import Console
    except ImportError:
        return story(graph)
    file = io.StringIO()
    print_graph_tree(graph, Console(file=file, width=_WIDTH, color_system=None, force_terminal=False))
    lines = file.getvalue().splitlines()
    left_out = len(lines) - _LINES_SHOWN
    return lines if left_out <= 0 else [*lines[:_LINES_SHOWN], f"… {left_out:,} more lines"]


def _count(number: int, noun: str) -> str:
    plural = {"retry": "retries", "child": "children"}.get(noun, f"{noun}s")
    return f"{number or 'no'} {noun if number == 1 else plural}"


def _listed(texts: Collection[str]) -> str:
    shown = [repr(text) for text in list(texts)[:20]]
    more = [f"{len(texts) - 20} more"] if len(texts) > 20 else []
    return ", ".join([*shown, *more]) or "nothing"
