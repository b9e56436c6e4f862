"""Connections: what a URL and a client lend, what errors say, and what they must not say."""

from __future__ import annotations

import pytest
import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from servers import StoreUnderTest
from streams.log_harness import ORDER, appended_ids, page_of

from relayna.errors import InvalidSetting, StoreRefused, StoreUnreachable
from relayna.streams.embedded import EmbeddedServer
from relayna.streams.log import Append, NotAppended
from relayna.streams.redis.client import ConnectionSettings, StoreClient
from relayna.streams.redis.commands import pack
from relayna.streams.redis.failures import Failed, masked_url, translated
from relayna.streams.redis.log import RedisLog

pytestmark = pytest.mark.anyio

SECRET = "swordfish"


def with_credentials(url: str, user: str, password: str) -> str:
    return url.replace("redis://", f"redis://{user}:{password}@")


class TestAClientHandedIn:
    async def test_it_lends_its_settings_and_is_left_alone(self, store: StoreUnderTest) -> None:
        lender = Redis.from_url(store.url, decode_responses=True, protocol=3)
        async with RedisLog(lender, prefix=store.prefix) as log:
            appended_ids(await log.append([Append(ORDER, b"\xff")]))
            assert [entry.payload for entry in (await page_of(log, ORDER)).entries] == [b"\xff"]
            assert lender.connection_pool.get_connection_count()[0][0] == 0

        assert await lender.ping()  # still open
        assert lender.connection_pool.connection_kwargs["decode_responses"] is True
        await lender.aclose()

    async def test_its_retries_are_not_taken_over(self) -> None:
        lender = Redis(host="cache", port=7000, socket_timeout=9, retry=Retry(NoBackoff(), 10))
        settings = ConnectionSettings.of(lender)

        assert settings.options["retry"].get_retries() == 0
        assert settings.options["socket_timeout"] == 9
        assert settings.url == "redis://cache:7000/0"

    async def test_missing_timeouts_become_sensible_ones(self) -> None:
        settings = ConnectionSettings.of(Redis(socket_timeout=None, socket_connect_timeout=None))

        assert (settings.options["socket_connect_timeout"], settings.options["socket_timeout"]) == (2.0, 5.0)

    async def test_a_sync_client_is_refused(self) -> None:
        with (
            redis.Redis() as lender,
            pytest.raises(InvalidSetting, match=r"neither a URL nor a redis\.asyncio"),
        ):
            RedisLog(lender)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        f"redis://:{SECRET}@cache:not-a-port/0",
        f"redis://:{SECRET}@cache/0?socket_timeout=soon",
        f"redis://:{SECRET}@cache/0?no_such_option=1",
    ],
)
async def test_a_wrong_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        RedisLog(url)

    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://cache", "redis://cache:6379/0"),
        (f"redis://user:{SECRET}@cache:7000/3", "redis://***@cache:7000/3"),
        (f"redis://cache?password={SECRET}", "redis://***@cache:6379/0"),
        (f"rediss://:{SECRET}@cache:7000", "rediss://***@cache:7000/0"),
        (f"redis://:{SECRET}@[::1]:7000", "redis://***@[::1]:7000/0"),
        (f"unix://user@/run/redis.sock?password={SECRET}", "unix://***@/run/redis.sock"),
    ],
)
async def test_credentials_are_masked(url: str, shown: str) -> None:
    assert ConnectionSettings.of(url).url == shown


def test_an_empty_host_is_this_machine() -> None:
    assert masked_url({}) == "redis://localhost:6379/0"


class TestCredentials:
    async def test_a_wrong_password_is_refused_and_not_told(self, store: StoreUnderTest) -> None:
        store.admin.acl_setuser(
            store.prefix, enabled=True, passwords=["+right"], keys=["*"], categories=["+@all"]
        )
        log = RedisLog(with_credentials(store.url, store.prefix, SECRET), prefix=store.prefix)
        with pytest.raises(StoreRefused, match="WRONGPASS") as caught:
            await log.__aenter__()
        async with RedisLog(with_credentials(store.url, store.prefix, "right"), prefix=store.prefix) as right:
            await right.ping()
        store.admin.acl_deluser(store.prefix)

        assert SECRET not in str(caught.value)

    async def test_a_user_who_may_not_append_is_refused_for_sure(self, store: StoreUnderTest) -> None:
        store.admin.acl_setuser(
            store.prefix,
            enabled=True,
            passwords=["+right"],
            keys=["*"],
            categories=["+@all"],
            commands=["-xadd"],
        )
        url = with_credentials(store.url, store.prefix, "right")
        async with RedisLog(url, prefix=store.prefix) as log:
            (result,) = await log.append([Append(ORDER, b"x")])
        store.admin.acl_deluser(store.prefix)

        assert isinstance(result, NotAppended)
        assert isinstance(result.error, StoreRefused)
        assert not result.outcome_unknown

    async def test_a_script_stopped_half_way_is_an_unknown_outcome(self, store: StoreUnderTest) -> None:
        store.admin.acl_setuser(
            store.prefix,
            enabled=True,
            passwords=["+right"],
            keys=["*"],
            categories=["+@all"],
            commands=["-pexpire"],
        )
        async with RedisLog(with_credentials(store.url, store.prefix, "right"), prefix=store.prefix) as log:
            (result,) = await log.append([Append(ORDER, b"x")])
            entries = (await page_of(log, ORDER)).entries
            store.admin.delete(log.keys.events(ORDER))
        store.admin.acl_deluser(store.prefix)

        assert isinstance(result, NotAppended)
        assert isinstance(result.error, StoreRefused)
        assert result.outcome_unknown
        assert len(entries) == 1

    async def test_no_password_where_one_is_needed_is_a_refusal(self) -> None:
        async with EmbeddedServer() as server:
            with redis.Redis.from_url(server.url) as admin:
                admin.config_set("requirepass", SECRET)
            with pytest.raises(StoreRefused, match="NOAUTH"):
                await RedisLog(server.url).__aenter__()


async def test_nobody_listening_is_unreachable() -> None:
    async with EmbeddedServer() as server:
        url = with_credentials(server.url, "user", SECRET)
    with pytest.raises(StoreUnreachable) as caught:
        await RedisLog(url).__aenter__()

    assert "***@127.0.0.1" in str(caught.value)
    assert SECRET not in str(caught.value)


class TestAnExchange:
    async def test_each_command_has_a_reply_and_a_refusal_is_one(self, store: StoreUnderTest) -> None:
        client = StoreClient(ConnectionSettings.of(store.url), connections=1)
        replies = await client.exchange(
            [("ECHO", "a"), ("NO-SUCH-COMMAND",), ("ECHO", b"\xff"), ("GET", f"{store.prefix}:none")]
        )
        again = await client.ask("ECHO", 7)
        await client.aclose()

        match replies:
            case [b"a", Failed(StoreRefused() as error, outcome_unknown=False), b"\xff", None]:
                assert error.command == "NO-SUCH-COMMAND"
                assert "unknown command" in error.problem
            case _:
                pytest.fail(f"unexpected replies {replies}")
        assert again == b"7"

    async def test_a_closed_client_reconnects_when_used(self, any_store: StoreUnderTest) -> None:
        client = StoreClient(ConnectionSettings.of(any_store.url), connections=1)
        await client.ask("PING")
        await client.aclose()
        assert await client.ask("PING") == b"PONG"
        await client.aclose()


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (redis.exceptions.ReadOnlyError("You can't write"), "READONLY You can't write"),
        (redis.exceptions.BusyLoadingError("Redis is loading"), "LOADING Redis is loading"),
        (redis.exceptions.MasterDownError("Link with MASTER is down"), "MASTERDOWN Link with MASTER is down"),
        (redis.exceptions.ResponseError("MISCONF cannot persist"), "MISCONF cannot persist"),
        (redis.exceptions.AuthenticationError("Authentication required."), "NOAUTH Authentication required."),
    ],
)
def test_a_refusal_begins_with_the_servers_code(error: Exception, problem: str) -> None:
    refused = translated(error, command="XADD", url="redis://cache:6379/0")

    assert isinstance(refused, StoreRefused)
    assert (refused.command, refused.problem) == ("XADD", problem)


@pytest.mark.parametrize("error", [redis.exceptions.TimeoutError(), ConnectionResetError(104, "reset")])
def test_silence_is_unreachable(error: Exception) -> None:
    assert isinstance(translated(error, command="XADD", url="redis://cache:6379/0"), StoreUnreachable)


def test_commands_are_packed_as_the_protocol_says() -> None:
    packed = pack([("SET", b"\xff", 12), ("GET", "\N{GHOST}")])
    assert (
        packed
        == b"*3\r\n$3\r\nSET\r\n$1\r\n\xff\r\n$2\r\n12\r\n*2\r\n$3\r\nGET\r\n$4\r\n\xf0\x9f\x91\xbb\r\n"
    )
