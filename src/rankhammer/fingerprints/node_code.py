"""Which code each node's outputs depend on: what its stage imports, its datasets, and the plugins that it names."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kedro.utils import load_obj
from pydantic import BaseModel

from rankhammer import plugins
from rankhammer.digests import hex_digest
from rankhammer.fingerprints.handoffs import digest
from rankhammer.fingerprints.import_closure import Import, Modules, ModuleSource, read_source
from rankhammer.pipeline_registry import short_name
from rankhammer.plugins import PluginSpec
from rankhammer.yarn.environment import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    from rankhammer.plugins import Origin

_MOST = 5000
"""Entries at most; a checkout has some 300."""


class KeptSources:
    """The sources that a file holds, and those that were read beside.

    Args:
        path: The file; None: nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known = _read(path)
        self._used: dict[str, ModuleSource] = {}

    def read(self, text: str) -> ModuleSource:
        """See `read_source`."""
        key = hex_digest(text)
        if key not in self._used:
            self._used[key] = _source(self._known.get(key)) or read_source(text)
        return self._used[key]

    def keep(self) -> None:
        """Write what was read beside; where that cannot be, the next process reads it again."""
        if self._path is None or self._used.keys() <= self._known.keys():
            return
        before = self._known if len(self._known) < _MOST else {}
        content = before | {key: asdict(source) for key, source in self._used.items()}
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(content))
            unfinished.replace(self._path)


def usual_path(reader: str) -> Path | None:
    """Return the file that this version of Python and of the reader keeps sources in; None where there is no home.

    Args:
        reader: Digest of the code that reads sources.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        return cache_folder() / f"sources-{version}-{reader[:16]}.json"
    except RuntimeError:
        return None


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _source(kept: Any) -> ModuleSource | None:
    """Read an entry; None where there is none, or something else."""
    try:
        imports = (
            Import(one["module"], one["level"], None if one["names"] is None else tuple(one["names"]))
            for one in kept["imports"]
        )
        return ModuleSource(kept["digest"], tuple(imports), tuple(kept["files"]), kept["is_facade"])
    except (KeyError, TypeError):
        return None


CODE = "code"
_READER = "rankhammer.fingerprints.import_closure"
_LIBRARIES = ("kedro", "kedro_datasets")


def code_of(
    pipeline: Pipeline, *, parameters: Mapping[str, Any], catalog: DataCatalog, modules: Modules | None = None
) -> dict[str, dict[str, str]]:
    """Compute a digest of the code that each node's outputs depend on.

    Args:
        pipeline: The nodes.
        parameters: Value of each `params:` input, a model where the node asks for one.
        catalog: Tells the classes of the datasets that the nodes read and write.
        modules: Where code is read; None: as it is on this process' path now.

    Returns:
        Node, without its stage, to the parts of its code, each with its digest: `code`, and `<group>.<name>` for every
        plugin that its parameters name, so that another click model does not touch what is made before one is wanted.
    """
    if modules is None:
        with _kept_modules() as found:
            return code_of(pipeline, parameters=parameters, catalog=catalog, modules=found)
    origins = plugins.origins()
    return {
        short_name(node): {CODE: modules.digest(_roots(node, catalog))}
        | _of_plugins(node, parameters, origins, modules)
        for node in pipeline.nodes
    }


def code_digest(names: Sequence[str]) -> str:
    """Compute a digest of the code of modules, and of all that they import.

    Args:
        names: Full names of the modules.
    """
    with _kept_modules() as modules:
        return modules.digest(names)


@contextmanager
def _kept_modules() -> Iterator[Modules]:
    """Read code as it is on this process' path now; what was read once is kept for the next process."""
    kept = KeptSources(usual_path(Modules().digest([_READER])))
    yield Modules(kept.read)
    kept.keep()


def _of_plugins(node: Node, parameters: Mapping[str, Any], origins: list[Origin], modules: Modules) -> dict[str, str]:
    """Digest the plugins that a node's parameters name; all of a name count, whatever their group."""
    named = {choice.name for name in node.inputs for choice in _choices(parameters.get(name))}
    return {f"{origin.group}.{origin.name}": _digest(modules, origin) for origin in origins if origin.name in named}


def _roots(node: Node, catalog: DataCatalog) -> set[str]:
    """Return the modules of a node's function, of its stage's wiring, and of its datasets."""
    module = getattr(node.func, "__module__", "")
    datasets = {_module(catalog, name) for name in (*node.inputs, *node.outputs) if name in catalog}
    checks = {
        load_obj(spec.class_path).__module__
        for name, spec in catalog.validator_specs.items()
        if name in (*node.inputs, *node.outputs)
    }
    found = {module, f"{module.rpartition('.')[0]}.pipeline"} | datasets | checks
    return {name for name in found if name.partition(".")[0] not in _LIBRARIES}


def _module(catalog: DataCatalog, name: str) -> str:
    return type(catalog[name]).__module__


def _choices(value: Any) -> Iterator[PluginSpec]:
    if isinstance(value, PluginSpec):
        yield value
    elif isinstance(value, BaseModel | dict | list | tuple):
        parts = dict(value).values() if isinstance(value, BaseModel | dict) else value
        for part in parts:
            yield from _choices(part)


def _digest(modules: Modules, origin: Origin) -> str:
    """Digest what a plugin's class stands on, and the version of its package: part of it may be compiled."""
    return digest([origin.target, origin.distribution, origin.version, modules.digest([origin.module])])
