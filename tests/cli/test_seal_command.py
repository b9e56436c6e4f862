"""`relayna seal`."""

from __future__ import annotations

import anyio
from cli.command_line import relayna
from servers import StoreUnderTest

from relayna.observability import RedisStatusStore


def test_it_seals_what_is_quiet_and_says_how_much(any_store: StoreUnderTest) -> None:
    async def record() -> None:
        store = RedisStatusStore(any_store.url, prefix=any_store.prefix)
        async with store:
            for task in ("a", "b"):
                await store.add_status(task, "completed")

    anyio.run(record)
    place = ("--redis-url", any_store.url, "--prefix", any_store.prefix)
    young = relayna("seal", "--once", *place)
    run = relayna("seal", "--once", "--quiet-seconds", "0", *place)
    assert (run.returncode, run.stdout) == (0, b"")
    assert b"relayna: 0 streams sealed" in young.stderr
    assert run.stderr == b"relayna: 2 streams sealed, 0 passed over, 0 failed\n"


def test_a_store_that_does_not_answer_is_told() -> None:
    run = relayna("seal", "--once", "--redis-url", "redis://127.0.0.1:1/0")
    assert run.returncode == 4
