"""An exported ranker as it stands in its folder: read whole, and refused unless it is what the export proved."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rankhammer.errors import DataError, ExportError
from rankhammer.exporters.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions
from rankhammer.exporters.publish import MANIFEST
from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL, FEATURES, EXAMPLE = "model.json", "feature_set.json", "rescore_query.json"
_TARGET = "opensearch_ltr-"
_NEEDED = (
    "corpus",
    "engine",
    "query_params",
    "constant",
    "score_resolution",
    "feature_set",
    "parity",
    "files",
)


@dataclass(frozen=True)
class Package:
    """One corpus' ranker for OpenSearch's Learning to Rank plugin.

    Args:
        folder: Where it was read.
        files: File name to content.
    """

    folder: str
    files: Mapping[str, bytes]

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the export says of it."""
        return dict(json.loads(self.files[MANIFEST]))

    @cached_property
    def model(self) -> dict[str, Any]:
        """Body of the request that stores the model."""
        return dict(json.loads(self.files[MODEL]))

    @cached_property
    def featureset(self) -> dict[str, Any]:
        """The plugin's features."""
        return dict(json.loads(self.files[FEATURES])["featureset"])

    @cached_property
    def example(self) -> dict[str, Any]:
        """The search that shows how to rerank with it."""
        return dict(json.loads(self.files[EXAMPLE]))

    @property
    def name(self) -> str:
        """Name of model and feature set on a cluster: it follows the content."""
        return str(self.model["model"]["name"])

    @property
    def corpus(self) -> str:
        """Whose ranker it is."""
        return str(self.manifest["corpus"])

    @property
    def store(self) -> str | None:
        """Feature store that it was exported for; None is the plugin's default store."""
        found = self.example["rescore"]["query"]["rescore_query"]["sltr"].get("store")
        return None if found is None else str(found)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the set's order."""
        return tuple(feature["name"] for feature in self.featureset["features"])

    @cached_property
    def scorer(self) -> OpenSearchLtr:
        """Scores vectors from the files as the engine has to."""
        return OpenSearchLtr(OpenSearchLtrOptions(version=self.manifest["engine"]["version"]))


def read_package(folder: str) -> Package:
    """Read an export's folder of one corpus and one target.

    Args:
        folder: With manifest.json, as the export stage writes it.

    Raises:
        DataError: It is no such folder, is for another engine, or its files are not those that were proved.
        ExportError: Its scores were not proved to be the booster's.
    """
    root = folder.rstrip("/")
    files = _files(root)
    package = Package(root, files)
    target = str(package.manifest.get("target"))
    if not target.startswith(_TARGET):
        raise DataError(
            f"{root} is an export for {target!r}; only those of the exporter opensearch_ltr can be deployed.",
            hint="Name the folder <corpus>/opensearch_ltr-<version> of the exported model.",
        )
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
    missing = [key for key in _NEEDED if key not in package.manifest]
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
    missing = sorted({MODEL, FEATURES, EXAMPLE} - package.files.keys() & proved.keys())
    changed = [name for name, facts in proved.items() if name in package.files and _differs(package, name, facts)]
    if missing or changed:
        what = f"lacks {missing[0]}" if missing else f"has another {changed[0]} than its manifest says"
        raise DataError(f"{package.folder} {what}.", hint="Copy the whole folder again, or export again.")


def _differs(package: Package, name: str, facts: Mapping[str, Any]) -> bool:
    digest: str = facts["sha256"]
    return hashlib.sha256(package.files[name]).hexdigest() != digest
