"""The log and those who write and read it: streams of facts, the recorder, replay."""

from relayna.streams.keys import (
    DEFAULT_PREFIX,
    DEFAULT_SHARD_COUNT,
    DEFAULT_TENANT,
    KeyGrammar,
    TaskAddress,
    checked_task_id,
    checked_tenant,
)
from relayna.streams.log import (
    Append,
    Appended,
    AppendResult,
    Entry,
    FeedReference,
    Log,
    NotAppended,
    StreamPage,
    StreamRange,
    StreamState,
)
from relayna.streams.memory import MemoryLog
from relayna.streams.outcomes import Outcome, Ruling, Trouble
from relayna.streams.recording import Backoff, Recorder
from relayna.streams.references import references
from relayna.streams.replay import Replay, replay
from relayna.streams.sink import Durability, ObservationSink

__all__ = [
    "Append",
    "AppendResult",
    "Appended",
    "Backoff",
    "DEFAULT_PREFIX",
    "DEFAULT_SHARD_COUNT",
    "DEFAULT_TENANT",
    "Durability",
    "Entry",
    "FeedReference",
    "KeyGrammar",
    "Log",
    "MemoryLog",
    "NotAppended",
    "ObservationSink",
    "Outcome",
    "Recorder",
    "Replay",
    "Ruling",
    "StreamPage",
    "StreamRange",
    "StreamState",
    "TaskAddress",
    "Trouble",
    "checked_task_id",
    "checked_tenant",
    "references",
    "replay",
]
