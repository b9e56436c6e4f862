"""Replays a session from a stage on: what the stage was given is sent again, as a new session with fresh ids.

Owns the order: plan, fetch every stored input, put every message together, and only then publish, with confirms, to
the queues that the originals were taken from. Whatever stands in the way before that publishes nothing. What a replay
is made of is decided in `projections/messages/replay_from_stage.py`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from msgspec import Struct, field
from msgspec.structs import replace

from relayna.clock import Clock, SystemClock
from relayna.consumer.broker import Broker
from relayna.consumer.edge_admission import EdgeAdmission
from relayna.consumer.messages.envelope_codec import EnvelopeCodec
from relayna.consumer.producer import Producer
from relayna.consumer.publications import ProducerPublication
from relayna.consumer.sender import Sender
from relayna.consumer.stage_replays import ReplayedInput, StageReplays
from relayna.errors import BrokerError, InvalidQuery, InvalidSetting
from relayna.events import OperatorActed
from relayna.events.sanitise import storable_text
from relayna.ids import SessionId, TaskId
from relayna.mint import Mint, RandomMint
from relayna.observability.dead_letter_replayer import Via
from relayna.observability.message_reading import MessageReader
from relayna.observability.session_replay_errors import (
    InputsLost,
    InputsMissing,
    ReplayCutShort,
    SessionNotWhole,
)
from relayna.projections.messages.replay_from_stage import StageInput, StageReplayPlan, plan_stage_replay
from relayna.signals import IgnoredCounters
from relayna.storage import PayloadNotFound, PayloadStorage
from relayna.streams.sink import KEPT, ObservationSink
from relayna.topologies import ContractAliasConfig

__all__ = [
    "InputsLost",
    "InputsMissing",
    "ReplayCutShort",
    "ReplayedMessage",
    "SessionNotWhole",
    "SessionReplay",
    "SessionReplayed",
]


class ReplayedMessage(Struct, frozen=True, kw_only=True):
    """One message that is sent again."""

    source_message_id: str
    source_task_id: str
    queue_name: str
    storage_key: str
    input_bytes: int
    """Of its whole body, as it is stored."""
    message_id: str | None = None
    """The new one's; null in a plan."""
    task_id: str | None = None


class SessionReplayed(Struct, frozen=True, kw_only=True):
    """What was sent again, or would be."""

    session_id: str
    """The original's."""
    stage: str
    messages: list[ReplayedMessage]
    new_session_id: str | None = None
    """Null in a plan."""
    batch_id: str | None = None
    recorded: bool = True
    """Whether what was published is in the log by now; where not, it is still on its way."""
    missing: list[str] = field(default_factory=list)
    """Why the original's histories are not whole."""
    fixed_ids: list[str] = field(default_factory=list)
    """Runs that messages of the stage brought forth under ids of their handler's choice: if it chooses them again,

    those very runs are made again, in their old session."""


class SessionReplay:
    """Replays sessions that `reader` reads. Without a `broker` and a `sink`, it only plans."""

    def __init__(
        self,
        *,
        reader: MessageReader,
        storage: PayloadStorage,
        broker: Broker | None = None,
        sink: ObservationSink | None = None,
        aliases: ContractAliasConfig | None = None,
        clock: Clock | None = None,
        mint: Mint | None = None,
        confirm_timeout: float = 10.0,
    ) -> None:
        """`confirm_timeout` is in seconds."""
        self._reader = reader
        self._storage = storage
        self._broker = broker
        self._sink = sink
        self._envelopes = EnvelopeCodec(aliases)
        self._clock = clock or SystemClock()
        self._mint = mint or RandomMint()
        self._confirm_timeout = confirm_timeout

    async def plan(self, session_id: str, stage: str) -> SessionReplayed:
        """What `replay` would send, all inputs looked for; publishes nothing.

        Raises `ExecutionNotFound` for an unknown session, `InvalidQuery` for an unknown stage and one that takes
        children's reports, `InputsMissing`, `PayloadError`, `StoreError`.
        """
        plan, missing = await self._planned(session_id, stage)
        bodies = await self._bodies(plan)
        messages = [_planned_message(one, body) for one, body in zip(plan.inputs, bodies, strict=True)]
        return SessionReplayed(
            session_id=plan.session_id,
            stage=stage,
            messages=messages,
            missing=missing,
            fixed_ids=list(plan.fixed_ids),
        )

    async def replay(
        self,
        session_id: str,
        stage: str,
        *,
        replayed_by: str | None = None,
        via: Via = "process",
        reason: str | None = None,
    ) -> SessionReplayed:
        """Send every input of the stage again, to the queue that it was taken from, as a new session.

        Raises as `plan` does, `SessionNotWhole`, `MalformedMessage` for a stored body that is no message, or whose payload cannot be
        read as it was handled without the `aliases` of its contract (nothing was published then), `BrokerError` when
        nothing was, `ReplayCutShort` when some were, and `InvalidSetting` without a broker.
        """
        broker, sink = self._broker, self._sink
        if broker is None or sink is None:
            raise InvalidSetting(
                "broker", "argument", "replaying needs a broker and a sink; give SessionReplay both"
            )
        plan, missing = await self._planned(session_id, stage)
        if missing:
            raise SessionNotWhole(session_id, missing)
        given = self._renamed(plan, await self._bodies(plan))
        new_session, batch_id = SessionId(given[0].run_id), self._mint.message_id()
        asked = _asked(plan.session_id, batch_id, replayed_by, via, reason)
        publications = self._publications(plan, given, new_session, asked)
        recorded = await self._publish(broker, sink, publications, plan, new_session)
        messages = [
            replace(_planned_message(source, one.body), message_id=one.message_id, task_id=one.run_id)
            for source, one in zip(plan.inputs, given, strict=True)
        ]
        return SessionReplayed(
            session_id=plan.session_id, stage=stage, messages=messages, new_session_id=new_session, batch_id=batch_id,
            recorded=recorded, fixed_ids=list(plan.fixed_ids),
        )  # fmt: skip

    async def _planned(self, session_id: str, stage: str) -> tuple[StageReplayPlan, list[str]]:
        known = await self._reader.of_session(session_id)
        plan = plan_stage_replay(known.rows, known.session_id or session_id, stage)
        if plan.reports:
            raise InvalidQuery(
                "stage", f"{stage!r} takes children's reports; replay from where the children work"
            )
        if plan.without_input:
            raise InputsMissing(stage, plan.without_input)
        if not plan.inputs:
            stages = ", ".join(plan.stages) or "none"
            raise InvalidQuery(
                "stage", f"nothing in session {session_id!r} was handled at {stage!r}; there are: {stages}"
            )
        return plan, known.missing

    async def _bodies(self, plan: StageReplayPlan) -> list[bytes]:
        bodies: list[bytes] = []
        lost: dict[str, PayloadNotFound] = {}
        for one in plan.inputs:
            try:
                bodies.append(await self._storage.get(one.storage_key))
            except PayloadNotFound as error:
                lost[one.message_id] = error
        if lost:
            raise InputsLost(plan.stage, lost)
        return bodies

    def _renamed(self, plan: StageReplayPlan, bodies: list[bytes]) -> list[ReplayedInput]:
        """Fresh ids: a run for each original run, a message for each message."""
        runs: dict[str, TaskId] = {}
        return [
            ReplayedInput(
                body=body,
                kind="workflow" if one.kind == "workflow" else "task",
                stage=one.stage,
                queue_name=one.queue_name,
                message_id=self._mint.message_id(),
                run_id=runs.setdefault(one.task_id, TaskId(self._mint.message_id())),
                source_run=TaskId(one.task_id),
                input_hash=one.input_hash,
            )
            for one, body in zip(plan.inputs, bodies, strict=True)
        ]

    def _publications(
        self, plan: StageReplayPlan, given: list[ReplayedInput], new_session: SessionId, asked: OperatorActed
    ) -> list[ProducerPublication]:
        replays = StageReplays(
            envelopes=self._envelopes,
            session_id=new_session,
            batch_id=asked.action_id or "",
            metadata={"session_id": storable_text(plan.session_id), "stage": storable_text(plan.stage)},
        )
        return [replays.publication(one, None if number else asked) for number, one in enumerate(given)]

    async def _publish(
        self,
        broker: Broker,
        sink: ObservationSink,
        publications: list[ProducerPublication],
        plan: StageReplayPlan,
        new_session: str,
    ) -> bool:
        producer = Producer(
            sender=Sender(broker, confirm_timeout=self._confirm_timeout, clock=self._clock), sink=sink,
            edges=EdgeAdmission(IgnoredCounters(), is_told=True), clock=self._clock, name=self._mint.producer(),
            topology_kind=plan.topology_kind,
        )  # fmt: skip
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(sink)
            await opened.enter_async_context(broker)
            for number, publication in enumerate(publications):
                try:
                    await producer.publish(publication)
                except BrokerError as error:
                    if number == 0:
                        raise
                    raise ReplayCutShort(new_session, number, len(publications), str(error)) from error
            return await sink.durable() in KEPT


def _planned_message(one: StageInput, body: bytes) -> ReplayedMessage:
    return ReplayedMessage(
        source_message_id=one.message_id,
        source_task_id=one.task_id,
        queue_name=one.queue_name,
        storage_key=one.storage_key,
        input_bytes=len(body),
    )


def _asked(
    session_id: str, batch_id: str, replayed_by: str | None, via: Via, reason: str | None
) -> OperatorActed:
    """The audit lies in the new session: the original stays as it is."""
    return OperatorActed(
        action="replay_from_stage",
        action_id=batch_id,
        target_id=storable_text(session_id),
        actor=None if replayed_by is None else storable_text(replayed_by),
        via=via,
        outcome="done",
        reason=None if reason is None else storable_text(reason),
    )
