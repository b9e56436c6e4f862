"""`relayna serve`: only on this machine, and with clear words when it cannot."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import httpx2
import pytest
from cli.command_line import environment, hear_interrupts, relayna


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "relayna.example"])
def test_it_refuses_to_listen_to_other_machines(host: str) -> None:
    run = relayna("serve", "--host", host, "--redis-url", "redis://127.0.0.1:1/0")
    assert run.returncode == 2
    assert b"use 127.0.0.1" in run.stderr


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = relayna("serve", "--port", port, "--redis-url", "redis://127.0.0.1:1/0")
    assert run.returncode == 2
    assert f"127.0.0.1:{port}".encode() in run.stderr


def test_an_unreachable_store_is_told_at_start_and_answered_with_503() -> None:
    command = [sys.executable, "-W", "error", "-m", "relayna.cli.main", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--redis-url", "redis://127.0.0.1:1/0"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - it only sets a flag of the child
    ) as process:
        assert process.stderr is not None
        try:
            url = next(line for line in process.stderr if "listens on" in line).split()[3]
            told = next(line for line in process.stderr if "No answer from the store" in line)
            assert "503" in told
            answer = httpx2.get(f"{url}/executions/T/graph", timeout=30)
            assert answer.status_code == 503
        finally:
            os.kill(process.pid, signal.SIGINT)
            process.wait(timeout=30)
    assert process.returncode == 130
