"""Lines on a console: wrapped, safe, and readable without Unicode, colour or `rich` itself."""

from __future__ import annotations

import io
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from relayna.errors import ConfigurationError
from relayna.observability.terminal_page import TerminalPage, one_line


def printed(
    *segments: tuple[str, str], width: int = 40, encoding: str = "utf-8", colour: bool = False
) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    console = Console(
        file=file, width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    TerminalPage(console).line(*segments, first=("├─ ", ""), rest="│  ")
    file.flush()
    return raw.getvalue().decode(encoding)


def test_long_lines_wrap_behind_their_guides() -> None:
    assert printed(("one two three four five six seven", ""), width=23) == (
        "├─ one two three four\n│  five six seven\n"
    )


def test_words_longer_than_the_line_are_broken() -> None:
    assert printed(("x" * 30, ""), width=23) == f"├─ {'x' * 20}\n│  {'x' * 10}\n"


def test_markup_and_emoji_codes_are_text() -> None:
    assert printed(("[red]x[/red] :bomb: [link=a]b", "")) == "├─ [red]x[/red] :bomb: [link=a]b\n"


def test_consoles_without_unicode_get_plain_letters() -> None:
    assert printed(("✗ café …", ""), encoding="ascii") == "|- x caf? ~\n"


def test_colour_is_the_consoles_business() -> None:
    assert "\x1b[" in printed(("failed", "red"), colour=True)
    assert "\x1b[" not in printed(("failed", "red"))


@given(text=st.text(st.characters(), max_size=60), style=st.sampled_from(["", "red"]))
def test_nothing_that_users_wrote_controls_the_terminal(text: str, style: str) -> None:
    shown = printed((text, style))
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert hidden.isdisjoint(unicodedata.category(character) for character in shown.replace("\n", ""))
    assert all(line.startswith(("├─", "│")) for line in shown.splitlines())


def test_one_line_is_one_line() -> None:
    assert one_line("a\r\nb\u2028c\x1b[2J") == "a b c[2J"
    assert len(one_line("x" * 1_000)) == 200


@pytest.mark.parametrize("state", ["failed", "succeeded", None, "invented"])
def test_every_state_has_a_sign(state: str | None) -> None:
    sign, _ = TerminalPage(Console(file=io.StringIO())).sign(state)
    assert len(sign) == 1


def test_without_rich_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO())
    monkeypatch.setitem(sys.modules, "rich.text", None)
    with pytest.raises(ConfigurationError, match=r"with its extra `cli`"):
        TerminalPage(console)
