"""The house style of CONTRIBUTING.md, measured on every module."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[1]
TREES = ("src", "packages/example-plugin/src", "packages/rankhammer-doctor/src")
MODULES = sorted(path for tree in TREES for path in (ROOT / tree).rglob("*.py"))
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BROAD = {"Exception", "BaseException"}
FORBIDDEN_WORDS = ("TO" + "DO", "FIX" + "ME", "XX" + "X")


@dataclass(frozen=True)
class Function:
    """One function or method: where it stands, and its measures (lines without the docstring)."""

    place: str
    lines: int
    n_arguments: int
    nesting: int
    is_annotated: bool


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _place(path: Path, node: ast.AST, name: str) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)} {name}"


def _nesting(node: ast.AST, level: int = 0) -> int:
    inner = (child for child in ast.iter_child_nodes(node) if not isinstance(child, (*FUNCTIONS, ast.ClassDef)))
    return max([level, *(_nesting(child, level + isinstance(child, BLOCKS)) for child in inner)])


def _measure(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    named = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    docstring = node.body[0] if ast.get_docstring(node) else None
    docstring_lines = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return Function(
        place=_place(path, node, node.name),
        lines=(node.end_lineno or 0) - node.lineno + 1 - docstring_lines,
        n_arguments=len(named),
        nesting=_nesting(node),
        is_annotated=node.returns is not None and all(argument.annotation for argument in named),
    )


@cache
def _functions(paths: tuple[Path, ...] = tuple(MODULES)) -> list[Function]:
    nodes = ((path, node) for path in paths for node in ast.walk(_tree(path)))
    return [_measure(path, node) for path, node in nodes if isinstance(node, FUNCTIONS)]


def _public_parts(path: Path) -> list[tuple[str, str | None]]:
    """List a module, its public classes and functions, and those classes' public methods, with their docstrings."""
    tree = _tree(path)
    parts = [(_place(path, tree, "module"), ast.get_docstring(tree))]
    owners: list[ast.Module | ast.ClassDef] = [tree]
    while owners:
        for node in owners.pop().body:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
                parts.append((_place(path, node, node.name), ast.get_docstring(node)))
                owners += [node] if isinstance(node, ast.ClassDef) else []
    return parts


def _is_forbidden(node: ast.AST, line: str) -> bool:
    """Say whether a node has no place in a library; a broad except may raise again, or say why it does not."""
    if isinstance(node, ast.ExceptHandler):
        is_broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id in BROAD)
        raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        return is_broad and not raises and "noqa: BLE001 - " not in line
    if isinstance(node, ast.Raise):
        return isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name) and node.exc.func.id in BROAD
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "print"
    return isinstance(node, ast.Assert)


def _forbidden(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    nodes = [node for node in ast.walk(_tree(path)) if _is_forbidden(node, lines[getattr(node, "lineno", 1) - 1])]
    words = [f"{path.name}:{n} {word}" for n, line in enumerate(lines, 1) for word in FORBIDDEN_WORDS if word in line]
    return [*words, *(_place(path, node, type(node).__name__) for node in nodes)]


def _share_up_to(limit: int, values: list[int]) -> float:
    return sum(value <= limit for value in values) / len(values)


def test_functions_are_short() -> None:
    lines = [function.lines for function in _functions()]
    assert statistics.median(lines) <= 8
    assert _share_up_to(29, lines) >= 0.9
    assert [function for function in _functions() if function.lines > 60] == []


def test_functions_take_at_most_seven_arguments() -> None:
    assert [function.place for function in _functions() if function.n_arguments > 7] == []


def test_blocks_nest_at_most_three_deep() -> None:
    assert [function.place for function in _functions() if function.nesting > 3] == []


def test_every_argument_and_result_is_annotated() -> None:
    assert [function.place for function in _functions() if not function.is_annotated] == []


def test_files_are_short() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert [name for name, n_lines in lines.items() if n_lines > 400] == []
    assert _share_up_to(300, list(lines.values())) >= 0.9


def test_nodes_are_glue_only() -> None:
    nodes = [path for path in MODULES if path.name == "nodes.py"]
    assert [str(path) for path in nodes if len(path.read_text().splitlines()) > 150] == []
    bodies = [_body_lines(path, node) for path in nodes for node in _tree(path).body if isinstance(node, FUNCTIONS)]
    assert [place for place, n_lines in bodies if n_lines > 15] == []


def _body_lines(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, int]:
    """Count a node's own lines: its signature and its docstring grow with its inputs, and are no logic."""
    first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
    return _place(path, node, node.name), (node.end_lineno or 0) - first.lineno + 1


def test_public_names_are_documented() -> None:
    parts = [part for path in MODULES for part in _public_parts(path)]
    without = [place for place, docstring in parts if not docstring]
    assert len(without) / len(parts) <= 0.05, without


def test_source_has_no_print_assert_broad_except_or_leftover() -> None:
    assert [fault for path in MODULES for fault in _forbidden(path)] == []


def test_the_measures_notice_what_they_forbid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "bad.py"
    path.write_text(
        "def f(a, b: int) -> int:\n"
        "    if a:\n        for b in a:\n            while b:\n                if b:\n                    print(b)\n"
        "    assert a\n"
        "    try:\n        raise Exception('x')\n    except Exception:\n        pass\n"
        f"    return 1  # {FORBIDDEN_WORDS[0]}\n"
    )
    (function,) = _functions((path,))
    assert (function.lines, function.n_arguments, function.nesting, function.is_annotated) == (12, 2, 4, False)
    found = {fault.split()[-1] for fault in _forbidden(path)}
    assert found == {FORBIDDEN_WORDS[0], "Call", "Assert", "Raise", "ExceptHandler"}
    assert [place for place, docstring in _public_parts(path) if not docstring] == ["bad.py:1 module", "bad.py:1 f"]


def test_checked_entries_of_the_catalog_are_read_through_the_catalog():
    """`catalog[name].load()` leaves the entry's validator out, and with it which rows are faulty."""
    entries = {}
    for file in (ROOT / "conf" / "base" / "catalog").glob("*.yml"):
        entries |= yaml.safe_load(file.read_text())
    checked = [name for name, entry in entries.items() if "validator" in entry]
    past = re.compile(rf"""\[["'](?:{"|".join(checked)})["']\]\.load\(""")
    assert len(checked) > 10
    assert [str(path) for path in MODULES if past.search(path.read_text())] == []
