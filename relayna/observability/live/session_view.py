"""A live view of a session: its graph, asked for again whenever one of its runs has news, for all who follow it.

Owns which streams are waited for: those of its runs, the unfinished and the youngest first. When it is asked again
`followed.py` knows.
"""

from __future__ import annotations

import anyio

from relayna.ids import TaskId
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import RunTold, Session
from relayna.observability.live.followed import STREAMS_WATCHED, FollowedView, Pace
from relayna.observability.live.session_edges import SessionEdges
from relayna.observability.live.stream_watch import StreamWatch
from relayna.streams import Log, TaskAddress
from relayna.streams.log import START

__all__ = ["SessionView"]


class SessionView(FollowedView):
    """Holds the edges of a session, by the id of any of its runs."""

    def __init__(
        self,
        service: LineageService,
        session_id: str,
        log: Log,
        watch: StreamWatch,
        turns: anyio.Semaphore,
        *,
        pace: Pace,
    ) -> None:
        """`log` is what the service reads."""
        super().__init__(session_id, watch, turns, pace=pace)
        self.edges = SessionEdges()
        self._service = service
        self._log = log
        self._was_answered = False
        self._took = 0.0
        self._is_recorded = False
        self._watched: list[TaskAddress] = []

    @property
    def is_open(self) -> bool:
        """Whether it was answered."""
        return self._was_answered

    @property
    def size(self) -> int:
        """How many edges it holds."""
        return len(self.edges)

    def _patience(self) -> float:
        # Records may lag behind the news that the streams had; a large session is not read again and again for nothing.
        look = self._pace.look_seconds / 5 if self._is_recorded else self._pace.look_seconds
        return min(max(look, 20 * self._took), self._pace.linger_seconds)

    async def _is_current(self) -> bool:
        return False

    async def _refresh(self) -> None:
        began = anyio.current_time()
        # Before they are read: what is appended meanwhile is news.
        states = await self._log.states(self._watched) if self._watched else []
        known = {
            address: state.last_id or START for address, state in zip(self._watched, states, strict=True)
        }
        session = await self._service.session(self.subject)
        self.edges.update(session)
        self._watched = [TaskAddress(run_id, self._service.tenant) for run_id in _watched(session)]
        self._positions = {address: known.get(address, START) for address in self._watched}
        self._was_answered, self._took = True, anyio.current_time() - began
        self._is_recorded = session.as_of is not None


def _watched(session: Session) -> list[TaskId]:
    def youth(run: RunTold) -> tuple[bool, str]:
        return run.ended_at is None, run.started_at or ""

    runs = sorted(session.runs, key=youth, reverse=True)
    ends = (end for edge in session.edges for end in (edge.source_run, edge.target_run) if end is not None)
    return [TaskId(run_id) for run_id in dict.fromkeys([*(run.run_id for run in runs), *ends])][
        :STREAMS_WATCHED
    ]
