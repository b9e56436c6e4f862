"""The RabbitMQ of the tests: a node of our own, started when first asked for.

`RELAYNA_TEST_AMQP_URL` names another one, where queues of the tests stay behind and nothing is restarted.
Without either the tests are skipped with the reason; under CI=true they fail.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self
from uuid import uuid4

from servers import missing_server

from tools.rabbitmq_node import RabbitMQNode, find_rabbitmq

__all__ = ["RabbitMQ"]


class RabbitMQ:
    """The RabbitMQ of the whole session, started when first asked for."""

    def __init__(self) -> None:
        self._started: RabbitMQNode | None = None

    @property
    def url(self) -> str:
        """Where it is. Skips or fails the test when there is none."""
        return os.environ.get("RELAYNA_TEST_AMQP_URL") or self.node.url

    @property
    def node(self) -> RabbitMQNode:
        """Our own node, for what is not done to anybody else's. Skips or fails the test when there is none."""
        if self._started is None:
            if os.environ.get("RELAYNA_TEST_AMQP_URL"):
                missing_server("not done to the RabbitMQ of RELAYNA_TEST_AMQP_URL")
            found = find_rabbitmq()
            if found is None:
                missing_server("no RabbitMQ: put rabbitmq-server on PATH, or set RELAYNA_TEST_AMQP_URL")
            self._started = RabbitMQNode(found).__enter__()
        return self._started

    def name(self) -> str:
        """A name that no other test uses."""
        return f"test-{uuid4().hex}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._started is not None:
            self._started.__exit__(kind, error, traceback)
