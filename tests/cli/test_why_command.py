"""`relayna why TASK` against a real server: the sentence, the exit code, the same answer as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

import anyio
from cli.command_line import relayna
from servers import StoreUnderTest

from relayna.events import RecordedEvent, encode_event, encode_frame
from relayna.events.envelope import Event
from relayna.streams import Append, TaskAddress
from relayna.streams.redis import RedisLog
from relayna.testing import history


def stored(store: StoreUnderTest, events: Sequence[RecordedEvent]) -> tuple[str, ...]:
    """Put the events into their tasks' streams; the options that lead to them."""

    async def append() -> None:
        async with RedisLog(store.url, prefix=store.prefix) as log:
            for one in events:
                task_id = one.envelope.task_id
                data = encode_event(Event(envelope=one.envelope, body=one.body))
                await log.append([Append(TaskAddress(task_id), encode_frame(task_id, None, 0, [data]))])

    anyio.run(append)
    return ("--redis-url", store.url, "--prefix", store.prefix)


def test_a_failure_is_named_with_what_it_took_down(any_store: StoreUnderTest) -> None:
    first = history("order-7").published().attempt().fails("CardDeclined", "no funds")
    last = first.retried().attempt().fails("CardDeclined", "no funds").dead_lettered()
    options = stored(any_store, last.events)
    run = relayna("why", "order-7", *options)
    assert run.returncode == 6, run.stderr
    sentence, _, head, *lines = run.stdout.decode().splitlines()
    assert sentence.startswith("order-7 failed because attempt 1 (event ")
    assert head == "Led to the end:"
    assert first.attempt_id in lines[0]
    assert lines[1].startswith("    took down order-7 attempt 2  dead_lettered")
    told = json.loads(relayna("why", "order-7", "--format", "json", *options).stdout)
    assert told["sentence"] == sentence
    assert told["causes"][0]["failure"]["event_id"] == first.attempt_id


def test_what_ended_well_is_no_finding(any_store: StoreUnderTest) -> None:
    done = history("order-7").published().attempt().fails().retried().attempt().acked()
    run = relayna("why", "order-7", *stored(any_store, done.events))
    assert (run.returncode, run.stdout.decode().splitlines()[0]) == (0, "order-7 ended well.")
    assert "Failed, and worked when tried again:" in run.stdout.decode()


def test_what_is_waited_for_is_told(any_store: StoreUnderTest) -> None:
    options = stored(any_store, history("order-7").published().events)
    run = relayna("why", "order-7", *options)
    assert run.returncode == 0
    assert run.stdout.decode().splitlines()[-1].startswith("  message order-7")


def test_a_task_that_nobody_knows_is_not_found(any_store: StoreUnderTest) -> None:
    run = relayna("why", "nobody", "--redis-url", any_store.url, "--prefix", any_store.prefix)
    assert (run.returncode, run.stdout) == (3, b"")


def test_hostile_text_cannot_act_on_the_terminal(any_store: StoreUnderTest) -> None:
    failed = history("order-7").published().attempt().fails("E\x1b[2J", "two\nlines\x07").dead_lettered()
    run = relayna("why", "order-7", *stored(any_store, failed.events))
    assert not set(run.stdout.decode()) & {"\x1b", "\x07"}
    assert "two\\nlines" in run.stdout.decode()
