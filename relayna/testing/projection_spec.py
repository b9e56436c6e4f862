"""Given these events, when this is asked, then that is answered: specifications of projections.

Owns the reading of a specification. It folds what is given in several orders, with repeats and through a
snapshot, so that a projection whose answer depends on any of them fails every one of its specifications.

    given(history("order-7").published().attempt().acked().events).when().then(
        lambda graph: graph.summary.status == "completed"
    )
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from relayna.events import RecordedEvent
from relayna.events.history import StreamFact
from relayna.ids import TaskId
from relayna.projections.execution import ExecutionProjection, GraphQuery
from relayna.projections.execution_state import ExecutionState
from relayna.projections.graph import ExecutionGraph
from relayna.projections.projection import Item, Projection
from relayna.projections.registry import execution_projection_for

__all__ = ["Answered", "Given", "given", "given_to"]

StateT = TypeVar("StateT")
QueryT = TypeVar("QueryT")
AnswerT = TypeVar("AnswerT")


def given(
    items: Iterable[Item], *, task_id: str | None = None
) -> Given[ExecutionState, GraphQuery, ExecutionGraph]:
    """A history of which an execution graph is asked.

    It is that of `task_id`, else of the task of the first item. The kind of topology is taken from the
    stream facts among the items.
    """
    listed = list(items)
    kinds = [item.value for item in listed if isinstance(item, StreamFact) and item.name == "topology_kind"]
    projection: ExecutionProjection = execution_projection_for(kind for kind in kinds if kind)
    return given_to(projection, listed, task_id=task_id, default_query=GraphQuery())


def given_to(
    projection: Projection[StateT, QueryT, AnswerT],
    items: Iterable[Item],
    *,
    task_id: str | None = None,
    default_query: QueryT | None = None,
) -> Given[StateT, QueryT, AnswerT]:
    """A history of which any projection is asked."""
    return Given(projection, list(items), task_id, default_query)


class Given(Generic[StateT, QueryT, AnswerT]):
    """A history and the projection that will be asked."""

    def __init__(
        self,
        projection: Projection[StateT, QueryT, AnswerT],
        items: Sequence[Item],
        task_id: str | None,
        default_query: QueryT | None,
    ) -> None:
        if task_id is None and not items:
            raise ValueError("An empty history is nobody's: say task_id=…")
        self._projection = projection
        self._items = items
        self._task_id = TaskId(task_id) if task_id is not None else _task_of(items[0])
        self._default_query = default_query

    def when(self, query: QueryT | None = None) -> Answered[AnswerT]:
        """Ask. Raises `AssertionError` when the answer depends on how the history is handed in."""
        asked = query if query is not None else self._default_query
        if asked is None:
            raise ValueError(f"Projection {self._projection.name!r} needs a query: when(…)")
        answers = [self._projection.finish(state, asked) for state in self._folds()]
        if any(_encoded(answer) != _encoded(answers[0]) for answer in answers):
            raise AssertionError(
                f"Projection {self._projection.name!r} answers differently when the same items come in "
                "another order, more than once, or after a snapshot."
            )
        return Answered(answer=answers[0])

    def _folds(self) -> Iterable[StateT]:
        forwards, backwards = self._items, self._items[::-1]
        yield self._fold(forwards)
        yield self._fold([*backwards, *forwards[: len(forwards) // 2]])
        half = self._fold(forwards[: len(forwards) // 2])
        restored = self._projection.restore(self._projection.snapshot(half))
        yield self._fold(backwards, onto=restored)

    def _fold(self, items: Iterable[Item], *, onto: StateT | None = None) -> StateT:
        state = self._projection.initial(self._task_id) if onto is None else onto
        for item in items:
            self._projection.apply(state, item)
        return state


class Answered(Struct, Generic[AnswerT], frozen=True):
    """The answer."""

    answer: AnswerT

    def then(self, expected: AnswerT | Callable[[AnswerT], object]) -> AnswerT:
        """Compare with an answer, or let a function look at it (returning false refuses it); the answer."""
        if callable(expected):
            verdict = expected(self.answer)
            if verdict is not None and not verdict:
                raise AssertionError(f"The answer is refused:\n{_readable(self.answer)}")
        elif _encoded(self.answer) != _encoded(expected):
            raise AssertionError(f"Expected:\n{_readable(expected)}\n\nbut was:\n{_readable(self.answer)}")
        return self.answer


def _task_of(item: Item) -> TaskId:
    return item.envelope.task_id if isinstance(item, RecordedEvent) else item.task_id


def _encoded(answer: Any) -> bytes:  # Any: every answer is JSON
    return msgspec.json.encode(answer)


def _readable(answer: Any) -> str:  # Any: every answer is JSON
    return msgspec.json.format(_encoded(answer), indent=2).decode()
