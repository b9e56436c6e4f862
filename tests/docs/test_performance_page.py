"""What docs/performance.md computes is what it shows, its commands are there, and a run's tables have their places."""

from __future__ import annotations

import contextlib
import io
import re

import pytest
from benchmarking.sample_reports import report
from house.project_files import ROOT

from benchmarks.__main__ import main
from benchmarks.registry import CASES
from benchmarks.report import carried_table
from tools.write_performance_page import PERFORMANCE_PAGE, page_with

PAGE = PERFORMANCE_PAGE.read_text(encoding="utf-8")


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def test_the_sum_is_right() -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block("python"), "docs/performance.md", "exec"), {})
    assert printed.getvalue() == block("text")


def test_its_bytes_are_those_of_the_page_on_operations() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [(live, sealed)] = re.findall(r"^\| 1 \| 5 \| ([\d,]+) \| ([\d,]+) \|$", operations, re.MULTILINE)
    assert f"sealed, live, lists, run = {sealed}, {live}, ".replace(",", "") in block("python").replace(
        "_", ""
    ).replace(",", "")


def test_its_commands_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"`make ([\w-]+)(?: ARGS='([^']*)')?`", PAGE)
    assert {target for target, _ in commands} == {"bench", "bench-quick"}
    for target, arguments in commands:
        assert f"\n{target}:" in makefile
        only = re.findall(r"--only (\w+)", arguments)
        assert set(only) <= {case.name for case in CASES}
        assert set(re.findall(r"--[\w-]+", arguments)) <= {"--only", "--list", "--quick", "--shape"}
    for module in re.findall(r"`python -m tools\.(\w+)", PAGE):
        assert (ROOT / "tools" / f"{module}.py").exists()


def test_the_command_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for option in set(re.findall(r"`make bench ARGS='(--\w+)", PAGE)):
        assert option in said


def test_a_runs_tables_have_their_places() -> None:
    filled = page_with(PAGE, report())
    assert carried_table(report()) in filled
    assert "| P1 | `record()` on its caller" in filled
    assert "| processor | 2 x Example |" in filled
    assert page_with(filled, report()) == filled
    with pytest.raises(LookupError):
        page_with(PAGE.replace("<!-- begin: targets -->", ""), report())


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]*)\)", PAGE))))
def test_its_links_lead_somewhere(link: str) -> None:
    file, _, section = link.partition("#")
    page = (ROOT / "docs" / file).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    assert not section or section in {heading.lower().replace(" ", "-") for heading in headings}
