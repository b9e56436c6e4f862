"""Dead letters of a task, from what was recorded of them: looking never touches their queue.

Owns the list, the detail, and the order of a replay's steps. What a replay would be is decided in
`projections/replay_plan.py`. A letter is what its records say together; its queue is not asked.

A replay is claimed, published, marked, in this order (docs/decisions/0009), and audited before and after: what was
asked for without an end that is told was cut off. Whoever dies on the way leaves:

| after | the log has | the queue has | the next replay |
|---|---|---|---|
| nothing | nothing | nothing | is as the first |
| the claim | a claim | nothing | is refused until the claim has run out, then publishes the copy |
| the publish | a claim | the copy | is the same; once an attempt at the copy is recorded, it only marks |
| the mark | a claim and a mark | the copy | is refused: `in_flight`, later `handled` or `dead_again` |

A copy that is published again carries the same ids and says that it may be repeated, so that consumers handle one.
"""

from __future__ import annotations

import logging
from typing import Final
from weakref import WeakValueDictionary

import anyio

from relayna.consumer.broker import Broker
from relayna.consumer.messages.causal_headers import read_headers
from relayna.consumer.messages.replayed import replayed_message
from relayna.errors import (
    BrokerError,
    DeadLetterNotFound,
    InvalidQuery,
    InvalidSetting,
    OutcomeUnknown,
    StoreError,
)
from relayna.events import DeadLetterRecorded, DeadLetterReplayed
from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.mint import Mint, RandomMint
from relayna.observability.dead_letter_replayer import ReplayOutcome, ReplayResult, Via
from relayna.observability.dead_letter_store import DLQStore
from relayna.observability.operator_audit import OperatorAudit, ReplayRequest
from relayna.observability.stores import PlainRecord
from relayna.projections.replay_history import find_letter
from relayna.projections.replay_plan import DEFAULT_SAME_FAILURE_LIMIT, ReplayPlan, plan_replay
from relayna.signals import Counters, IgnoredCounters

__all__ = ["DLQService"]

_log: Final = logging.getLogger("relayna.observability")
_CLAIM_MARGIN_SECONDS: Final = 50.0
"""For what a claimant does beside waiting for a confirm: connecting, and reading and writing the log."""


class DLQService:
    """Answers questions about dead letters, and replays them when it has a broker."""

    def __init__(
        self,
        *,
        store: DLQStore,
        broker: Broker | None = None,
        confirm_timeout: float = 10.0,
        same_failure_limit: int = DEFAULT_SAME_FAILURE_LIMIT,
        claim_seconds: float | None = None,
        mint: Mint | None = None,
        counters: Counters | None = None,
    ) -> None:
        """`confirm_timeout` is in seconds; `same_failure_limit` is explained in `plan_replay`.

        Counts `relayna_replays_total` by outcome. For `claim_seconds` after it claimed a replay, nobody else
        replays that letter: 50 s longer than the confirm may take, unless given. Raises `InvalidSetting` when it is negative.
        """
        if claim_seconds is not None and claim_seconds < 0:
            raise InvalidSetting("claim_seconds", "argument", f"{claim_seconds} must be at least 0")
        self._store = store
        self._broker = broker
        self._mint = mint or RandomMint()
        self._confirm_timeout = confirm_timeout
        self._claim_seconds = (
            confirm_timeout + _CLAIM_MARGIN_SECONDS if claim_seconds is None else claim_seconds
        )
        self._same_failure_limit = same_failure_limit
        self._counters: Counters = IgnoredCounters() if counters is None else counters
        self._turns: WeakValueDictionary[tuple[str, str], anyio.Lock] = WeakValueDictionary()

    @property
    def can_replay(self) -> bool:
        """Whether there is a broker to publish to."""
        return self._broker is not None

    async def is_known(self, task_id: str) -> bool:
        """Whether anything is recorded for the task. Raises `StoreError`."""
        return await self._store.is_known(task_id)

    async def list_dead_letters(self, task_id: str) -> list[PlainRecord]:
        """The task's dead letters, oldest first, each once, with its `replay_count`. Raises `StoreError`."""
        letters: dict[str, PlainRecord] = {}
        replays: dict[str, set[int]] = {}
        for record in await self._store.get_history(task_id):
            letter_id = record["dead_letter_id"]
            if record["event_type"] == DeadLetterReplayed.__name__:
                replays.setdefault(letter_id, set()).add(record["replay_count"])
            else:
                # Its worker and the recorder may both have told of it; each knows what the other does not.
                letters[letter_id] = {**record, **letters.get(letter_id, {})}
        return [
            {**record, "replay_count": len(replays.get(letter_id, ()))}
            for letter_id, record in letters.items()
        ]

    async def get_dead_letter(self, task_id: str, dead_letter_id: str) -> PlainRecord:
        """One dead letter with headers and body (base64). Raises `DeadLetterNotFound`, `StoreError`."""
        for record in await self.list_dead_letters(task_id):
            if record["dead_letter_id"] == dead_letter_id:
                return record
        raise DeadLetterNotFound(task_id, dead_letter_id)

    async def full_id(self, task_id: str, beginning: str) -> str:
        """The one id of a dead letter of the task that begins so; the beginning itself when none does.

        Raises `InvalidQuery` when several do and none is all of it, and `StoreError`.
        """
        bodies = [event.body for event in await self._store.get_events(task_id)]
        ids = sorted({body.dead_letter_id for body in bodies if isinstance(body, DeadLetterRecorded)})
        fitting = [one for one in ids if one.startswith(beginning)]
        if beginning in ids or not fitting:
            return beginning
        if len(fitting) > 1:
            problem = f"{beginning!r} begins {len(fitting)} of them: {', '.join(fitting)}; give more of one"
            raise InvalidQuery("dead_letter_id", problem)
        return fitting[0]

    async def plan(self, task_id: str, dead_letter_id: str, *, force: bool = False) -> ReplayPlan:
        """What `replay` would do now; changes nothing. Raises `StoreError`.

        `force` leaves out the guards against a second copy beside a first, and against loops.
        """
        return await self._plan(task_id, dead_letter_id, ReplayRequest(force=force))

    async def _plan(
        self, task_id: str, dead_letter_id: str, request: ReplayRequest, *, claim_id: str | None = None
    ) -> ReplayPlan:
        events = await self._store.get_events(task_id)
        found = find_letter(events, dead_letter_id)
        return plan_replay(
            events,
            task_id=TaskId(task_id),
            dead_letter_id=dead_letter_id,
            own_replay_count=read_headers(found[1].headers or {}).replay_count if found else 0,
            same_failure_limit=self._same_failure_limit,
            force=request.force,
            now=self._store.clock.now(),
            claim_id=claim_id,
            expected_replays=request.expect_replay_count,
        )

    async def replay(
        self,
        task_id: str,
        dead_letter_id: str,
        *,
        force: bool = False,
        replayed_by: str | None = None,
        via: Via = "process",
        reason: str | None = None,
        expect_replay_count: int | None = None,
    ) -> ReplayResult:
        """Claim the replay, publish the letter again with a confirm, then record that, unless the plan refuses.

        Of those who replay a letter at the same moment one publishes, and the others are refused, as is who
        expects another `replay_count` than the letter has by now. Raises `StoreError` when it cannot be recorded
        who asked, and when the plan or the claim cannot be made, and `BrokerError`; in these cases nothing was
        published. `InvalidSetting` without a broker.
        """
        broker = self._broker
        if broker is None:
            raise InvalidSetting("broker", "argument", "replaying needs one; give DLQService a broker")
        request = ReplayRequest(
            force=force,
            replayed_by=replayed_by,
            via=via,
            reason=reason,
            expect_replay_count=expect_replay_count,
        )
        async with self._turn(task_id, dead_letter_id):
            result = await self._audited(broker, task_id, dead_letter_id, request)
        self._counters.increment("relayna_replays_total", outcome=result.outcome.value)
        return result

    async def _audited(
        self, broker: Broker, task_id: str, dead_letter_id: str, request: ReplayRequest
    ) -> ReplayResult:
        before = await self._plan(task_id, dead_letter_id, request)
        if before.letter_event_id is None:  # nobody's stream is begun by asking for what is not there
            return ReplayResult(outcome=ReplayOutcome.REFUSED, plan=before, problem=_reasons(before))
        audit = OperatorAudit(self._store, before, request, action_id=self._mint.message_id())
        await audit.asked()
        try:
            plan, claim_id = await self._claimed(before, request)
            result = await self._carry_out(broker, plan, claim_id, request.replayed_by)
        except (BrokerError, StoreError) as error:
            await audit.failed(error)
            raise
        return await audit.ended(result)

    async def _carry_out(
        self, broker: Broker, plan: ReplayPlan, claim_id: str | None, replayed_by: str | None
    ) -> ReplayResult:
        if not plan.allowed or plan.target is None:
            return ReplayResult(outcome=ReplayOutcome.REFUSED, plan=plan, problem=_reasons(plan))
        # Taken before: whoever gets the message may be quicker than its confirm, and no effect may seem
        # to come before its cause.
        timestamp = plan.published_by or self._store.clock.now()
        if plan.published_by is None and claim_id is not None:
            try:
                await self._publish(broker, plan, plan.target.exchange, plan.target.routing_key)
            except OutcomeUnknown as error:
                return ReplayResult(outcome=ReplayOutcome.UNKNOWN, plan=plan, problem=str(error))
            except BrokerError:
                await self._withdraw(plan, claim_id)
                raise
        return await self._mark(plan, timestamp, replayed_by)

    async def _claimed(self, before: ReplayPlan, request: ReplayRequest) -> tuple[ReplayPlan, str | None]:
        """The plan as it is once the replay is claimed, and the claim, when there is anything to claim."""
        if not before.allowed or before.published_by is not None:
            return before, None
        claim_id = self._mint.message_id()
        await self._store.add_claim(
            before, claim_id, holds_seconds=self._claim_seconds, claimed_by=request.replayed_by
        )
        plan = await self._plan(before.task_id, before.dead_letter_id, request, claim_id=claim_id)
        if plan.reasons and not any(note.code == "claimed" for note in plan.reasons):
            await self._withdraw(before, claim_id)  # meanwhile something else speaks against it
        return plan, claim_id

    async def _withdraw(self, plan: ReplayPlan, claim_id: str) -> None:
        try:
            await self._store.add_claim(plan, claim_id, holds_seconds=0, withdrawn=True)
        except StoreError as error:
            _log.warning("The claim to replay %s runs out by itself: %s", plan.dead_letter_id, error)

    def _turn(self, task_id: str, dead_letter_id: str) -> anyio.Lock:
        """Two requests of this process for one letter: the second sees what the first has done."""
        return self._turns.setdefault((task_id, dead_letter_id), anyio.Lock())

    async def _publish(self, broker: Broker, plan: ReplayPlan, exchange: str, routing_key: str) -> None:
        async with broker:
            await broker.publish(
                replayed_message(plan),
                exchange=exchange,
                routing_key=routing_key,
                confirm_timeout=self._confirm_timeout,
            )

    async def _mark(self, plan: ReplayPlan, timestamp: Instant, replayed_by: str | None) -> ReplayResult:
        problem = None
        with anyio.CancelScope(shield=True):  # whoever loses patience must not leave a replay unrecorded
            try:
                await self._store.add_replay(plan, timestamp=timestamp, replayed_by=replayed_by)
            except StoreError as error:
                problem = str(error)
        outcome = ReplayOutcome.REPLAYED if problem is None else ReplayOutcome.UNMARKED
        return ReplayResult(outcome=outcome, plan=plan, problem=problem)


def _reasons(plan: ReplayPlan) -> str:
    return "; ".join(note.text for note in plan.reasons)
