"""An exported ranker as it stands in its folder: read whole, and refused unless it is what the export proved."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rankhammer.deploy.targets import TARGETS, target_for
from rankhammer.errors import DataError, ExportError
from rankhammer.exporters.publish import MANIFEST
from rankhammer.publishing import follow
from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.deploy.base import Target
    from rankhammer.exporters.model_files import ModelFiles

_NEEDED = ("corpus", "engine", "query_params", "features", "feature_set", "parity", "files")


@dataclass(frozen=True)
class Package:
    """One corpus' ranker for an engine.

    Args:
        folder: Where it was read.
        files: File name to content.
        target: The kind of engine that it is for.
    """

    folder: str
    files: Mapping[str, bytes]
    target: Target

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the export says of it."""
        return dict(self.json(MANIFEST))

    @cached_property
    def name(self) -> str:
        """Name of model and features on an engine: it follows the content."""
        return self.target.name_of(self)

    @cached_property
    def example(self) -> dict[str, Any]:
        """The search that shows how to rerank with it."""
        return self.target.example_of(self)

    @cached_property
    def scorer(self) -> ModelFiles:
        """Scores vectors from the files as the engine has to."""
        return self.target.scorer_of(self)

    @property
    def corpus(self) -> str:
        """Whose ranker it is."""
        return str(self.manifest["corpus"])

    @property
    def constant(self) -> float:
        """What the writer added to every score."""
        return float(self.manifest.get("constant", 0.0))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the engine's order."""
        return tuple(self.manifest["features"])

    def renamed(self, name: str) -> Package:
        """Return the same ranker under another name on the engine."""
        old, new = self.name.encode(), name.encode()
        return replace(self, files={file: content.replace(old, new) for file, content in self.files.items()})

    def json(self, name: str) -> Any:
        """Return a file's content."""
        return json.loads(self.files[name])


def read_package(folder: str) -> Package:
    """Read an export's folder of one corpus and one target.

    Args:
        folder: With manifest.json, as the export stage writes it; `current` in it stands for the version that counts.

    Raises:
        DataError: It is no such folder, is for another engine, or its files are not those that were proved.
        ExportError: Its scores were not proved to be the booster's.
    """
    root = follow(folder.rstrip("/"))
    files = _files(root)
    export = str(json.loads(files[MANIFEST])["target"])
    target = target_for(export)
    if target is None:
        known = ", ".join(kind.exporter for kind in TARGETS.values())
        raise DataError(
            f"{root} is an export for {export!r}; those that can be deployed are {known}.",
            hint="Name the folder <corpus>/<target> of such an exporter.",
        )
    package = Package(root, files, target)
    _require_complete(package)
    _require_proved(package)
    _require_unchanged(package)
    return package


def _files(root: str) -> dict[str, bytes]:
    storage = storage_for(root)
    if not storage.exists(f"{root}/{MANIFEST}"):
        below = [path.rpartition("/")[0] for path in storage.glob(f"{root}/**/{MANIFEST}")] if root else []
        hint = f"There are: {', '.join(below)}." if below else "Run the export stage first."
        raise DataError(f"{root} is no exported ranker: it has no {MANIFEST}.", hint=hint)
    files = {name: storage.read(f"{root}/{name}") for name in storage.files(root) if "/" not in name}
    _require_readable(f"{root}/{MANIFEST}", files[MANIFEST])
    return files


def _require_readable(path: str, content: bytes) -> None:
    try:
        manifest = json.loads(content)
    except ValueError as exc:
        raise DataError(f"{path} is no JSON: {exc}.", hint="Export again.") from exc
    if not isinstance(manifest, dict) or "target" not in manifest:
        raise DataError(f"{path} is no manifest of an export.", hint="Name a folder that the export stage wrote.")


def _require_complete(package: Package) -> None:
    missing = [key for key in (*_NEEDED, *package.target.facts) if key not in package.manifest]
    if missing:
        raise DataError(
            f"{package.folder}/{MANIFEST} lacks {', '.join(missing)}: it was written by another version of Rankhammer.",
            hint="Run the export stage again.",
        )


def _require_proved(package: Package) -> None:
    parity = package.manifest["parity"]
    if parity.get("passed") is not True:
        raise ExportError(
            f"{package.folder}: the export did not pass its parity gate (parity.passed is {parity.get('passed')!r}).",
            hint="Run the export stage again; what it publishes has passed.",
        )


def _require_unchanged(package: Package) -> None:
    """A folder that was copied in part, or edited, is not what was proved."""
    proved = package.manifest["files"]
    missing = sorted(set(package.target.files) - package.files.keys() & proved.keys())
    changed = [name for name, facts in proved.items() if name in package.files and _differs(package, name, facts)]
    if missing or changed:
        what = f"lacks {missing[0]}" if missing else f"has another {changed[0]} than its manifest says"
        raise DataError(f"{package.folder} {what}.", hint="Copy the whole folder again, or export again.")


def _differs(package: Package, name: str, facts: Mapping[str, Any]) -> bool:
    digest: str = facts["sha256"]
    return hashlib.sha256(package.files[name]).hexdigest() != digest
