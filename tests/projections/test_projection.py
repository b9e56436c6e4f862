"""A projection is a value."""

from __future__ import annotations

import pytest

from relayna.projections.projection import Projection
from relayna.projections.registry import PROJECTIONS


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_it_has_a_name_a_version_and_cannot_be_changed(
    projection: Projection[object, object, object],
) -> None:
    assert projection.name
    assert projection.version >= 1
    with pytest.raises(AttributeError):
        projection.version = 2  # type: ignore[misc]
