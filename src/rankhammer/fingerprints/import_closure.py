"""Which modules a module depends on, by its source, and a digest that comments and docstrings do not change."""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from rankhammer.digests import hex_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.machinery import ModuleSpec

_CALLS = ("import_module", "__import__")
_OWN_FILE = re.compile(r"""["'](\w+)\.py["']""")
_BLOCKS = ("body", "orelse", "finalbody")


@dataclass(frozen=True)
class Import:
    """One import statement, or a call that imports by a literal name.

    Args:
        module: As it is written, without the leading dots.
        level: Number of leading dots.
        names: What is taken from it, names or modules in it; None: the name leads to all of it, as after `import a.b`.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ModuleSource:
    """What a module's source says.

    Args:
        digest: SHA-256 of the statements, without comments, docstrings, layout, and what only type checkers read.
        imports: Every import that may be run, also those inside functions.
        files: Names, without `.py`, of the Python files that it refers to: it may hand one out byte for byte.
        is_facade: Whether it has no statement of its own: only imports, and `__all__`.
    """

    digest: str
    imports: tuple[Import, ...]
    files: tuple[str, ...]
    is_facade: bool


@cache
def read_source(text: str) -> ModuleSource:
    """Read a module's source.

    Raises:
        SyntaxError: This version of Python does not understand it.
    """
    tree = ast.parse(text)
    imports: list[Import] = []
    tree.body = _that_count(tree.body, imports)
    if any(call in text for call in _CALLS):
        imports += _by_call(tree)
    spelled: list[str] = []
    _spell(tree, spelled)
    return ModuleSource(
        hex_digest(" ".join(spelled)),
        tuple(imports),
        tuple(_OWN_FILE.findall(text)),
        all(_is_of_facade(statement) for statement in tree.body),
    )


def _that_count(block: list[ast.stmt], imports: list[Import]) -> list[ast.stmt]:
    """Leave out, at any depth, statements that do nothing when the module runs; the imports met are added."""
    kept = [statement for statement in block if not _is_text(statement)]
    for statement in kept:
        imports += _of_statement(statement)
        if _is_for_type_checkers(statement):
            setattr(statement, "body", [])  # noqa: B010 - only some kinds of statements have one
        for inner in _blocks(statement):
            inner[:] = _that_count(inner, imports)
    return kept


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    parts: Iterable[ast.AST] = (
        statement,
        *getattr(statement, "handlers", ()),
        *getattr(statement, "cases", ()),
    )
    for part in parts:
        for name in _BLOCKS:
            block = getattr(part, name, None)
            if isinstance(block, list):
                yield block


def _is_text(statement: ast.stmt) -> bool:
    """Say whether a statement is a text alone: a docstring, of whatever it stands in or below."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_for_type_checkers(statement: ast.stmt) -> bool:
    test = statement.test if isinstance(statement, ast.If) else None
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _is_of_facade(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        return [getattr(target, "id", "") for target in statement.targets] == ["__all__"]
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _of_statement(statement: ast.stmt) -> list[Import]:
    if isinstance(statement, ast.Import):
        return [_of_module(name.name) if name.asname else Import(name.name) for name in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [Import(statement.module or "", statement.level, tuple(name.name for name in statement.names))]
    return []


def _of_module(name: str) -> Import:
    """Import a module alone: the packages around it get no name."""
    stem = name.lstrip(".")
    package, _, module = stem.rpartition(".")
    level = len(name) - len(stem)
    return Import(package, level, (module,)) if package or level else Import(module)


def _by_call(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        name = getattr(node.args[0], "value", None)
        if called in _CALLS and isinstance(name, str):
            yield _of_module(name)


def _spell(node: Any, into: list[str]) -> None:
    """Write a tree out without positions and empty fields: versions of Python differ in those without a meaning."""
    if isinstance(node, ast.AST):
        into.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != [] and name != "ctx":
                into.append(name)
                _spell(value, into)
        into.append(".")
    elif isinstance(node, list):
        for part in node:
            _spell(part, into)
        into.append(";")
    else:
        into.append(repr(node))


_OWN = "rankhammer"
"""Imports of it count wherever they are met; those of other packages inside these alone."""


_TABLE = "rankhammer.built_in"
"""Says of every plugin where it is. One that is asked for counts by itself, and a new one concerns nobody else."""


class Modules:
    """The modules of this process' path as they are now, each looked at once; a zip does as well as a folder.

    Args:
        read: Reads a source.
    """

    def __init__(self, read: Callable[[str], ModuleSource] = read_source) -> None:
        self._read = read
        self._specs: dict[str, ModuleSpec | None] = {}
        self._sources: dict[str, ModuleSource] = {}
        self._imported: dict[str, tuple[str, ...]] = {}

    def digest(self, roots: Iterable[str]) -> str:
        """Return the SHA-256 of everything that some modules stand on, themselves included.

        Args:
            roots: Their full names; one that does not exist stands on nothing.
        """
        content = hashlib.sha256()
        for name in sorted(self.closure(roots)):
            content.update(f"{name} {self._source(name).digest}\n".encode())
            for file in self._files(name):
                content.update(f"{file}.py {hex_digest(self.text(file))}\n".encode())
        return content.hexdigest()

    def closure(self, roots: Iterable[str]) -> frozenset[str]:
        """Return the names of all modules that some stand on, themselves and the packages around them included."""
        followed: set[str] = set()
        ahead = [*roots]
        while ahead:
            name = ahead.pop()
            if name not in followed and name != _TABLE and self._spec(name) is not None:
                followed.add(name)
                ahead += self._imports_of(name)
        return frozenset(followed).union(*(_around(name) for name in followed))

    def text(self, name: str) -> str:
        """Return a module's source; empty where it has none, as a compiled one."""
        spec = self._spec(name)
        read = getattr(spec.loader, "get_source", None) if spec else None
        return (read(name) if read else None) or ""

    def _spec(self, name: str) -> ModuleSpec | None:
        if name not in self._specs:
            package = name.rpartition(".")[0]
            self._specs[name] = self._spec_inside(package, name) if package else _spec_of_top(name)
        return self._specs[name]

    def _spec_inside(self, package: str, name: str) -> ModuleSpec | None:
        around = self._spec(package)
        path = around.submodule_search_locations if around else None
        return PathFinder.find_spec(name, path) if path else None

    def _source(self, name: str) -> ModuleSource:
        if name not in self._sources:
            self._sources[name] = self._read(self.text(name))
        return self._sources[name]

    def _package(self, name: str) -> str:
        """Return the package that a module's relative names begin at: itself, where it is one."""
        spec = self._spec(name)
        return name if spec and spec.submodule_search_locations is not None else name.rpartition(".")[0]

    def _files(self, name: str) -> Iterator[str]:
        files = (f"{self._package(name)}.{file}" for file in self._source(name).files)
        return (file for file in files if self._spec(file) is not None)

    def _imports_of(self, name: str) -> tuple[str, ...]:
        if name not in self._imported:
            tops = (_OWN, name.partition(".")[0])
            found = (_absolute(one, self._package(name)) for one in self._source(name).imports)
            inside = [one for one in found if one[0].partition(".")[0] in tops]
            # Importing a module runs the packages around it. A facade does nothing by itself, and what it offers
            # counts where somebody takes it from there.
            around = [package for package in _around(name) if not self._source(package).is_facade]
            self._imported[name] = (*around, *(module for one in inside for module in self._modules_of(*one)))
        return self._imported[name]

    def _modules_of(self, base: str, names: tuple[str, ...] | None) -> Iterator[str]:
        """Return the modules that an import is of; what `from ... import` takes may be a module or a name in one."""
        if names is None:
            yield from (*_around(base), base)
            return
        modules = [module for module in (f"{base}.{name}" for name in names) if self._spec(module) is not None]
        yield from modules
        if len(modules) < len(names):
            yield base


def _spec_of_top(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except ValueError:  # `__main__` of a script has none.
        return None


def _absolute(found: Import, package: str) -> tuple[str, tuple[str, ...] | None]:
    if not found.level:
        return found.module, found.names
    base = package.split(".")[: len(package.split(".")) - found.level + 1]
    return ".".join([*base, *filter(None, [found.module])]), found.names


@cache
def _around(name: str) -> tuple[str, ...]:
    """Return the packages around a module, the outermost first."""
    parts = name.split(".")
    return tuple(".".join(parts[:n]) for n in range(1, len(parts)))
