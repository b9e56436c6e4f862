"""Ratchets on the shape of the code. The numbers are never loosened to pass; split what is too large."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from house.project_files import PACKAGE, modules, name_of, parsed

LONGEST_FILE = 300
LONGEST_FUNCTION = 40
NINE_FUNCTIONS_IN_TEN = 24


def functions() -> Iterator[tuple[str, int]]:
    """Every function of the package, with its lines from `def` to its end."""
    for module in modules():
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name_of(module)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def public_modules() -> Iterator[tuple[Path, ast.Module]]:
    """Modules that anyone may import; an empty `__init__.py` says nothing and needs nothing."""
    for module in modules():
        public = module.name == "__init__.py" or not module.name.startswith("_")
        if public and (tree := parsed(module)).body:
            yield module, tree


def test_files_are_short() -> None:
    lines = {name_of(module): len(module.read_text(encoding="utf-8").splitlines()) for module in modules()}
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    assert [function for function in functions() if function[1] > LONGEST_FUNCTION] == []


def test_nine_functions_in_ten_are_shorter_still() -> None:
    lengths = sorted(length for _, length in functions())
    assert lengths[len(lengths) * 9 // 10] <= NINE_FUNCTIONS_IN_TEN


def test_every_public_module_says_what_it_is_for() -> None:
    assert [name_of(module) for module, tree in public_modules() if not ast.get_docstring(tree)] == []


def test_every_public_module_says_what_it_exports() -> None:
    def exports(tree: ast.Module) -> bool:
        return any(
            isinstance(name, ast.Name) and name.id == "__all__"
            for statement in tree.body
            if isinstance(statement, ast.Assign | ast.AnnAssign)
            for name in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        )

    assert [name_of(module) for module, tree in public_modules() if not exports(tree)] == []


def test_public_names_have_docstrings() -> None:
    undocumented = [
        f"{name_of(module)} {node.name}"
        for module, tree in public_modules()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert undocumented == []


def test_nothing_is_asserted_where_python_may_leave_it_out() -> None:
    asserts = [
        f"{name_of(module)}:{node.lineno}"
        for module in modules()
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []


def reads_environment(node: ast.AST) -> bool:
    names = {"environ", "environb", "getenv", "getenvb"}
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr=name):
            return name in names
        case ast.ImportFrom(module="os", names=imported):
            return any(alias.name in names for alias in imported)
        case _:
            return False


def test_the_environment_is_read_in_one_place() -> None:
    readers = {
        name_of(module)
        for module in modules()
        if any(reads_environment(node) for node in ast.walk(parsed(module)))
    }
    assert readers <= {name_of(PACKAGE / "settings.py")}
