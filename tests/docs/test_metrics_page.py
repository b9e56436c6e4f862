"""What docs/metrics.md shows of a worker runs as it stands, and its links lead somewhere."""

from __future__ import annotations

import re

import pytest
from house.project_files import ROOT

from relayna.observability.metrics import WorkerMetrics

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_its_worker_can_be_made() -> None:
    [block] = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(compile(block, "docs/metrics.md", "exec"), names)
    assert callable(names["work"])
    assert names["WorkerMetrics"] is WorkerMetrics


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]*)\)", PAGE))))
def test_its_links_lead_somewhere(link: str) -> None:
    file, _, section = link.partition("#")
    page = (ROOT / "docs" / file).read_text(encoding="utf-8") if file else PAGE
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    assert not section or section in {heading.lower().replace(" ", "-") for heading in headings}
