"""`relayna mcp` where it cannot serve: what it says, and exit codes. How it serves is in tests/mcp."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cli.command_line import environment, relayna


def test_without_a_store_it_says_how_to_give_one() -> None:
    run = relayna("mcp")
    assert run.returncode == 2
    assert b"RELAYNA_REDIS_URL" in run.stderr


def test_without_the_sdk_it_says_what_to_install(tmp_path: Path) -> None:
    script = tmp_path / "without_sdk.py"
    script.write_text(
        "import sys\n"
        "sys.modules['mcp_types'] = sys.modules['mcp'] = None\n"
        "sys.argv = ['relayna', 'mcp', '--redis-url', 'redis://127.0.0.1:1/0']\n"
        "from relayna.cli.main import main\n"
        "main()\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, check=False, env=environment())
    assert run.returncode == 2
    assert b"Install relayna with its extra `mcp`." in run.stderr
    assert run.stdout == b""


def test_it_ends_when_its_client_goes() -> None:
    command = [sys.executable, "-m", "relayna.cli.main", "mcp", "--redis-url", "redis://127.0.0.1:1/0"]
    run = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=60, env=environment())
    assert run.returncode == 0, run.stderr
    assert run.stdout == b""
