"""A pytest of its own, in a process of its own: what users of the plugin see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["run_pytest"]

ROOT = Path(__file__).parents[2]


def run_pytest(
    folder: Path, *arguments: str, autoload: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the tests in a folder, warnings being errors. With `autoload`, pytest finds its plugins by itself."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "RELAYNA"))
    }
    plugins = ("-p", "relayna.testing.pytest_plugin", "-p", "anyio.pytest_plugin")
    if not autoload:
        variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        ".",
    ]
    return subprocess.run(
        [*command, *(() if autoload else plugins), *arguments],
        cwd=folder,
        env={**variables, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
