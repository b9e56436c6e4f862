"""The one Node process that parses the diagrams of all tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mermaid.real_parser import RealParser


@pytest.fixture(scope="session")
def real_parser() -> Iterator[RealParser]:
    """Mermaid 11; skips with the reason without Node, fails under CI=true."""
    with RealParser() as parser:
        yield parser
