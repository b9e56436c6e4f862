"""The command line's manners: help, exit codes, closed pipes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cli.command_line import environment, relayna


def test_help_lists_every_command() -> None:
    run = relayna("--help")
    assert run.returncode == 0
    for command in ("config", "demo", "dlq", "graph", "serve"):
        assert f"\n  {command} ".encode() in run.stdout


@pytest.mark.parametrize("command", ["config", "demo", "dlq", "graph", "serve"])
def test_each_command_has_help(command: str) -> None:
    run = relayna(command, "--help")
    assert run.returncode == 0
    assert run.stdout.startswith(f"Usage: relayna {command}".encode())


def test_help_loads_no_client_of_a_server() -> None:
    probe = (
        "import sys; sys.argv = ['relayna', '--help']\n"
        "from relayna.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'redis', 'aio_pika', 'starlette', 'uvicorn', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, check=False, timeout=60, env=environment()
    )
    assert run.returncode == 0, run.stderr


def test_usage_errors_exit_with_2() -> None:
    run = relayna("grahp")
    assert run.returncode == 2
    assert b"No such command 'grahp'. Did you mean 'graph'?" in run.stderr
    assert run.stdout == b""


def test_what_resembles_no_command_is_not_guessed_at() -> None:
    run = relayna("x")
    assert (run.returncode, b"Did you mean" in run.stderr) == (2, False)


def test_a_missing_url_is_explained() -> None:
    run = relayna("graph", "T")
    assert run.returncode == 2
    assert b"--redis-url or RELAYNA_REDIS_URL" in run.stderr


def test_an_unreachable_store_exits_with_4_and_hides_the_password() -> None:
    run = relayna("graph", "T", "--redis-url", "redis://user:hunter2@127.0.0.1:1/0")
    assert run.returncode == 4
    assert b"hunter2" not in run.stderr
    assert b"127.0.0.1:1" in run.stderr
    assert b"Traceback" not in run.stderr


def test_a_closed_pipe_is_quiet() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "relayna.cli.main", "config"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        talk = process.stderr.read()
    assert talk == b""
    assert process.returncode == 0
