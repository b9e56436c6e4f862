"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from house.project_files import ROOT, modules, name_of

WITH_EXAMPLES = [module for module in modules() if ">>> " in module.read_text(encoding="utf-8")]


def test_there_are_examples() -> None:
    assert len(WITH_EXAMPLES) >= 5


@pytest.mark.parametrize("module", WITH_EXAMPLES, ids=name_of)
def test_the_examples_of_a_module_hold(module: Path) -> None:
    parts = module.relative_to(ROOT).with_suffix("").parts
    imported = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    results = doctest.testmod(imported)
    assert results.attempted > 0
    assert results.failed == 0
