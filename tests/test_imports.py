"""Import rules that import-linter cannot say: where, inside a file, an import may stand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "lineshaft"

ONLY_IN = {
    "numba": "**/kernel.py **/kernels/*.py",
    "torch": "**/measure.py",
    "pydantic": "scenario/**/*.py catalog/**/*.py web/**/*.py",
    "pint": "units.py",
    "ray": "sweep.py sweep/**/*.py",
}
"""Each heavy package and the files that may import it."""


def imports(source: str, package: str, at_import_time: bool = False) -> Iterator[tuple[int, str]]:
    """(line, absolute module) of each import in a file that belongs to `package`.

    With `at_import_time` only those that run when the file is imported: not in a function, not
    under TYPE_CHECKING.
    """
    todo: list[ast.AST] = [ast.parse(source)]
    while todo:
        node = todo.pop()
        if at_import_time and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            todo.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join(base) if node.level else ""
            module = ".".join(part for part in (start, node.module or "") if part)
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"
        todo.extend(ast.iter_child_nodes(node))


def files() -> Iterator[tuple[Path, str]]:
    """Every module's path and the package that it is in."""
    for path in sorted(ROOT.rglob("*.py")):
        yield path, ".".join(("lineshaft", *path.relative_to(ROOT).parent.parts))


def offenders(names: str, allowed: set[Path], at_import_time: bool = False) -> list[str]:
    """file:line of each import of `names` (a module, or what is in it) in a file not allowed."""
    return [
        f"{path.relative_to(ROOT)}:{line}"
        for path, package in files()
        if path not in allowed
        for line, module in imports(path.read_text(encoding="utf-8"), package, at_import_time)
        if module == names or module.startswith(f"{names}.")
    ]


@pytest.mark.parametrize("package", ONLY_IN)
def test_heavy_packages_stay_in_their_place(package: str) -> None:
    allowed = {path for pattern in ONLY_IN[package].split() for path in ROOT.glob(pattern)}
    assert offenders(package, allowed) == []


def test_kernels_are_imported_late() -> None:
    """Importing a stage must not compile: a kernel's import stands inside a function."""
    kernels = {
        path: package if path.parent.name == "kernels" else f"{package}.kernel"
        for path, package in files()
        if path.name == "kernel.py" or path.parent.name == "kernels"
    }
    found = [
        place
        for name in set(kernels.values())
        for place in offenders(name, set(kernels), at_import_time=True)
    ]
    assert found == []


def test_every_folder_with_code_is_a_package() -> None:
    """Import rules are blind to folders without __init__.py."""
    folders = {path.parent for path, _ in files()} | {ROOT / "stages"}
    missing = [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()]
    assert sorted(missing) == []


@pytest.mark.parametrize(
    ("source", "at_import_time", "expected"),
    [
        ("import numba", False, ["numba"]),
        ("from numba import njit", True, ["numba.njit"]),
        ("def f():\n    from . import kernel", False, ["lineshaft.stages.serve.kernel"]),
        ("def f():\n    from . import kernel", True, []),
        ("class A:\n    from .kernel import run", True, ["lineshaft.stages.serve.kernel.run"]),
        ("try:\n    import ray\nexcept ImportError:\n    pass", True, ["ray"]),
        ("if TYPE_CHECKING:\n    import pint\nelse:\n    import ray", False, ["ray"]),
        ("from ..value import finance", False, ["lineshaft.stages.value.finance"]),
    ],
)
def test_the_reader_of_imports(source: str, at_import_time: bool, expected: list[str]) -> None:
    found = imports(source, "lineshaft.stages.serve", at_import_time)
    assert [module for _, module in found] == expected
