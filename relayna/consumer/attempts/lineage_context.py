"""What handlers say of how runs lead to one another, of what they use, and of what was decided; and their waits.

Owns those words of `Context`. Recorded is only while `RELAYNA_LINEAGE_EMIT` is on; what waits, waits all the same.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from relayna.consumer.attempts.attempt_observer import AttemptObserver
from relayna.consumer.attempts.suspension import WAIT_MODES, ChildrenEnded, Suspension, WaitMode
from relayna.consumer.client import RelaynaClient
from relayna.consumer.edge_words import check_choice, check_seconds_to_wait, check_text
from relayna.consumer.messages.incoming import Incoming
from relayna.consumer.run_start import waking_callback
from relayna.errors import InvalidQuery, InvalidSetting
from relayna.events import DecisionRecorded, RunEdgeRecorded, UsageRecorded
from relayna.ids import EventId, MessageId, TaskId, message_event_id
from relayna.instants import Instant
from relayna.projections.lineage.decisions import DECISION_ACTIONS
from relayna.projections.trace.waits import WAITED_MS
from relayna.settings import lineage_emits
from relayna.streams.keys import checked_task_id

__all__ = ["LineageContext"]

_Answer = TypeVar("_Answer")


class LineageContext:
    """The part of `Context` that lineage is told by."""

    _client: RelaynaClient
    _incoming: Incoming[Any]  # Any: whichever envelope
    _observer: AttemptObserver
    _spawned: dict[TaskId, bool]
    """The children of this attempt, and whether they are published by now."""

    def record_usage(self, *, cost: int = 0, tokens: int = 0, label: str | None = None) -> None:
        """Say what this attempt has used since it said so last: `cost` in millionths of a dollar, and tokens.

        It never waits. Raises `InvalidQuery` for what is no count.
        """
        self._check_open()
        for name, amount in (("cost", cost), ("tokens", tokens)):
            if type(amount) is not int or not 0 <= amount < 2**53:
                raise InvalidQuery(name, f"{amount!r} is no whole number from 0 to 2**53")
        check_text("label", label)
        if lineage_emits():
            self._observer.record_lineage(UsageRecorded(cost=cost, tokens=tokens, label=label))

    def record_decision(self, action: str, *, rule: str | None = None, reason: str | None = None) -> None:
        """Say that something that guards runs has decided about this attempt.

        The action is `allow`, `skip`, `warn`, `retry`, `redact`, `throttle` or `block`, else `InvalidQuery`. Nothing
        is done about it, and it never waits.
        """
        self._check_open()
        check_choice("action", action, DECISION_ACTIONS)
        check_text("rule", rule)
        check_text("reason", reason)
        if lineage_emits():
            self._observer.record_lineage(DecisionRecorded(action=action, rule=rule, reason=reason))

    def signal(self, run_id: str, *, label: str | None = None) -> None:
        """Say that this task starts the run `run_id` by a signal. Publish that task where signals are sent from.

        Recorded in the histories of both; it never waits. Raises `InvalidQuery` for what is no id of another task.
        """
        with self._saying(label):
            target = checked_task_id(run_id)
            if target == self._incoming.task_id:
                raise InvalidQuery("run_id", f"{run_id!r} is this very run; no run starts itself")
        own = self._incoming.task_id
        self._record(RunEdgeRecorded(kind="signal_fire", source_run=own, target_run=target, label=label))

    def callback(
        self,
        *,
        label: str | None = None,
        metadata: Mapping[str, Any] | None = None,  # Any: the user's own JSON object
    ) -> None:
        """Say that a callback from outside has woken this run. It never waits. Raises `InvalidQuery`.

        What takes callbacks outside of handlers has `RelaynaClient.record_callback`.
        """
        with self._saying(label):
            edge = waking_callback(self._incoming.task_id, label=label, metadata=metadata)
        self._record(edge)

    async def sleep(self, seconds: float, *, label: str | None = None) -> None:
        """Wait here by the client's clock, then say that the timer has fired. Raises `InvalidQuery`.

        A handler that waits holds its delivery: one of its consumer's `prefetch`.
        """
        with self._saying(label):
            check_seconds_to_wait("seconds", seconds)
        began = self._client.clock.now()
        await self._client.clock.sleep(seconds)
        self._check_open()
        self._record_own("timer_fire", began=began, label=label)

    async def ask_user(self, answer: Awaitable[_Answer], *, label: str | None = None) -> _Answer:
        """Await whatever brings the user's answer, then say that it has come, and return it.

        What the awaitable raises passes on, and nothing is recorded. Raises `InvalidQuery`.
        """
        with self._saying(label):
            given: object = answer
            if not inspect.isawaitable(given):
                problem = f"a {type(given).__name__} cannot be awaited; give what will bring the answer"
                raise InvalidQuery("answer", problem)
        began = self._client.clock.now()
        brought = await answer
        self._check_open()
        self._record_own("ctx_ask_user", began=began, label=label)
        return brought

    async def suspend(
        self,
        children: Iterable[str] | None = None,
        *,
        mode: WaitMode = "all",
        timeout: float | None = None,  # noqa: ASYNC109 - by the client's clock
    ) -> ChildrenEnded:
        """Wait here until children have ended: all of them, any, or the first that succeeds. Tell which and how.

        Without `children`, those that this attempt has spawned with `now=True`. Any other end than failed,
        dead-lettered and cancelled is a success; when none succeeds, the last one's end is awaited. Then
        says that the child whose end it was has woken this run, once a wake.

        A handler that waits holds its delivery, one of its consumer's `prefetch`: its children need slots beside it.
        After a crash the repeated attempt finds those that have ended at once. Raises `ChildrenNotEnded` after
        `timeout` seconds, `InvalidQuery`, and `InvalidSetting` without an observation sink.
        """
        with self._saying():
            check_choice("mode", mode, WAIT_MODES)
            if timeout is not None:
                check_seconds_to_wait("timeout", timeout)
            suspension = self._suspension(self._awaited(children), mode)
        wake = message_event_id(self._derived("suspend", self._ordinal("suspend")), "resume")
        began = self._client.clock.now()
        ended = await suspension.wait(timeout=timeout)
        self._check_open()
        self._record_own("resume", began=began, source_run=ended.woken_by, event_id=wake)
        return ended

    def _suspension(self, children: tuple[TaskId, ...], mode: WaitMode) -> Suspension:
        client = self._client
        if client.observation_sink is None:
            problem = "there is none, and suspend() reads from it how children ended; give the client one"
            raise InvalidSetting("observation_sink", "argument", problem)
        return Suspension(
            task_id=self._incoming.task_id,
            children=children,
            mode=mode,
            sink=client.observation_sink,
            clock=client.clock,
            counters=client.counters,
        )

    def _awaited(self, children: Iterable[str] | None) -> tuple[TaskId, ...]:
        """Raises `InvalidQuery` for children that cannot end while this handler waits."""
        if isinstance(children, str):
            raise InvalidQuery("children", f"{children!r} is text; give a list of ids")
        published = [child for child, is_published in self._spawned.items() if is_published]
        named = published if children is None else [checked_task_id(child) for child in children]
        if not named:
            raise InvalidQuery("children", "there are none to wait for; spawn them with now=True before")
        for child in named:
            if child == self._incoming.task_id:
                raise InvalidQuery("children", f"{child!r} is this very run; it would wait for itself")
            if not self._spawned.get(child, True):
                problem = f"{child!r} is held until this handler has succeeded; spawn it with now=True"
                raise InvalidQuery("children", problem)
        return tuple(dict.fromkeys(named))

    @contextlib.contextmanager
    def _saying(self, label: str | None = None) -> Iterator[None]:
        """Around the checks of a word that tells an edge: one that says nothing usable is counted."""
        self._check_open()
        try:
            check_text("label", label)
            yield
        except InvalidQuery:
            if lineage_emits():
                self._client.edges.refused("invalid")
            raise

    def _record_own(
        self,
        kind: str,
        *,
        began: Instant,
        source_run: TaskId | None = None,
        label: str | None = None,
        event_id: EventId | None = None,
    ) -> None:
        own = self._incoming.task_id
        waited_ms = round((self._client.clock.now() - began) / 1_000)
        edge = RunEdgeRecorded(
            kind=kind,
            source_run=source_run or own,
            target_run=own,
            label=label,
            metadata={WAITED_MS: waited_ms} if waited_ms > 0 else None,
        )
        self._record(edge, event_id=event_id)

    def _record(self, edge: RunEdgeRecorded, *, event_id: EventId | None = None) -> None:
        if lineage_emits() and self._client.edges.admits(edge):
            self._observer.record_lineage(edge, event_id=event_id)

    def _check_open(self) -> None:
        raise NotImplementedError

    def _ordinal(self, kind: str) -> int:
        raise NotImplementedError

    def _derived(self, *label: str | int) -> MessageId:
        raise NotImplementedError
