"""Writes rankers as plain JSON with a scorer that needs nothing but Python."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict

from rankhammer.errors import ExportError
from rankhammer.exporters import scorer
from rankhammer.exporters.base import Step, TreePath
from rankhammer.exporters.json_bytes import to_json
from rankhammer.exporters.needed_features import needed_features
from rankhammer.exporters.proof import proved
from rankhammer.exporters.trees import Forest, with_depths
from rankhammer.exporters.walk import leaf_places, sum_leaves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rankhammer.exporters.base import RankerFiles

_PROOF = proved("real engine", "scorer.py, which is the engine, has run it")


class NeutralJsonOptions(BaseModel):
    """There is nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NeutralJson:
    """Trees as plain JSON, with a scorer in one file of pure Python: for engines without a writer of their own.

    Args:
        options: Checked `NeutralJsonOptions`.
    """

    Options: ClassVar[type[BaseModel]] = NeutralJsonOptions

    def __init__(self, options: NeutralJsonOptions) -> None:
        self._options = options

    @property
    def target(self) -> str:
        """Always `json`."""
        return "json"

    def write(self, ranker: RankerFiles) -> dict[str, bytes]:
        """Write model.json (docs/stages/export.md describes it), feature_set.json and scorer.py.

        Args:
            ranker: The trained ranker.

        Returns:
            File name to content.

        Raises:
            ExportError: The ranker is no plain ensemble of trees.
        """
        forest = ranker.forest
        needed = needed_features(ranker.feature_set, forest.used_features())
        model = {
            "format": scorer.FORMAT,
            "format_version": scorer.FORMAT_VERSION,
            "corpus": ranker.corpus,
            "objective": forest.objective,
            "base_score": _shortest(np.array([forest.base], np.float32))[0],
            "features": list(forest.feature_names),
            "trees": _trees(forest),
        }
        source = resources.files("rankhammer.exporters").joinpath("scorer.py").read_bytes()
        return {
            "model.json": to_json(model, indent=None),
            "feature_set.json": to_json(needed.model_dump(mode="json"), indent=None),
            "scorer.py": source,
        }

    def score(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """Score vectors from model.json by the rules of scorer.py, all at once.

        Args:
            files: What `write` returned.
            features: float32, shape (n_rows, n_features); NaN is an absent feature.
            feature_names: Names of the columns.

        Returns:
            One score a row.
        """
        forest = _as_forest(_model(files))
        columns = [feature_names.index(name) for name in forest.feature_names]
        leaves = leaf_places(forest, features[:, columns], "default")
        return sum_leaves(forest, leaves).astype(np.float64)

    def trace(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> list[list[TreePath]]:
        """Walk a few vectors through model.json with scorer.py's own functions."""
        model = _model(files)
        rows = [scorer.vector(model, dict(zip(feature_names, row, strict=True))) for row in features.tolist()]
        return [[_path(model, tree, values) for tree in model["trees"]] for values in rows]

    def facts(self, ranker: RankerFiles, files: Mapping[str, bytes]) -> dict[str, Any]:  # noqa: ARG002 - protocol
        """Return the missing rule and the features."""
        names = list(needed_features(ranker.feature_set, ranker.forest.used_features()).names)
        rule = {"rule": "default", "meaning": "an absent feature follows each node's default direction"}
        return {"features": names, "constant": 0.0, "missing_values": rule, "warnings": [], **_PROOF}


def _model(files: Mapping[str, bytes]) -> dict[str, Any]:
    model: dict[str, Any] = orjson.loads(files["model.json"])
    if (model.get("format"), model.get("format_version")) != (scorer.FORMAT, scorer.FORMAT_VERSION):
        raise ExportError(
            f"model.json is {model.get('format')!r} version {model.get('format_version')!r}, "
            f"expected {scorer.FORMAT!r} version {scorer.FORMAT_VERSION}.",
            hint="Export the ranker again with this version.",
        )
    return model


def _trees(forest: Forest) -> list[dict[str, Any]]:
    """Write flat lists, one entry a node, under the booster's own node ids."""
    ends = [*forest.roots[1:].tolist(), len(forest.feature)]
    owner = np.searchsorted(forest.roots, np.arange(len(forest.feature)), side="right") - 1
    root = forest.roots[owner]
    lists = {
        "feature": forest.feature.tolist(),
        "threshold": _shortest(forest.threshold),
        "left": (forest.left - root).tolist(),
        "right": (forest.right - root).tolist(),
        "default_left": forest.default_left.tolist(),
        "value": _shortest(forest.value),
    }
    spans = zip(forest.roots.tolist(), ends, strict=True)
    return [{key: values[start:end] for key, values in lists.items()} for start, end in spans]


def _as_forest(model: dict[str, Any]) -> Forest:
    trees = model["trees"]
    sizes = np.array([len(tree["feature"]) for tree in trees], np.int64)
    roots = np.cumsum(sizes) - sizes
    shift = np.repeat(roots, sizes)

    def joined(key: str, kind: type[np.generic]) -> NDArray[Any]:
        return np.concatenate([np.asarray(tree[key], kind) for tree in trees])

    return with_depths(
        feature_names=tuple(model["features"]),
        base=float(np.float32(model["base_score"])),
        objective=model["objective"],
        roots=roots,
        feature=joined("feature", np.int64),
        threshold=joined("threshold", np.float32),
        left=joined("left", np.int64) + shift,
        right=joined("right", np.int64) + shift,
        default_left=joined("default_left", np.bool_),
        value=joined("value", np.float32),
    )


def _path(model: dict[str, Any], tree: dict[str, Any], values: list[float]) -> TreePath:
    *inner, leaf = scorer.path(tree, values)
    steps = tuple(
        Step(
            feature=model["features"][tree["feature"][node]],
            value=values[tree["feature"][node]],
            threshold=scorer.float32(tree["threshold"][node]),
            left=scorer.goes_left(tree, node, values),
        )
        for node in inner
    )
    return TreePath(steps, scorer.float32(tree["value"][leaf]))


def _shortest(numbers: NDArray[np.float32]) -> list[float]:
    """Return the floats with the fewest digits that read back as the same 32-bit floats."""
    return [float(str(number)) for number in numbers]
