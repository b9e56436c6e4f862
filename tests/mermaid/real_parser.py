"""The real Mermaid parser, version 11 on Node, for the tests of diagrams.

One Node process answers all the tests of a session. Its packages are installed once, from the committed
lock file, into `node_modules` beside this file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import pytest
from msgspec import Struct, field

HERE = Path(__file__).parent
STAMP = HERE / "node_modules" / ".installed-from"


class Parsed(Struct):
    """A flowchart as Mermaid understood it, or the error with which it refused."""

    nodes: list[tuple[str, str, list[str]]] = field(default_factory=list)
    """Id, text as it would be shown, classes."""
    edges: list[tuple[str, str, str, str]] = field(default_factory=list)
    """From, to, label, stroke."""
    elements: list[str] = field(default_factory=list)
    """HTML elements that the labels would bring into a page."""
    error: str | None = None

    def texts(self) -> dict[str, str]:
        """The nodes' texts by id."""
        return {node_id: text for node_id, text, _ in self.nodes}

    def classes(self) -> dict[str, list[str]]:
        """The nodes' classes by id."""
        return {node_id: classes for node_id, _, classes in self.nodes}


class RealParser:
    """Asks Mermaid what it makes of sources."""

    def __enter__(self) -> Self:
        install()
        self._node = subprocess.Popen(
            ["node", "parse.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._node.communicate()

    def parse(self, sources: Sequence[str]) -> list[Parsed]:
        """One answer for each source."""
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps(list(sources)).encode() + b"\n")
        self._node.stdin.flush()
        return msgspec.json.decode(self._node.stdout.readline(), type=list[Parsed])

    def parse_one(self, source: str) -> Parsed:
        """The answer for a single source, which must not be an error."""
        (answer,) = self.parse([source])
        assert answer.error is None, f"{answer.error}\n{source}"
        return answer


def install() -> None:
    """Have the packages of the lock file, installed at most once even by tests that run side by side."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        give_up("node and npm are not installed; the real Mermaid parser needs Node 20")
    lock = HERE / "package-lock.json"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.read_text() == wanted:
            return
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            give_up(f"npm ci failed: {' '.join(done.stderr.split())[-300:]}")
        STAMP.write_text(wanted)


def give_up(reason: str) -> None:
    """Skip the test; under CI=true fail it, for there everything must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
