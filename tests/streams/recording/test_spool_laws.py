"""Laws of a recorder with a spool: whatever fails and however often it is made anew, no fact is lost in silence."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st
from streams.faulty_log import FaultyLog
from streams.recording_steps import make_recorder, sampled, segments_in

from relayna.events import EventsLost
from relayna.ids import TaskId
from relayna.streams.keys import TaskAddress
from relayna.streams.recording.recorder import Recorder
from relayna.streams.replay import replay
from relayna.streams.sink import Durability
from relayna.streams.spool import Spool

TASKS = ("a", "b", "c")
SPOOL_BYTES = 40_000

steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(1, 30)),
        st.tuples(st.just("store"), st.booleans()),
        st.tuples(st.just("refusing"), st.booleans()),
        st.tuples(st.just("refusing_one"), st.booleans()),
        st.tuples(st.just("lose_replies"), st.integers(1, 3)),
        st.tuples(st.just("fill_disk"), st.booleans()),
        st.tuples(st.just("durable"), st.sampled_from([0.0, 0.02])),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("turn"), st.integers(1, 20)),
    ),
    max_size=25,
)


class Written(logging.Handler):
    """The numbers of events that came to the program's log, by task."""

    def __init__(self) -> None:
        super().__init__()
        self.seqs: dict[str, set[int]] = {task: set() for task in TASKS}

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not message.startswith("{"):
            return
        event = json.loads(message)["event"]
        seqs = self.seqs[event["task_id"]]
        if event["event_type"] == "EventsLost":
            for first, last in event["seq_ranges"]:
                seqs |= set(range(first, last + 1))
        else:
            seqs.add(event["seq"])


class History:
    """One history of a recorder: what was recorded, on a log and a disk that fail."""

    def __init__(self, directory: Path) -> None:
        self.log = FaultyLog()
        self.recorded = 0
        self._directory = directory / "spool"
        self._ballast = self._directory / "ballast"

    async def play(self, script: Sequence[tuple[str, Any]]) -> None:
        """Play it to its end, then mend everything and let a last recorder bring all into the log."""
        rest = list(script)
        while rest:
            async with self._recorder() as recorder:
                while rest:
                    step, value = rest.pop(0)
                    if step == "restart":
                        break
                    await self._take(recorder, step, value)
        self._mend()
        async with self._recorder() as recorder:
            with anyio.fail_after(20):
                while segments_in(self._directory):
                    await anyio.lowlevel.checkpoint()
                while await recorder.durable(budget_seconds=5) is not Durability.STORED:
                    await anyio.lowlevel.checkpoint()

    def _recorder(self) -> Recorder:
        spool = Spool(self._directory, max_bytes=SPOOL_BYTES, segment_bytes=2_000)
        return make_recorder(self.log, spool=spool, max_events=40, flush_events=5, close_deadline=0.05)

    async def _take(self, recorder: Recorder, step: str, value: Any) -> None:
        if step == "record":
            for _ in range(value):
                for task in TASKS:
                    recorder.record(sampled(self.recorded, task=task))
                self.recorded += 1
        elif step == "store":
            self.log.unreachable = not value
        elif step == "refusing":
            self.log.refusing = value
        elif step == "refusing_one":
            self.log.refused = set(TASKS[:1]) if value else set()
        elif step == "lose_replies":
            self.log.lost_replies = value
        elif step == "fill_disk" and self._directory.exists():
            self._ballast.unlink(missing_ok=True)
            if value:
                self._ballast.write_bytes(bytes(SPOOL_BYTES))
        elif step == "durable":
            await recorder.durable(budget_seconds=value)
        elif step == "turn":
            for _ in range(value):
                await anyio.lowlevel.checkpoint()

    def _mend(self) -> None:
        self.log.unreachable = self.log.refusing = False
        self.log.refused = set()
        self.log.lost_replies = 0
        self._ballast.unlink(missing_ok=True)


@settings(max_examples=60, deadline=None)
@given(script=steps)
def test_each_event_is_in_the_log_or_told_to_be_lost_and_each_task_is_in_order(
    script: list[tuple[str, Any]],
) -> None:
    written = Written()
    logger = logging.getLogger("relayna.recorder")
    logger.addHandler(written)
    try:
        with tempfile.TemporaryDirectory() as directory:
            history = History(Path(directory))
            anyio.run(history.play, script)
    finally:
        logger.removeHandler(written)
    for task in TASKS:
        [read] = anyio.run(replay, history.log, [TaskAddress(TaskId(task))])
        stored: list[int] = []
        told = set(written.seqs[task])
        for event in read.events:
            if isinstance(event.body, EventsLost):
                for first, last in event.body.seq_ranges:
                    told |= set(range(first, last + 1))
            elif isinstance(event.envelope.seq, int) and event.envelope.seq not in stored:
                stored.append(event.envelope.seq)
        assert set(stored) | told == set(range(history.recorded))
        assert stored == sorted(stored)
