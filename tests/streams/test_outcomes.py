"""The table of failures: as it is written in the module, as it is applied, and as real servers speak."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio.to_thread
import pytest
from proxy import cutting_proxy
from reliability.store_server import StoreServer
from servers import missing_server
from streams.log_harness import ORDER
from streams.provocations import ON_NEW_CONNECTIONS, PROVOCATIONS, Provocation

from relayna.errors import StoreRefused, StoreUnreachable
from relayna.streams import outcomes
from relayna.streams.embedded import bundled_binary
from relayna.streams.log import Append, Appended, NotAppended
from relayna.streams.outcomes import RULINGS, Outcome, Ruling, Trouble, ruling
from relayna.streams.redis.log import RedisLog

NOT_DONE = Ruling(Outcome.NOT_DONE, Trouble.STORE)
SHUT = Ruling(Outcome.PERMANENT, Trouble.STORE)
UNKNOWN = Ruling(Outcome.UNKNOWN, Trouble.STORE)
UNCLEAR = Ruling(Outcome.PERMANENT, Trouble.UNCLEAR)


def rows_as_written() -> Iterator[tuple[str, Ruling]]:
    """The rows of the module's docstring that name codes."""
    for line in (outcomes.__doc__ or "").splitlines():
        row = re.fullmatch(r" {4}([A-Z ]+?) {2,}(not done|permanent|unknown) +(store|task|unclear) .*", line)
        if row is not None:
            for code in row[1].split():
                yield code, Ruling(Outcome(row[2].replace(" ", "_")), Trouble(row[3]))


def test_the_table_is_what_the_module_says() -> None:
    assert dict(rows_as_written()) == RULINGS


@pytest.mark.parametrize("code", RULINGS)
def test_an_answer_is_judged_by_its_code(code: str) -> None:
    assert ruling(StoreRefused("XADD", f"{code} and why")) == RULINGS[code]
    assert ruling(StoreRefused("XADD", f"ERR {code}")) == UNCLEAR


def test_silence_is_unknown_only_after_the_store_was_asked() -> None:
    silence = StoreUnreachable("redis://cache", "Connection refused")
    assert ruling(silence) == NOT_DONE
    assert ruling(silence, unheard=True) == UNKNOWN


def test_a_script_that_was_stopped_is_unknown_whatever_stopped_it() -> None:
    assert ruling(StoreRefused("EVALSHA", "OOM script: f00, on @user_script:27.")) == UNKNOWN


def test_a_refused_greeting_is_the_stores_trouble() -> None:
    assert ruling(StoreRefused("HELLO", "its version is 6")) == SHUT
    assert ruling(StoreRefused("HELLO", "READONLY it is not the master")) == NOT_DONE


@pytest.fixture(params=["valkey", "redis"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreServer]:
    binary = bundled_binary() if request.param == "valkey" else None
    if request.param == "valkey" and binary is None:
        missing_server("no valkey server: install the extra `relayna[embedded]`")
    async with StoreServer(tmp_path, binary=binary) as running:
        yield running


@pytest.mark.anyio
@pytest.mark.fault
@pytest.mark.parametrize("provocation", PROVOCATIONS, ids=str)
async def test_what_a_real_server_answers(provocation: Provocation, server: StoreServer) -> None:
    async with RedisLog(server.url) as log:
        with server.admin() as admin:
            await anyio.to_thread.run_sync(provocation.provoke, admin)
            (result,) = await log.append([Append(ORDER, b"x")])
            await anyio.to_thread.run_sync(provocation.mend, admin)
        (mended,) = await log.append([Append(ORDER, b"x")])

    assert isinstance(result, NotAppended)
    assert isinstance(result.error, StoreRefused)
    assert result.error.problem.startswith(provocation.code)
    assert result.ruling == provocation.expected
    assert isinstance(mended, Appended)


@pytest.mark.anyio
@pytest.mark.fault
@pytest.mark.parametrize("provocation", ON_NEW_CONNECTIONS, ids=str)
async def test_what_a_new_connection_is_told(provocation: Provocation, server: StoreServer) -> None:
    """`AuthenticationError` is a `ConnectionError` to the driver, and an answer to us."""
    async with RedisLog(server.url) as log:
        with server.admin() as admin:
            await anyio.to_thread.run_sync(provocation.provoke, admin)
            await log.append([Append(ORDER, b"on a connection that is gone")])
            (result,) = await log.append([Append(ORDER, b"on a new one")])
            await anyio.to_thread.run_sync(provocation.mend, admin)
        (mended,) = await log.append([Append(ORDER, b"x")])

    assert isinstance(result, NotAppended)
    assert provocation.code in str(result.error)
    assert result.ruling == provocation.expected
    assert isinstance(mended, Appended)


@pytest.mark.anyio
@pytest.mark.fault
async def test_a_wrong_password_is_the_stores_trouble(server: StoreServer) -> None:
    with server.admin() as admin:
        admin.acl_setuser("worker", enabled=True, passwords=["+right"], keys=["*"], categories=["+@all"])
    with pytest.raises(StoreRefused, match="WRONGPASS") as refused:
        await RedisLog(server.url.replace("://", "://worker:wrong@")).__aenter__()
    assert ruling(refused.value) == SHUT


@pytest.mark.anyio
@pytest.mark.fault
async def test_silence_of_a_real_server(server: StoreServer) -> None:
    async with cutting_proxy("127.0.0.1", server.port) as proxy, RedisLog(proxy.url) as log:
        await log.append([Append(ORDER, b"x")])
        proxy.cutting = True
        (unheard,) = await log.append([Append(ORDER, b"y")])
    async with RedisLog(server.url) as log:
        await server.kill()
        await log.append([Append(ORDER, b"on a connection that may not know yet")])
        (refused,) = await log.append([Append(ORDER, b"z")])

    assert isinstance(unheard, NotAppended)
    assert unheard.ruling == UNKNOWN
    assert isinstance(refused, NotAppended)
    assert refused.ruling == NOT_DONE
