"""`relayna token`: a token for whoever asked, and an entry that the service understands."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.command_line import relayna

from relayna.api.tokens import digest_of, read_tokens


def test_what_it_says_is_what_the_service_knows(tmp_path: Path) -> None:
    first = relayna("token", "--name", 'Ada "Countess" \u00e9', "--tenant", "acme")
    second = relayna(
        "token", "--name", "grafana", "--scope", "metrics", "--scope", "read", "--scope", "metrics"
    )
    assert first.returncode == second.returncode == 0
    (tmp_path / "tokens.toml").write_bytes(first.stdout + second.stdout)
    ada, grafana = read_tokens(tmp_path / "tokens.toml")
    assert (ada.name, ada.tenant, ada.scopes) == ('Ada "Countess" \u00e9', "acme", {"read"})
    assert (grafana.name, grafana.tenant, grafana.scopes) == ("grafana", None, {"read", "metrics"})
    for run, entry in ((first, ada), (second, grafana)):
        [token] = [word for word in run.stderr.decode().split() if word.startswith("relayna_")]
        assert digest_of(token) == entry.sha256
        assert token.encode() not in run.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--name", ""),
        ("--name", "x" * 65),
        ("--name", "a\x7fb"),
        ("--name", "x", "--scope", "all"),
        ("--name", "x", "--tenant", "a~b"),
    ],
)
def test_what_the_file_could_not_hold_is_refused(arguments: tuple[str, ...]) -> None:
    run = relayna("token", *arguments)
    assert (run.returncode, run.stdout) == (2, b"")
