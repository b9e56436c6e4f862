"""`relayna replay`: what it says it would do, and its exit codes. What it does is in tests/docs/test_messages_page.py."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from cli.in_process import Ran, relayna_here
from observability.kept_histories import keep
from servers import StoreUnderTest

from relayna.events import MessageInputRecorded
from relayna.ids import counted_event_id
from relayna.storage import LocalDirectoryStorage
from relayna.streams.redis import RedisLog
from relayna.testing import history

NOBODY = "amqp://127.0.0.1:1/"


@pytest.fixture
def kept(any_store: StoreUnderTest, tmp_path: Path) -> StoreUnderTest:
    """A store that holds a failed order with its input, and one whose input was not stored."""

    async def fill() -> None:
        key = await LocalDirectoryStorage(tmp_path).put(b'{"task_id": "order-7", "payload": 1}')
        async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
            for name, stored in (("order-7", key), ("order-8", None)):
                attempt = history(name).published().attempt()
                given = MessageInputRecorded(
                    message_id=attempt.message.message_id, storage_key=stored, queue_name="work"
                )
                attempt._beside(counted_event_id(attempt.attempt_id, "lineage", 1), given)
                await keep(log, attempt.fails("KeyError", "'id'").dead_lettered().events)

    anyio.run(fill)
    return any_store


def ran(store: StoreUnderTest, directory: Path, *words: str) -> Ran:
    place = ("--redis-url", store.url, "--prefix", store.prefix, "--storage-url", str(directory))
    return relayna_here("replay", *words, *place)


def test_a_dry_run_says_what_would_be_sent(kept: StoreUnderTest, tmp_path: Path) -> None:
    told = ran(kept, tmp_path, "order-7", "--from-stage", "work", "--dry-run")
    assert (told.code, told.stderr) == (0, "")
    head, row, summary = told.stdout.decode().splitlines()
    assert head.split() == ["MESSAGE", "RUN", "ROUTE", "BYTES"]
    assert row.split()[1:] == ["order-7", "work", "36"]
    assert summary == "would send 1 message of 1 run of session order-7, as 1 new run"
    [only] = json.loads(
        ran(kept, tmp_path, "order-7", "--from-stage", "work", "--dry-run", "--format", "json").stdout
    )["messages"]
    assert (row.split()[0], 36) == (only["source_message_id"], only["input_bytes"])
    assert (only["source_task_id"], only["queue_name"], only["message_id"]) == ("order-7", "work", None)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nobody", "--from-stage", "work"), 3, "Nothing is recorded"),
        (("order-7", "--from-stage", "paint"), 2, "there are: work"),
        (("order-8", "--from-stage", "work"), 1, "not stored"),
    ],
)
def test_what_stands_in_the_way_is_said(
    kept: StoreUnderTest, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    told = ran(kept, tmp_path, *words, "--amqp-url", NOBODY)
    assert (told.code, told.stdout) == (code, b"")
    assert said in told.stderr


def test_a_storage_that_was_moved_is_named_with_the_key(kept: StoreUnderTest, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    told = ran(kept, elsewhere, "order-7", "--from-stage", "work", "--dry-run")
    assert (told.code, told.stdout) == (1, b"")
    assert f"The storage at '{elsewhere}' does not hold an input of 'work'" in told.stderr
    assert "'default/" in told.stderr
    assert "RELAYNA_LINEAGE_EMIT" not in told.stderr


def test_ids_that_a_handler_chose_are_warned_of(any_store: StoreUnderTest, tmp_path: Path) -> None:
    async def fill() -> None:
        key = await LocalDirectoryStorage(tmp_path).put(b'{"task_id": "order-7", "payload": 1}')
        async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
            attempt = history("order-7").published().attempt()
            given = MessageInputRecorded(
                message_id=attempt.message.message_id, storage_key=key, queue_name="work"
            )
            attempt._beside(counted_event_id(attempt.attempt_id, "lineage", 1), given)
            attempt.spawns("report-1")
            attempt.spawns("order-7.2")
            await keep(log, attempt.acked().events)

    anyio.run(fill)
    told = ran(any_store, tmp_path, "order-7", "--from-stage", "work", "--dry-run", "--format", "json")
    assert json.loads(told.stdout)["fixed_ids"] == ["report-1"]
    assert "report-1: named by a handler" in told.stderr


def test_to_send_it_needs_a_broker(kept: StoreUnderTest, tmp_path: Path) -> None:
    told = ran(kept, tmp_path, "order-7", "--from-stage", "work")
    assert told.code == 2
    assert "--amqp-url" in told.stderr
