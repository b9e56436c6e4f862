"""The page in a real browser: it works, and what is hostile in it is not run, even without its policy."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from observability.incident.incident_steps import HOSTILE, failing_events, hostile_events, incident_of
from servers import missing_server

from relayna.observability.incident import incident_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(autouse=True)
def browser() -> None:
    """There is one; else these tests are skipped, and fail under CI."""
    if CHROMIUM is None:
        missing_server("no chromium: install the package `chromium`")


def opened(page: bytes, folder: Path) -> tuple[str, str]:
    """The document after its scripts ran, and what the browser's console said."""
    file = folder / "incident.html"
    file.write_bytes(page)
    run = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-extensions", "--disable-background-networking", "--enable-logging=stderr",
            f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    console = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    return run.stdout, "\n".join(console)


def test_its_own_script_runs_and_its_policy_has_no_complaints(tmp_path: Path) -> None:
    document, console = opened(incident_page(incident_of(failing_events())), tmp_path)
    assert '<span id="tools">' in document
    assert console == ""


@pytest.mark.parametrize("guarded", [True, False], ids=["with its policy", "without its policy"])
def test_hostile_texts_are_not_run(guarded: bool, tmp_path: Path) -> None:
    payload = " ".join(HOSTILE)
    page = incident_page(incident_of(hostile_events(payload), payload))
    if not guarded:
        page = re.sub(rb'<meta http-equiv="Content-Security-Policy"[^>]*>', b"", page)
    document, console = opened(page, tmp_path)
    assert '<span id="tools">' in document
    assert not re.match(r"(?s).*<html[^>]*data-owned", document)
    assert "<img" not in document
    assert "<iframe" not in document
    assert console == ""
