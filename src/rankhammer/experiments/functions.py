"""Functions that are named as text: in an installed package, or in a file that travels along."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

_NEVER_RUN = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
"""What returns at once when it is called."""
_ANY = "*"
_HINT = "Write package.module:function for a module that the nodes can import, or file.py:function."


def is_file(name: str) -> bool:
    """Say whether a function is in a file that travels along."""
    return name.rpartition(":")[0].endswith(".py")


def source_file(name: str) -> Path:
    """Return the file of a function that is in one.

    Raises:
        ConfigError: There is none.
    """
    file = Path(name.rpartition(":")[0])
    if not file.is_file():
        raise ConfigError(f"{file} is no file.", hint=_HINT)
    return file


def shipped_name(name: str) -> str:
    """Return what a function is called in a container: a file is in the container's own folder there."""
    where, _, function = name.rpartition(":")
    return f"{Path(where).name}:{function}" if is_file(name) else name


def require_in_file(name: str) -> None:
    """Refuse a function that its file does not have, without running the file: what it imports may be the nodes' alone.

    Args:
        name: file.py:function.

    Raises:
        ConfigError: There is no such file, or it is no Python, or has no such function that takes a context.
    """
    file, attribute = source_file(name), name.rpartition(":")[2]
    try:
        found = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError) as exc:
        line = getattr(exc, "lineno", None)
        place = f", line {line}" if line else ""
        raise ConfigError(f"{file}{place} is no Python: {getattr(exc, 'msg', exc)}.", hint=_HINT) from exc
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read: {exc.strerror}.", hint="Correct its rights.") from exc
    statements = list(_at_import(found.body))
    if not any(attribute in _names(one) for one in statements):
        known = {one.name for one in statements if isinstance(one, ast.FunctionDef | ast.ClassDef)}
        if not any(_ANY in _names(one) for one in statements):
            raise ConfigError(f"{file} has no function {attribute}.", hint=did_you_mean(attribute, known))
    for one in statements:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == attribute:
            _require_plain(file, one)


def _at_import(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield what is executed when a file is imported, within `if`, `try`, `with` and loops, too."""
    for one in body:
        yield one
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _at_import(getattr(one, field, ()))
            for handler in getattr(one, "handlers", ()):
                yield from _at_import(handler.body)


def _names(statement: ast.stmt) -> set[str]:
    """Return the names that a statement gives something; `*` stands for any."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(one.asname or one.name).partition(".")[0] for one in statement.names}
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    return set()


def _require_plain(file: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    own, given = function.args, [*function.args.posonlyargs, *function.args.args]
    if isinstance(function, ast.AsyncFunctionDef):
        raise _not_plain(f"{file}: {function.name} is asynchronous")
    if not given and own.vararg is None:
        raise _not_plain(f"{file}: {function.name} takes no argument")


def _not_plain(what: str) -> ConfigError:
    hint = "An experiment calls a plain function with its context: def train(context)."
    return ConfigError(f"{what}, and nobody would run it.", hint=hint)


def load(name: str) -> Callable[..., Any]:
    """Import a function.

    Args:
        name: package.module:function, or file.py:function.

    Raises:
        ConfigError: There is no such module, file or function; the reason is in the message.
    """
    where, _, attribute = name.rpartition(":")
    try:
        module = _from_file(source_file(name)) if is_file(name) else importlib.import_module(where)
    except ConfigError:
        raise
    except (Exception, SystemExit) as exc:
        raise ConfigError(f"{where} cannot be imported: {type(exc).__name__}: {exc}.", hint=_HINT) from exc
    found = getattr(module, attribute, None)
    if not callable(found):
        raise ConfigError(f"{where} has no function {attribute}.", hint=_HINT)
    if any(is_kind(found) for is_kind in _NEVER_RUN):
        raise _not_plain(f"{where}: {attribute} is a generator or asynchronous")
    return found  # type: ignore[no-any-return]


def _from_file(file: Path) -> ModuleType:
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        # What the file imports beside itself.
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} is no Python file.", hint=_HINT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module
