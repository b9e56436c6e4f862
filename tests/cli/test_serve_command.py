"""`relayna serve`: only on this machine, and with clear words when it cannot."""

from __future__ import annotations

import socket

import pytest
from cli.command_line import relayna


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


def test_an_unreachable_store_is_told_at_start() -> None:
    run = relayna("serve", "--port", "0", "--redis-url", "redis://127.0.0.1:1/0")
    assert run.returncode == 4
    assert b"No answer from the store" in run.stderr
    assert b"Traceback" not in run.stderr
