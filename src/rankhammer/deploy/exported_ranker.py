"""An exported ranker as it stands in its folder: read whole, and refused unless it is what the export proved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rankhammer.deploy.base import ExportedRanker
from rankhammer.deploy.targets import TARGETS, target_for
from rankhammer.digests import hex_digest
from rankhammer.errors import DataError, ExportError
from rankhammer.exporters.publish import MANIFEST
from rankhammer.storage.base import storage_for
from rankhammer.storage.publication import follow

if TYPE_CHECKING:
    from collections.abc import Mapping


KEPT = "keep_absent"
_NEEDED = (KEPT, "corpus", "engine", "query_params", "features", "feature_set", "parity", "files")


def read_exported_ranker(folder: str) -> ExportedRanker:
    """Read an export's folder of one corpus and one target.

    Args:
        folder: With manifest.json, as the export stage writes it; `current` in it stands for the version that counts.

    Raises:
        DataError: It is no such folder, is for another engine, or its files are not those that were proved.
        ExportError: Its scores were not proved to be the booster's.
    """
    root = follow(folder.rstrip("/"))
    files = _files(root)
    files[MANIFEST] = _with_kept(files[MANIFEST])
    export = str(json.loads(files[MANIFEST])["target"])
    target = target_for(export)
    if target is None:
        known = ", ".join(kind.exporter for kind in TARGETS.values())
        raise DataError(
            f"{root} is an export for {export!r}; those that can be deployed are {known}.",
            hint="Name the folder <corpus>/<target> of such an exporter.",
        )
    exported = ExportedRanker(root, files, target)
    _require_complete(exported)
    _require_proved(exported)
    _require_unchanged(exported)
    return exported


def _files(root: str) -> dict[str, bytes]:
    storage = storage_for(root)
    if not storage.exists(f"{root}/{MANIFEST}"):
        below = [path.rpartition("/")[0] for path in storage.glob(f"{root}/**/{MANIFEST}")] if root else []
        otherwise = "Run the export stage first, or name the version that it was held back in."
        hint = f"There are: {', '.join(below)}." if below else otherwise
        raise DataError(f"{root} is no exported ranker: it has no {MANIFEST}.", hint=hint)
    files = {name: storage.read(f"{root}/{name}") for name in storage.files(root) if "/" not in name}
    _require_readable(f"{root}/{MANIFEST}", files[MANIFEST])
    return files


def _require_readable(path: str, content: bytes) -> None:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{path} is no JSON: {exc}.", hint="Export again.") from exc
    if not isinstance(manifest, dict) or "target" not in manifest:
        raise DataError(f"{path} is no manifest of an export.", hint="Name a folder that the export stage wrote.")


def _with_kept(content: bytes) -> bytes:
    """Add to a manifest of an earlier version which features may be absent, as the feature set in its lineage says.

    A set with expressions stays as it is, to be refused: the earlier version's definitions do not guard them.
    """
    manifest = json.loads(content)
    if KEPT in manifest:
        return content
    try:
        declared = {
            feature["name"]: feature for feature in manifest["lineage"]["parameters"]["feature_set"]["features"]
        }
        used = [declared[name] for name in manifest["features"]]
        is_guarded = all(feature["type"] != "expression" for feature in used)
        kept = sorted(feature["name"] for feature in used if feature.get("absent") == "keep")
    except (KeyError, TypeError):
        return content
    return json.dumps({**manifest, KEPT: kept}).encode() if is_guarded else content


def _require_complete(exported: ExportedRanker) -> None:
    missing = [key for key in (*_NEEDED, *exported.target.facts) if key not in exported.manifest]
    if missing:
        raise DataError(
            f"{exported.folder}/{MANIFEST} lacks {', '.join(missing)}: another version of Rankhammer wrote it.",
            hint="Export again: `kedro run --pipeline=export`.",
        )


def _require_proved(exported: ExportedRanker) -> None:
    parity = exported.manifest["parity"]
    if parity.get("passed") is not True:
        raise ExportError(
            f"{exported.folder}: the export did not pass its parity gate (parity.passed is {parity.get('passed')!r}).",
            hint="Run the export stage again; what it publishes has passed.",
        )


def _require_unchanged(exported: ExportedRanker) -> None:
    """A folder that was copied in part, or edited, is not what was proved."""
    verification = exported.manifest["files"]
    missing = sorted(set(exported.target.files) - exported.files.keys() & verification.keys())
    changed = [
        name for name, facts in verification.items() if name in exported.files and _differs(exported, name, facts)
    ]
    if missing or changed:
        what = f"lacks {missing[0]}" if missing else f"has another {changed[0]} than its manifest says"
        raise DataError(f"{exported.folder} {what}.", hint="Copy the whole folder again, or export again.")


def _differs(exported: ExportedRanker, name: str, facts: Mapping[str, Any]) -> bool:
    return hex_digest(exported.files[name]) != str(facts["sha256"])
