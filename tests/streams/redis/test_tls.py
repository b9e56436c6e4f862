"""The store over TLS, with a certificate made for the test: trusted when it is named, refused when it is not."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import missing_server
from streams.log_harness import ORDER, appended_ids

from relayna.errors import StoreUnreachable
from relayna.streams.log import START, Append, StreamRange
from relayna.streams.redis.log import RedisLog

pytestmark = pytest.mark.anyio

HOST = "127.0.0.1"
STEPS_TO_READY = 500
STEP_SECONDS = 0.02


def certificate(folder: Path, name: str) -> Path:
    """A certificate of its own authority for the loopback address."""
    made = folder / f"{name}.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tests"
    files = ("-keyout", str(folder / f"{name}.key"), "-out", str(made))
    subprocess.run(
        [*command.split(), *files, "-addext", f"subjectAltName=IP:{HOST}"], check=True, capture_output=True
    )
    return made


@contextmanager
def tls_server(folder: Path, trusted: Path) -> Iterator[int]:
    """A server that speaks TLS only; its port."""
    binary = shutil.which("redis-server")
    if binary is None:
        missing_server("no redis server: put redis-server on PATH")
    with socket.create_server((HOST, 0)) as probe:
        port = int(probe.getsockname()[1])
    options = {
        "bind": HOST, "port": "0", "tls-port": str(port), "tls-cert-file": str(trusted),
        "tls-key-file": str(trusted.with_suffix(".key")), "tls-ca-cert-file": str(trusted),
        "tls-auth-clients": "no", "save": "", "dir": str(folder), "maxmemory-policy": "noeviction",
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    process = subprocess.Popen(
        [binary, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0
    )
    try:
        for _ in range(STEPS_TO_READY):
            if answers(port, trusted):
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(STEP_SECONDS)
        yield port
    finally:
        process.kill()
        process.wait()


def answers(port: int, trusted: Path) -> bool:
    context = ssl.create_default_context(cafile=str(trusted))
    try:
        with (
            socket.create_connection((HOST, port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=HOST),
        ):
            return True
    except OSError:
        return False


async def test_it_is_spoken_with_whoever_is_trusted_and_with_nobody_else(tmp_path: Path) -> None:
    trusted, stranger = certificate(tmp_path, "trusted"), certificate(tmp_path, "stranger")
    with tls_server(tmp_path, trusted) as port:
        where = f"rediss://{HOST}:{port}/0?ssl_ca_certs="
        async with RedisLog(f"{where}{trusted}") as log:
            appended_ids(await log.append([Append(ORDER, b"x")]))
            assert await log.changed({ORDER: START}, wait_seconds=0) == {ORDER}
            [page] = await log.read([StreamRange(address=ORDER)])
            assert [entry.payload for entry in page.entries] == [b"x"]
        with pytest.raises(StoreUnreachable, match="certificate verify failed"):
            await RedisLog(f"{where}{stranger}").__aenter__()
        with pytest.raises(StoreUnreachable, match="certificate verify failed"):
            await RedisLog(f"rediss://{HOST}:{port}/0").__aenter__()
        with pytest.raises(StoreUnreachable):
            await RedisLog(f"redis://{HOST}:{port}/0").__aenter__()
