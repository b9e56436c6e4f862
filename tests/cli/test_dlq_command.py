"""`relayna dlq` against real servers: looking, planning, replaying, and the exit codes of each."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from cli.command_line import relayna
from rabbitmq_server import RabbitMQ
from servers import StoreUnderTest

from relayna.clock import SystemClock
from relayna.consumer.broker import Delivery, Settlement
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.events import (
    DEFAULT_REDACTION,
    Body,
    DeadLetterRecorded,
    Envelope,
    Event,
    OperatorActed,
    RecordedEvent,
    Redact,
    StatusPublished,
)
from relayna.ids import EventId, MessageId, TaskId
from relayna.streams import Recorder, TaskAddress, replay
from relayna.streams.redis import RedisLog
from relayna.topologies.declarations import Declarations, Queue

BODY = '{"task_id":"T","name":"Zoë"}'.encode()


def record(
    store: StoreUnderTest, letter_id: str = "L", *, redact: Redact | None = DEFAULT_REDACTION, **fields: Any
) -> None:
    """Record this dead letter of task T."""
    given = {
        "reason": "retries_exhausted",
        "message_id": MessageId("m"),
        "source_queue_name": "work",
        "headers": {"tenant": "t"},
        "body": BODY,
        "body_size": len(BODY),
        **fields,
    }
    body = DeadLetterRecorded(dead_letter_id=letter_id, **given)
    append(store, EventId(f"{letter_id}.dead_letter"), body, redact=redact)


def append(
    store: StoreUnderTest, event_id: EventId, body: Body, *, redact: Redact | None = DEFAULT_REDACTION
) -> None:
    """Record an event of task T."""
    envelope = Envelope(event_id=event_id, timestamp=SystemClock().now(), task_id=TaskId("T"))

    async def store_it() -> None:
        async with Recorder(RedisLog(store.url, prefix=store.prefix), redact=redact) as recorder:
            recorder.record(Event(envelope=envelope, body=body))
            await recorder.durable(budget_seconds=5)

    anyio.run(store_it)


def audited(store: StoreUnderTest) -> list[tuple[str | None, ...]]:
    """What operators did, as the task's stream tells it."""

    async def read() -> list[RecordedEvent]:
        async with RedisLog(store.url, prefix=store.prefix) as log:
            return (await replay(log, [TaskAddress(TaskId("T"))]))[0].events

    acts = [event.body for event in anyio.run(read) if isinstance(event.body, OperatorActed)]
    assert all(act.actor for act in acts)
    return [(act.outcome, act.via, act.reason) for act in acts]


def arguments(store: StoreUnderTest) -> tuple[str, ...]:
    return ("--redis-url", store.url, "--prefix", store.prefix)


def test_listing_and_showing(any_store: StoreUnderTest) -> None:
    record(any_store)
    table = relayna("dlq", "list", "T", *arguments(any_store))
    assert table.returncode == 0, table.stderr
    head, row = table.stdout.decode().splitlines()
    assert head.split()[0] == "DEAD_LETTER_ID"
    assert row.split()[0] == "L"
    assert "retries_exhausted" in row
    [listed] = json.loads(relayna("dlq", "list", "T", "--format", "json", *arguments(any_store)).stdout)
    assert (listed["dead_letter_id"], listed["replay_count"], "body" in listed) == ("L", 0, False)
    shown = json.loads(relayna("dlq", "show", "T", "L", "--format", "json", *arguments(any_store)).stdout)
    assert (shown["body"], shown["body_encoding"]) == (BODY.decode(), "utf-8")
    assert shown["headers"] == {"tenant": "t"}
    assert "Zoë" in relayna("dlq", "show", "T", "L", *arguments(any_store)).stdout.decode()


def test_a_body_cannot_speak_to_the_terminal(any_store: StoreUnderTest) -> None:
    record(any_store, body=b"\x1b[2Jfake\r\nline", reason="\x1b]0;title\x07")
    for command in (("list", "T"), ("show", "T", "L"), ("plan", "T", "L")):
        run = relayna("dlq", *command, *arguments(any_store))
        assert b"\x1b" not in run.stdout
        assert b"\r" not in run.stdout
        assert b"\nline" not in run.stdout


def test_a_body_that_is_no_text_is_shown_in_base64(any_store: StoreUnderTest) -> None:
    record(any_store, body=b"\xff\x00", body_size=2, redact=None)
    shown = json.loads(relayna("dlq", "show", "T", "L", "--format", "json", *arguments(any_store)).stdout)
    assert (shown["body"], shown["body_encoding"]) == ("/wA=", "base64")


def test_a_body_that_nobody_can_look_through_is_not_kept(any_store: StoreUnderTest) -> None:
    record(any_store, body=b"\xff\x00", body_size=2)
    shown = json.loads(relayna("dlq", "show", "T", "L", "--format", "json", *arguments(any_store)).stdout)
    assert ("body" in shown, shown["body_size"], shown["body_redacted"]) == (False, 2, True)
    run = relayna("dlq", "plan", "T", "L", *arguments(any_store))
    assert run.returncode == 1
    assert b"body_redacted: the body is no text, so it may hold secrets" in run.stdout


def test_nothing_there(any_store: StoreUnderTest) -> None:
    append(any_store, EventId("s"), StatusPublished(status="started"))
    run = relayna("dlq", "list", "T", *arguments(any_store))
    assert (run.returncode, run.stdout) == (0, b"")
    assert b"no dead letters" in run.stderr
    assert json.loads(relayna("dlq", "list", "T", "--format", "json", *arguments(any_store)).stdout) == []
    record(any_store)
    for style in ("table", "json"):
        run = relayna("dlq", "list", "U", "--format", style, *arguments(any_store))
        assert (run.returncode, run.stdout) == (3, b"")
        assert b"Nothing is recorded for task 'U'" in run.stderr
    for command in ("show", "plan", "replay"):
        run = relayna("dlq", command, "T", "M", *arguments(any_store))
        assert (run.returncode, run.stdout) == (3, b"")
        assert b"no dead letter 'M'" in run.stderr


def test_the_beginning_of_an_id_is_enough(any_store: StoreUnderTest) -> None:
    for letter_id in ("letter-1", "letter-12", "other"):
        record(any_store, letter_id)
    for given, meant in (("o", "other"), ("letter-12", "letter-12"), ("letter-1", "letter-1")):
        for command in ("show", "plan", "replay"):
            run = relayna("dlq", command, "T", given, "--format", "json", *arguments(any_store))
            assert run.returncode == 0, run.stderr
            assert json.loads(run.stdout)["dead_letter_id"] == meant
    for command in ("show", "plan", "replay"):
        run = relayna("dlq", command, "T", "let", *arguments(any_store))
        assert (run.returncode, run.stdout) == (2, b"")
        assert b"'let' begins 2 of them: letter-1, letter-12; give more of one" in run.stderr


def test_a_broker_that_cannot_be_had_is_told_in_one_line(any_store: StoreUnderTest) -> None:
    record(any_store)
    replay = ("dlq", "replay", "T", "L", "--yes", *arguments(any_store))
    away = relayna(*replay, "--amqp-url", "amqp://u:hunter2@127.0.0.1:1/")
    assert away.returncode == 1
    [told] = away.stderr.decode().splitlines()
    assert told == (
        "relayna: No RabbitMQ answers at amqp://***@127.0.0.1:1/: connection refused. "
        "Is it running and reachable?"
    )
    wrong = relayna(*replay, "--amqp-url", "redis://127.0.0.1")
    assert wrong.returncode == 2
    assert b"Invalid value for --amqp-url: it does not begin with amqp://" in wrong.stderr
    wrong = relayna(*replay, RELAYNA_AMQP_URL="redis://127.0.0.1")
    assert b"Invalid value for amqp_url (environment RELAYNA_AMQP_URL): it does not" in wrong.stderr


def test_a_replay_is_a_dry_run_unless_it_is_confirmed(any_store: StoreUnderTest) -> None:
    record(any_store)
    plan = relayna("dlq", "plan", "T", "L", *arguments(any_store))
    dry = relayna("dlq", "replay", "T", "L", *arguments(any_store))
    assert (plan.returncode, dry.returncode) == (0, 0)
    assert plan.stdout == dry.stdout
    assert b"queue work (known from record)" in plan.stdout
    assert b"add --yes" in dry.stderr
    shown = json.loads(relayna("dlq", "plan", "T", "L", "--format", "json", *arguments(any_store)).stdout)
    assert (shown["allowed"], shown["replay_count"], "body" in shown) == (True, 1, False)
    run = relayna("dlq", "replay", "T", "L", "--yes", *arguments(any_store))
    assert run.returncode == 2
    assert b"--amqp-url or RELAYNA_AMQP_URL" in run.stderr


def test_a_refusal_exits_with_1(any_store: StoreUnderTest) -> None:
    record(any_store, body_size=len(BODY) + 1)
    for command in (("plan",), ("replay",), ("replay", "--yes", "--amqp-url", "amqp://127.0.0.1:1/")):
        run = relayna("dlq", command[0], "T", "L", *command[1:], *arguments(any_store))
        assert run.returncode == 1, run.stderr
        assert b"body_cut" in run.stdout


@pytest.mark.rabbitmq
def test_a_confirmed_replay_is_published_once(any_store: StoreUnderTest, rabbitmq: RabbitMQ) -> None:
    queue = rabbitmq.name()
    record(any_store, source_queue_name=queue)

    async def declare() -> None:
        async with RabbitMQBroker(rabbitmq.url) as broker:
            await broker.declare(Declarations(queues=(Queue(name=queue),)))

    async def take() -> Delivery:
        async with (
            RabbitMQBroker(rabbitmq.url) as broker,
            broker.consume(queue, prefetch=10) as subscription,
        ):
            with anyio.fail_after(10):
                delivery = await anext(aiter(subscription))
            await broker.settle(delivery, Settlement.ACK)
            return delivery

    missing = relayna("dlq", "replay", "T", "L", "--yes", "--amqp-url", rabbitmq.url, *arguments(any_store))
    assert missing.returncode == 1
    assert b"No queue is bound" in missing.stderr
    anyio.run(declare)
    run = relayna(
        "dlq", "replay", "T", "L", "--yes", "--format", "json", "--reason", "mended", *arguments(any_store),
        RELAYNA_AMQP_URL=rabbitmq.url,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["outcome"] == "replayed"
    again = relayna("dlq", "replay", "T", "L", "--yes", "--amqp-url", rabbitmq.url, *arguments(any_store))
    assert again.returncode == 1
    assert b"in_flight" in again.stdout
    delivery = anyio.run(take)
    assert (delivery.message.body, delivery.message.headers["tenant"]) == (BODY, "t")
    assert delivery.message.headers["x-relayna-cause"] == "L.replayed.1"
    [listed] = json.loads(relayna("dlq", "list", "T", "--format", "json", *arguments(any_store)).stdout)
    assert listed["replay_count"] == 1
    assert audited(any_store) == [
        ("asked", "command_line", None),
        ("failed", "command_line", None),
        ("asked", "command_line", "mended"),
        ("done", "command_line", None),
        ("asked", "command_line", None),
        ("refused", "command_line", None),
    ]
