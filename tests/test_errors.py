"""Errors: the tree in the docstring is the tree in the code, and each says what to do."""

from __future__ import annotations

import inspect
import re

import pytest

from relayna import errors
from relayna.errors import RelaynaError, StoreUnreachable

CLASSES = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, RelaynaError)
]
WITH_FIELDS = [error for error in CLASSES if "__init__" in vars(error)]
SAMPLES = {"str": "Some name", "int": 7, "float": 1.5}


def drawn_tree() -> dict[str, str]:
    """Child to parent, as the module's docstring draws it."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"^    ((?:│   |    )*(?:├── |└── )?)([A-Z]\w+)", line)
        if drawn:
            depth = len(drawn[1]) // 4
            path[depth:] = [drawn[2]]
            if depth:
                parents[drawn[2]] = path[depth - 1]
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    real = {error.__name__: error.__bases__[0].__name__ for error in CLASSES if error is not RelaynaError}
    assert drawn_tree() == real


def test_every_error_is_exported() -> None:
    assert sorted(errors.__all__) == sorted(error.__name__ for error in CLASSES)


@pytest.mark.parametrize("error", WITH_FIELDS, ids=lambda error: error.__name__)
def test_each_keeps_its_fields_and_says_them(error: type[RelaynaError]) -> None:
    parameters = list(inspect.signature(error).parameters.values())
    given = {parameter.name: SAMPLES[str(parameter.annotation).partition(" ")[0]] for parameter in parameters}
    raised = error(**given)
    assert vars(raised) == given
    for value in given.values():
        assert str(value) in str(raised)


def test_one_class_catches_everything() -> None:
    with pytest.raises(RelaynaError, match="Is it running and reachable"):
        raise StoreUnreachable("redis://127.0.0.1:1", "refused")
