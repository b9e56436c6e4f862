"""The public API as text: every public name of every public module, with its signature.

    python -m tools.public_api --write

writes tests/public_api.txt, with which tests/house/test_public_api.py compares the code. A line that goes
or changes there breaks someone's program: say so in CHANGELOG.md.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import relayna

SNAPSHOT = Path(__file__).parent.parent / "tests" / "public_api.txt"


def public_modules() -> list[str]:
    """`relayna`, and the modules and packages directly below it; what lies deeper is re-exported or private."""
    below = [
        module.name for module in pkgutil.iter_modules(relayna.__path__) if not module.name.startswith("_")
    ]
    return ["relayna", *(f"relayna.{name}" for name in below)]


def described_api() -> str:
    """One line a name, members of classes indented below it."""
    lines: list[str] = []
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in sorted(getattr(module, "__all__", ())):
            lines += _described(f"{module_name}.{name}", getattr(module, name), module)
    return "\n".join(lines) + "\n"


def _described(full_name: str, value: Any, module: ModuleType) -> Iterator[str]:  # Any: whatever is exported
    if inspect.isclass(value) and value.__module__.startswith("relayna"):
        if _home(value) != module.__name__ and _home(value) in public_modules():
            yield f"{full_name} is {_home(value)}.{value.__qualname__}"
            return
        definition = _definition(value)
        if isinstance(definition, ast.ClassDef):
            bases = ", ".join(ast.unparse(base) for base in definition.bases)
            yield f"class {full_name}({bases})"
            yield from (f"    {member}" for member in _members(definition))
            return
    if inspect.isfunction(value):
        definition = _definition(value)
        if isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
            yield _signature(definition, full_name)
            return
    yield f"{full_name}: {type(value).__name__}"


def _home(value: type) -> str:
    """The public module that a class belongs to, when its own exports it."""
    own = value.__module__
    exported = getattr(sys.modules.get(own), "__all__", ())
    return own if value.__qualname__ in exported else ""


def _definition(value: Any) -> ast.stmt | None:  # Any: a class or a function
    try:
        source = inspect.getsource(value)
    except (OSError, TypeError):
        return None
    return ast.parse(textwrap.dedent(source)).body[0]


def _members(definition: ast.ClassDef) -> Iterator[str]:
    for statement in definition.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                default = f" = {ast.unparse(statement.value)}" if statement.value else ""
                yield f"{name}: {ast.unparse(statement.annotation)}{default}"
            case ast.Assign(targets=[ast.Name(id=name)]) if not name.startswith("_"):
                yield f"{name} = {ast.unparse(statement.value)}"
            case ast.FunctionDef() | ast.AsyncFunctionDef() if _is_public(statement):
                yield _signature(statement, statement.name)


def _is_public(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not function.name.startswith("_") or function.name in {
        "__init__",
        "__aenter__",
        "__enter__",
        "__aiter__",
    }


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> str:
    wait = "async " if isinstance(function, ast.AsyncFunctionDef) else ""
    kinds = "".join(f"@{ast.unparse(decorator)} " for decorator in function.decorator_list)
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{kinds}{wait}def {name}({ast.unparse(function.args)}){returns}"


def main(arguments: list[str]) -> int:
    """Print the API, or write it to the snapshot with `--write`."""
    if arguments == ["--write"]:
        SNAPSHOT.write_text(described_api(), encoding="utf-8")
        print(f"Wrote {SNAPSHOT.name}.")
        return 0
    if arguments:
        print("usage: python -m tools.public_api [--write]", file=sys.stderr)
        return 2
    print(described_api(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
