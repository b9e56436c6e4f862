"""Who may reach `relayna serve`, under which names, and how it is secured on the way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from api.whole_service import token_entry
from cli.command_line import environment, hear_interrupts, relayna
from servers import missing_server

STORE = ("--redis-url", "redis://127.0.0.1:1/0")
TOKEN = "relayna_tester"
KNOWN = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def serving(*arguments: str, **variables: str) -> Iterator[str]:
    """The URL of `relayna serve`, without a store."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "relayna.cli.main",
        "serve",
        "--port",
        "0",
        *STORE,
        *arguments,
    ]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - it only sets a flag of the child
    ) as process:
        assert process.stderr is not None
        try:
            yield next(line for line in process.stderr if "listens on" in line).split()[3]
        finally:
            os.kill(process.pid, signal.SIGINT)
            process.wait(timeout=30)
    assert process.returncode == 130


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """A file of tokens with one for everything."""
    file = tmp_path / "tokens.toml"
    file.write_text(token_entry("tester", TOKEN, "read", "replay"), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine's loopback, and its key."""
    if shutil.which("openssl") is None:
        missing_server("no openssl on PATH")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out certificate.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True, timeout=60)
    return folder / "certificate.pem", folder / "key.pem"


def test_this_machine_may_read_and_no_site_may_through_its_browser() -> None:
    with serving() as url:
        port = url.rpartition(":")[2]
        assert httpx2.get(f"{url}/livez").status_code == 200
        assert httpx2.get(f"http://localhost:{port}/livez").status_code == 200
        assert httpx2.get(f"{url}/executions/x/graph", timeout=30).status_code == 503
        answer = httpx2.get(f"{url}/livez", headers={"Host": "evil.example"})
        assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")
        assert "server" not in answer.headers
        assert "strict-transport-security" not in answer.headers


def test_another_address_needs_tokens(tokens: Path) -> None:
    refused = relayna("serve", "--host", "0.0.0.0", *STORE)
    assert refused.returncode == 2
    assert b"relayna token --name NAME" in refused.stderr
    with serving("--host", "0.0.0.0", RELAYNA_API_TOKEN_FILE=str(tokens)) as url:
        port = url.rpartition(":")[2]
        graph = f"http://127.0.0.1:{port}/executions/x/graph"
        answer = httpx2.get(graph, headers={"Host": "relayna.example"})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert httpx2.get(f"http://127.0.0.1:{port}/livez").status_code == 200
        known = httpx2.get(graph, headers={**KNOWN, "Host": "relayna.example"}, timeout=30)
        assert known.status_code == 503
        assert known.headers["cache-control"] == "private, no-cache"
        assert "Authorization" in known.headers["vary"]


def test_a_token_is_taken_back_while_it_serves(tokens: Path) -> None:
    with serving("--api-token-file", str(tokens)) as url:
        graph = f"{url}/executions/x/graph"
        assert httpx2.get(graph, headers=KNOWN, timeout=30).status_code == 503
        tokens.write_text("", encoding="utf-8")
        assert httpx2.get(graph, headers=KNOWN).status_code == 401


def test_tokens_that_cannot_be_read_are_told_before_it_listens(tmp_path: Path) -> None:
    run = relayna("serve", *STORE, "--api-token-file", str(tmp_path / "none.toml"))
    assert run.returncode == 2
    assert b"api_token_file" in run.stderr


def test_it_speaks_tls(tokens: Path, certificate: tuple[Path, Path]) -> None:
    file, key = map(str, certificate)
    options = ("--tls-certificate", file, "--tls-key", key, "--api-token-file", str(tokens))
    with serving(*options) as url:
        assert url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=file)
        with httpx2.Client(base_url=url, verify=trusting) as client:
            answer = client.get("/livez")
            assert answer.status_code == 200
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=30) as plain:
            plain.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"HTTP" not in plain.recv(100)


def test_half_of_tls_is_none(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    file, key = map(str, certificate)
    for options, told in (
        (("--tls-certificate", file), "tls_key"),
        (("--tls-key", key), "tls_certificate"),
        (("--tls-certificate", file, "--tls-key", str(tmp_path / "none.pem")), "there is no file"),
        (("--tls-certificate", key, "--tls-key", file), "no certificate and its key"),
    ):
        run = relayna("serve", *STORE, *options)
        assert run.returncode == 2
        assert told in run.stderr.decode()


@pytest.mark.soak
def test_who_does_not_shake_hands_is_let_go(tokens: Path, certificate: tuple[Path, Path]) -> None:
    file, key = map(str, certificate)
    options = ("--tls-certificate", file, "--tls-key", key, "--api-token-file", str(tokens))
    with serving(*options) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=15) as silent:
            assert silent.recv(1) == b""
