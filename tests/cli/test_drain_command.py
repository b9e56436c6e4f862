"""`relayna drain`."""

from __future__ import annotations

from pathlib import Path

import anyio
from cli.command_line import relayna
from servers import StoreUnderTest

from relayna.events import Envelope, Event, StatusPublished, encode_event, encode_frame
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.observability import RedisStatusStore
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append
from relayna.streams.spool import Spool, Synced, Written


def leave(directory: Path, *statuses: str) -> None:
    """Spool a status of task `order` each, as a process that ends."""
    spool = Spool(directory)
    for status in statuses:
        task_id = TaskId("order")
        envelope = Envelope(event_id=EventId(status), timestamp=Instant(1), task_id=task_id)
        data = encode_event(Event(envelope=envelope, body=StatusPublished(status=status)))
        append = Append(TaskAddress(task_id), encode_frame(task_id, None, None, [data]))
        assert isinstance(spool.put([append]), Written)
    assert spool.close() == Synced()


def place(store: StoreUnderTest, directory: Path) -> tuple[str, ...]:
    return "--redis-url", store.url, "--prefix", store.prefix, "--spool-directory", str(directory)


def test_it_drains_and_says_how_much(any_store: StoreUnderTest, tmp_path: Path) -> None:
    leave(tmp_path, "begun", "working")
    leave(tmp_path, "completed")
    looked = relayna("drain", "--dry-run", "--spool-directory", str(tmp_path))
    assert (looked.returncode, looked.stdout) == (1, b"")
    assert looked.stderr == b"relayna: 3 frames wait in 2 segments, 0 bytes are damaged\n"
    run = relayna("drain", *place(any_store, tmp_path))
    assert (run.returncode, run.stdout) == (0, b"")
    assert run.stderr == (
        b"relayna: 3 frames of 2 segments are in the store, 0 were refused and stay in the spool, "
        b"0 bytes were damaged\n"
    )

    async def statuses() -> list[str]:
        async with RedisStatusStore(any_store.url, prefix=any_store.prefix, ttl_seconds=2**31) as store:
            return [record["status"] for record in await store.get_history("order")]

    assert anyio.run(statuses) == ["begun", "working", "completed"]
    assert list(tmp_path.glob("*/*")) == []


def test_nothing_there_is_fine(any_store: StoreUnderTest, tmp_path: Path) -> None:
    assert relayna("drain", *place(any_store, tmp_path / "nowhere")).returncode == 0
    assert relayna("drain", "--dry-run", RELAYNA_SPOOL_DIRECTORY=str(tmp_path)).returncode == 0


def test_what_is_refused_stays(any_store: StoreUnderTest, tmp_path: Path) -> None:
    leave(tmp_path, "begun", "completed")
    with any_store.admin as admin:

        async def key() -> str:
            async with RedisStatusStore(any_store.url, prefix=any_store.prefix) as store:
                return store.log.keys.events(TaskAddress(TaskId("order")))

        admin.set(anyio.run(key), "no stream")
        run = relayna("drain", *place(any_store, tmp_path))
        assert run.returncode == 1
        assert b"0 frames of 1 segments are in the store, 2 were refused" in run.stderr
        admin.delete(anyio.run(key))
    again = relayna("drain", *place(any_store, tmp_path))
    assert again.returncode == 0
    assert b"2 frames of 1 segments" in again.stderr


def test_a_store_that_does_not_answer_leaves_everything(tmp_path: Path) -> None:
    leave(tmp_path, "begun")
    run = relayna("drain", "--redis-url", "redis://127.0.0.1:1/0", "--spool-directory", str(tmp_path))
    assert run.returncode == 4
    assert (
        b"1 frames wait in 1 segments"
        in relayna("drain", "--dry-run", RELAYNA_SPOOL_DIRECTORY=str(tmp_path)).stderr
    )


def test_a_directory_must_be_named() -> None:
    run = relayna("drain")
    assert run.returncode == 2
    assert b"RELAYNA_SPOOL_DIRECTORY" in run.stderr


def test_what_cannot_be_read_is_left_and_told(any_store: StoreUnderTest, tmp_path: Path) -> None:
    leave(tmp_path, "begun")
    leave(tmp_path, "completed")
    unread = min(tmp_path.glob("*/*.segment"))
    unread.unlink()
    unread.symlink_to(unread.name)  # not even root can open it
    told = b"relayna: 1 segments cannot be read, and lie there still\n"
    for options in (("--dry-run",), ()):
        run = relayna("drain", *options, *place(any_store, tmp_path))
        assert (run.returncode, told in run.stderr) == (1, True), run.stderr
    assert b"1 frames of 1 segments are in the store" in run.stderr
