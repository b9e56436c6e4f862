"""The command: what it keeps, what it says, and the code that it exits with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from benchmarking.sample_reports import QUICKNESS, figure

from benchmarks import __main__ as command
from benchmarks.budgets import BUDGETS
from benchmarks.case import Bench, Case
from benchmarks.figures import Figure
from benchmarks.registry import CASES
from benchmarks.results import read_report

Run: TypeAlias = Callable[..., int]


def kept(bench: Bench) -> list[Figure]:
    return [figure(*[2] * bench.rounds, target=QUICKNESS)]


def missed(bench: Bench) -> list[Figure]:
    return [figure(*[4] * bench.rounds, target=QUICKNESS)]


def incomplete(_: Bench) -> list[Figure]:
    return [figure(1, 2)]


def broken(_: Bench) -> Iterator[Figure]:
    yield figure(1)
    raise ValueError("no")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command over these cases alone; what it writes is `one.json` and `one.md`."""

    def run(*cases: Case, arguments: tuple[str, ...] = ()) -> int:
        monkeypatch.setattr(command, "CASES", cases)
        only = [part for case in cases for part in ("--only", case.name)]
        return command.main([*only, *arguments, "--json", str(tmp_path / "one.json")])

    return run


def case(run: Callable[[Bench], Iterable[Figure]], name: str = "codec") -> Case:
    return Case(name, "For a test.", run)


def test_it_exits_with_0_when_all_is_kept(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(case(kept)) == 0
    printed = capsys.readouterr().out
    assert "| one | 2 | 2 to 2 | µs/call | P1: ≤ 3 | met |" in printed
    assert (tmp_path / "one.md").read_text(encoding="utf-8").splitlines()[0] == "# Benchmarks"
    assert read_report(tmp_path / "one.json").cases[0].figures[0].samples == [2.0] * 5


def test_it_exits_with_1_when_a_target_is_missed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(case(kept), case(missed, "record")) == 1
    assert "1 missed:\n\n- record: one: 4 µs/call, and no round kept P1: ≤ 3" in capsys.readouterr().out


def test_a_case_that_breaks_ends_no_other(run: Run, tmp_path: Path) -> None:
    assert run(case(broken), case(kept, "record")) == 1
    first, second = read_report(tmp_path / "one.json").cases
    assert first.error == "ValueError: no"
    assert [len(one.figures) for one in (first, second)] == [1, 1]


def test_the_shape_alone_asks_for_no_target(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(case(missed), arguments=("--shape", "--quick")) == 0
    assert run(case(incomplete), arguments=("--shape", "--quick")) == 1
    assert "codec: one: has 2 samples of 5 rounds" in capsys.readouterr().err


def test_each_case_has_a_store_of_its_own(run: Run, tmp_path: Path) -> None:
    urls: list[str] = []

    def stored(bench: Bench) -> list[Figure]:
        urls.extend([bench.store_url, bench.store_url])
        return kept(bench)

    assert run(case(stored), case(stored, "record"), case(kept, "append")) == 0
    assert urls[0] == urls[1]
    assert urls[2] == urls[3]
    memory = [one.store_megabytes for one in read_report(tmp_path / "one.json").cases]
    assert memory[2] is None
    assert all(one is not None and one >= 0 for one in memory[:2])


def test_every_case_has_a_budget_and_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [one.name for one in CASES]
    assert set(listed) <= set(BUDGETS)
    assert sum(budget.whole for budget in BUDGETS.values()) < 600
    assert sum(budget.quick for budget in BUDGETS.values()) < 90
