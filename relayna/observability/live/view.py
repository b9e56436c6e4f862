"""A live view: one question about one execution, asked again whenever something was recorded, for all who follow it.

Owns the versions of its answer. When it is asked again `followed.py` knows, and what each follower was told
`subscription.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import anyio

from relayna.errors import StoreError
from relayna.observability.graph_question import GraphQuestion
from relayna.observability.graph_service import ExecutionGraphService, VersionedGraph
from relayna.observability.live.finished import is_finished
from relayna.observability.live.followed import STREAMS_WATCHED, FollowedView, Pace
from relayna.observability.live.held_versions import HeldVersions
from relayna.observability.live.messages import LiveMessage, LiveStatus
from relayna.observability.live.stream_watch import StreamWatch
from relayna.streams.log import START

__all__ = ["LiveView", "asked"]


async def asked(
    service: ExecutionGraphService, question: GraphQuestion, *, as_of: str | None = None
) -> VersionedGraph:
    """What the service answers. Raises as it does."""
    return await service.get_versioned(
        question.task_id,
        as_of=as_of,
        depth=question.depth,
        max_nodes=question.max_nodes,
        view=question.view,
        collapse=question.collapse,
    )


class LiveView(FollowedView):
    """Holds the last few versions of a graph."""

    def __init__(
        self,
        service: ExecutionGraphService,
        question: GraphQuestion,
        watch: StreamWatch,
        turns: anyio.Semaphore,
        *,
        pace: Pace,
        versions: int,
        terminal_statuses: Collection[str],
    ) -> None:
        super().__init__(question.task_id, watch, turns, pace=pace)
        self.service = service
        self.question = question
        self.versions = HeldVersions(most=versions)
        self._terminal_statuses = terminal_statuses
        self._is_finished = False
        self._standing: tuple[LiveStatus, LiveMessage] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a version."""
        return self.versions.latest is not None

    @property
    def size(self) -> int:
        """How many nodes the latest version has."""
        return len(self.versions.graph.nodes) if self.is_open else 0

    @property
    def over(self) -> Literal["finished", "gone"] | None:
        """Why nothing more is to be expected after the latest version, if so."""
        return "gone" if self.is_gone else "finished" if self._is_finished else None

    @property
    def status(self) -> str | None:
        """The latest status of the root task."""
        return self.versions.graph.summary.status

    def standing(self) -> tuple[LiveStatus, LiveMessage]:
        """How the task and the store stand, and the message that says so: the same one for all who are told it."""
        status = LiveStatus(self.status, self.store)
        if self._standing is None or self._standing[0] != status:
            self._standing = status, LiveMessage(status)
        return self._standing

    async def _is_current(self) -> bool:
        question = self.question
        try:
            return await self.service.is_current(
                self.versions.latest or "", question.task_id, depth=question.depth,
                max_nodes=question.max_nodes, view=question.view, collapse=question.collapse,
            )  # fmt: skip
        except StoreError:
            return True  # nobody knows; when the store is back, that is news

    async def _refresh(self) -> None:
        answer = await asked(self.service, self.question)
        if answer.version != self.versions.latest:
            await self.versions.add(answer.version, answer.graph)
            self._is_finished = is_finished(answer.graph, self._terminal_statuses)
        self._positions = {
            address: position or START for address, position in answer.streams[:STREAMS_WATCHED]
        }
