"""Each noun has one file, is registered once, and each pure file has its own tests."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from house.project_files import PACKAGE, ROOT, name_of
from msgspec import Struct

from relayna.events import EVENT_TYPES

FAMILIES = [
    "task",
    "aggregation",
    "workflow",
    "status",
    "dead_letter",
    "lineage",
    "loss",
    "operator",
    "message",
    "trace",
]
"""The files of `relayna/events` that hold event types. A new family is named here."""

PURE = ["events", "projections", "topologies"]


def structs_of(module_name: str) -> set[type[Struct]]:
    """The Structs that a module itself defines."""
    module = importlib.import_module(module_name)
    return {
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Struct) and value.__module__ == module_name
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_every_struct_of_a_family_is_a_registered_event(family: str) -> None:
    module_name = f"relayna.events.{family}"
    registered = {event_type for event_type, _ in EVENT_TYPES if event_type.__module__ == module_name}
    assert structs_of(module_name) == registered


def test_every_registered_event_lives_in_one_family() -> None:
    homes = {event_type.__name__: event_type.__module__ for event_type, _ in EVENT_TYPES}
    assert len(homes) == len(EVENT_TYPES)
    assert set(homes.values()) == {f"relayna.events.{family}" for family in FAMILIES}


def test_every_event_is_exported_by_its_file_and_by_the_vocabulary() -> None:
    package = importlib.import_module("relayna.events")
    for event_type, _ in EVENT_TYPES:
        assert event_type.__name__ in importlib.import_module(event_type.__module__).__all__
        assert event_type.__name__ in package.__all__


def test_exports_exist_and_are_named_once() -> None:
    for module in sorted(PACKAGE.rglob("*.py")):
        if module.stem.startswith("__main__") or not module.read_text(encoding="utf-8").strip():
            continue
        imported = importlib.import_module(module_path(module))
        exported = list(getattr(imported, "__all__", ()))
        assert len(set(exported)) == len(exported), name_of(module)
        assert [name for name in exported if not hasattr(imported, name)] == [], name_of(module)


def module_path(module: Path) -> str:
    """How Python names a file of the package."""
    return ".".join(module.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("package", PURE)
def test_each_pure_file_has_its_own_tests(package: str) -> None:
    stems = {path.stem for path in (PACKAGE / package).glob("*.py") if path.stem != "__init__"}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / package).glob("test_*.py")}
    assert sorted(stems - tested) == []
