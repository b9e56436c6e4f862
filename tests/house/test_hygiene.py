"""No secret, no machine's path and no registry's host is written down in the project."""

from __future__ import annotations

import re

import pytest
from house.project_files import name_of, text_files

# Spelled in pieces, so that this file does not find itself.
FORBIDDEN = {
    "a private key": "-----BEGIN [A-Z ]*PRIVATE " + "KEY-----",
    "an access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a forge's token": r"\b(?:gh[pousr]|github_" + r"pat)_[A-Za-z0-9_]{20,}",
    "a chat's token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a home folder": r"(?<![\w.~<{$}/-])/(?:" + r"root|home/[a-z]\w*|Users/[A-Za-z]\w*)/",
    "a work folder": r"(?<![\w.~<{$}/-])/(?:" + r"work|opt/wheels|opt/pypi)\b",
    "a registry's host": r"(?:pypi\.|pythonhosted\.|registry\.npmjs\.|deb\.debian\.)" + "(?:org|io)",
}


def test_the_whole_project_is_looked_at() -> None:
    names = {name_of(path) for path, _ in text_files()}
    assert {"pyproject.toml", "Makefile", "constraints.txt", "relayna/events/codec.py"} <= names


@pytest.mark.parametrize("what", FORBIDDEN)
def test_it_is_written_nowhere(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{name_of(path)}:{number}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a private key", "-----BEGIN RSA PRIVATE " + "KEY-----"),
        ("an access key", "AKIA" + "A" * 16),
        ("a home folder", "see /home/" + "ada/notes"),
        ("a registry's host", "https://pypi." + "org/simple"),
    ],
)
def test_it_would_be_found(what: str, text: str) -> None:
    assert re.search(FORBIDDEN[what], text)
