"""A real corpus without a download: the documentation texts of the installed Python standard library.

Sources are parsed with `ast` and never imported. The same Python version gives the same documents, byte for byte.
"""

from __future__ import annotations

import ast
import re
import sysconfig
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STDLIB = """
abc argparse array ast asyncio base64 bdb binascii bisect builtins bz2 calendar cmath cmd code codecs codeop
collections colorsys compileall concurrent configparser contextlib contextvars copy copyreg csv ctypes curses
dataclasses datetime dbm decimal difflib dis doctest ensurepip enum filecmp fileinput fnmatch fractions
functools genericpath getopt getpass gettext glob graphlib gzip hashlib heapq hmac html importlib inspect io
ipaddress itertools json keyword linecache locale logging lzma math mimetypes modulefinder multiprocessing netrc
ntpath numbers opcode operator optparse os pathlib pdb pickle pickletools pkgutil platform plistlib posixpath
pprint profile pstats pty py_compile pyclbr pydoc queue quopri random re reprlib rlcompleter runpy sched secrets
selectors shelve shlex shutil signal site sqlite3 stat statistics string stringprep struct subprocess symtable
sysconfig tabnanny tarfile tempfile textwrap threading timeit token tokenize tomllib trace traceback tracemalloc
tty types typing unittest uuid venv warnings wave weakref xml zipapp zipfile zipimport zoneinfo
"""
_NETWORK = "email ftplib http imaplib mailbox poplib smtplib socket socketserver ssl urllib webbrowser wsgiref xmlrpc"

CORPORA: Mapping[str, tuple[str, ...]] = {"stdlib": tuple(_STDLIB.split()), "network": tuple(_NETWORK.split())}
"""Corpus name to the top modules it documents; a module that a platform lacks is left out."""

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("corpus", "doc_id", "title", "summary", "body", "module", "kind")),
        ("popularity", pa.float64()),
        ("body_length", pa.float64()),
    ]
)
"""One row per document; `popularity` counts imports of the top module, `body_length` characters."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_BLOCKS = ("body", "orelse", "finalbody", "handlers")
_DOCUMENTED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Document:
    """One module, class, function or method with a docstring.

    Args:
        doc_id: Dotted name.
        title: The words of the dotted name, lower case.
        summary: First line of the docstring.
        body: The rest of the docstring, then the signature.
        module: The top module.
        kind: "module", "class", "function" or "method".
    """

    doc_id: str
    title: str
    summary: str
    body: str
    module: str
    kind: str


@dataclass(frozen=True)
class TextSource:
    """One source file of the library.

    Args:
        module: Its top module.
        name: Its dotted name.
        path: Where it is.
    """

    module: str
    name: str
    path: Path


def read_library(corpora: Mapping[str, tuple[str, ...]] = CORPORA) -> dict[str, pa.Table]:
    """Make the documents of every corpus, in one pass over the library's sources.

    Args:
        corpora: Corpus name to its top modules; one that is not installed is skipped.

    Returns:
        Corpus name to its documents: SCHEMA's columns, sorted by doc_id, one row a dotted name (the first one wins).
    """
    found: dict[str, dict[str, Document]] = {corpus: {} for corpus in corpora}
    imports: Counter[str] = Counter()
    for corpus, modules in corpora.items():
        for source in sources(modules):
            tree = ast.parse(source.path.read_bytes())
            imports.update(_imported(tree))
            for document in _documents(source, tree):
                found[corpus].setdefault(document.doc_id, document)
    return {corpus: _table(corpus, by_id, imports) for corpus, by_id in found.items()}


def sources(modules: tuple[str, ...]) -> list[TextSource]:
    """List the source files of the given top modules, sorted, without their tests.

    A module written in C is documented by its Python twin where there is one: `decimal` by `_pydecimal`.
    """
    return [source for module in modules for source in _module_sources(module)]


def split_name(dotted: str) -> str:
    """Split a dotted, snake-case or camel-case name into lower-case words: "os.makedirsEx" to "os makedirs ex"."""
    return " ".join(_WORD.findall(dotted)).lower()


def _module_sources(module: str) -> Iterator[TextSource]:
    library = Path(sysconfig.get_paths()["stdlib"])
    twin, single, package = library / f"_py{module}.py", library / f"{module}.py", library / module
    if twin.exists() or single.exists():
        yield TextSource(module, module, twin if twin.exists() else single)
        return
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if not {"test", "tests"} & set(parts):
            yield TextSource(module, ".".join(parts).removesuffix(".__init__"), path)


def _documents(source: TextSource, tree: ast.Module) -> Iterator[Document]:
    yield from _document(source, tree, source.name, "module")
    yield from _members(source, tree, source.name)


def _members(source: TextSource, parent: ast.AST, parent_name: str) -> Iterator[Document]:
    """Walk classes, functions and methods, also below `if` and `try`, but not into function bodies."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, _DOCUMENTED):
            name = f"{parent_name}.{node.name}"
            if not node.name.startswith("_"):
                yield from _document(source, node, name, _kind(node, parent))
            if isinstance(node, ast.ClassDef):
                yield from _members(source, node, name)
        elif isinstance(node, (ast.If, ast.Try, ast.ExceptHandler)):
            yield from _members(source, node, parent_name)


def _kind(node: ast.AST, parent: ast.AST) -> str:
    if isinstance(node, ast.ClassDef):
        return "class"
    return "method" if isinstance(parent, ast.ClassDef) else "function"


def _document(source: TextSource, node: ast.AST, name: str, kind: str) -> Iterator[Document]:
    text = ast.get_docstring(node) if isinstance(node, (ast.Module, *_DOCUMENTED)) else None
    summary, _, rest = (text or "").strip().partition("\n")
    if summary:
        body = f"{rest.strip()}\n{_signature(node)}".strip()
        yield Document(name, split_name(name), summary.strip(), body, source.module, kind)


def _signature(node: ast.AST) -> str:
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}({', '.join(ast.unparse(base) for base in node.bases)})"
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return f"{node.name}({ast.unparse(node.args)})"
    return ""


def _imported(tree: ast.Module) -> set[str]:
    """Return the top modules that a file imports anywhere; an import from its own package does not count."""
    names: set[str] = set()
    statements: list[ast.AST] = list(tree.body)
    while statements:
        node = statements.pop()
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
        for block in _BLOCKS:
            statements.extend(getattr(node, block, ()))
    return names


def _table(corpus: str, by_id: Mapping[str, Document], imports: Counter[str]) -> pa.Table:
    documents = [by_id[doc_id] for doc_id in sorted(by_id)]
    columns = {name: [getattr(document, name) for document in documents] for name in SCHEMA.names[1:7]}
    popularity = np.array([imports[document.module] for document in documents], dtype=np.float64)
    lengths = np.array([len(document.body) for document in documents], dtype=np.float64)
    constants = {"corpus": [corpus] * len(documents), "popularity": popularity, "body_length": lengths}
    return pa.table({**columns, **constants}, schema=SCHEMA)
