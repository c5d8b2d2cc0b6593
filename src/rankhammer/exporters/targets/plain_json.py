"""Writes rankers as plain JSON with a scorer that needs nothing but Python."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import orjson

from rankhammer.canonical_json import to_json
from rankhammer.errors import ExportError
from rankhammer.exporters.ir.linear_format import LINEAR, weights_of
from rankhammer.exporters.ir.network_format import parsed_network
from rankhammer.exporters.ir.sum_format import parsed_sum
from rankhammer.exporters.ir.tree_scoring import leaf_places, sum_leaves
from rankhammer.exporters.ir.trees import Forest, with_depths
from rankhammer.exporters.parts import Step, TreePath
from rankhammer.exporters.targets import scorer
from rankhammer.exporters.targets.model_files import ModelFiles, ParsedModel, verification, writer_for
from rankhammer.feature_sets.needed_features import needed_features
from rankhammer.neural_model import Input, Layer, NeuralModel
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pydantic import BaseModel

    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.exporters.ir.linear import LinearIR
    from rankhammer.exporters.ir.mixed import MixedIR
    from rankhammer.exporters.ir.neural import NeuralIR
    from rankhammer.exporters.ir.tree_ensemble import TreeEnsembleIR
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.feature_sets import FeatureSet

_VERIFICATION = verification("real engine", "scorer.py, which is the engine, has run it")


class PlainJsonOptions(StrictModel):
    """There is nothing to choose."""


class _Trees:
    """Trees as flat lists, by scorer.py's rules."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = tuple(names)

    def content(self, form: TreeEnsembleIR, needed: FeatureSet) -> dict[str, Any]:  # noqa: ARG002 - keeps all names
        """Return model.json's own part of a ranker."""
        forest = form.forest
        return {
            "format": scorer.TREES,
            "objective": forest.objective,
            "base_score": _shortest(np.array([forest.base], np.float32))[0],
            "features": list(forest.feature_names),
            "trees": _trees(forest),
        }

    def parse(self, model: dict[str, Any]) -> ParsedModel:
        """Read model.json."""
        return ParsedModel(_Trees(model["features"]), "default", scorer.float32(model["base_score"]), model["trees"])

    def sums(
        self, parsed: ParsedModel, features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """See `PartFormat`."""
        forest = _as_forest(parsed.parts, self._names, parsed.base)
        columns = [feature_names.index(name) for name in self._names]
        return sum_leaves(forest, leaf_places(forest, features[:, columns], parsed.rule)).astype(np.float64)

    def trace(self, part: dict[str, Any], values: Mapping[str, float], absent: Absent) -> TreePath:  # noqa: ARG002
        """See `PartFormat`: with scorer.py's own functions."""
        return _path(self._names, part, [scorer.float32(values[name]) for name in self._names])


class _Weights:
    """One weight per feature, by scorer.py's rules."""

    def content(self, form: LinearIR, needed: FeatureSet) -> dict[str, Any]:
        """Return model.json's own part of a ranker."""
        weights = weights_of(form, needed.names)
        return {
            "format": scorer.LINEAR,
            "objective": form.facts()["objective"],
            "base_score": form.base,
            "features": list(weights),
            "weights": _shortest(np.array(list(weights.values()), np.float32)),
        }

    def parse(self, model: dict[str, Any]) -> ParsedModel:
        """Read model.json."""
        terms = list(zip(model["features"], model["weights"], strict=True))
        return ParsedModel(LINEAR, "default", scorer.float32(model["base_score"]), terms)


class _Network:
    """A neural network, by scorer.py's rules."""

    def content(self, form: NeuralIR, needed: FeatureSet) -> dict[str, Any]:  # noqa: ARG002 - names its inputs
        """Return model.json's own part of a ranker."""
        written = json.loads(form.network.to_bytes())
        return {
            "format": scorer.NEURAL,
            "objective": form.objective,
            "base_score": 0.0,
            "features": [one["feature"] for one in written["inputs"]],
            "inputs": [{key: one[key] for key in ("log", "mean", "spread")} for one in written["inputs"]],
            "layers": written["layers"],
        }

    def parse(self, model: dict[str, Any]) -> ParsedModel:
        """Read model.json."""
        inputs = tuple(
            Input(name, one["log"], float(np.float32(one["mean"])), float(np.float32(one["spread"])))
            for name, one in zip(model["features"], model["inputs"], strict=True)
        )
        layers = (
            Layer(np.array(one["weights"], np.float32), np.array(one["bias"], np.float32)) for one in model["layers"]
        )
        return parsed_network(NeuralModel(tuple(model["features"]), inputs, tuple(layers)), in_32_bits=False)


class _Both:
    """Trees and a network, whose scores are added up."""

    def content(self, form: MixedIR, needed: FeatureSet) -> dict[str, Any]:
        """Return model.json's own part of a ranker."""
        parts = [_Trees().content(form.trees, needed), _Network().content(form.network, needed)]
        return {"format": scorer.MIXED, "features": list(needed.names), "parts": parts}

    def parse(self, model: dict[str, Any]) -> ParsedModel:
        """Read model.json."""
        return parsed_sum([_READERS[part["format"]].parse(part) for part in model["parts"]])


_WRITERS: dict[str, Any] = {"trees": _Trees(), "linear": _Weights(), "neural": _Network(), "mixed": _Both()}
_READERS = {
    scorer.TREES: _WRITERS["trees"],
    scorer.LINEAR: _WRITERS["linear"],
    scorer.NEURAL: _WRITERS["neural"],
    scorer.MIXED: _WRITERS["mixed"],
}
_ABSENT = {
    scorer.TREES: "an absent feature follows each node's default direction",
    scorer.LINEAR: "an absent feature adds nothing",
    scorer.NEURAL: "an absent feature counts as 0",
    scorer.MIXED: "an absent feature follows each node's default direction, and counts as 0 in the network",
}


class PlainJson(ModelFiles[PlainJsonOptions]):
    """Trees, weights or a network as JSON, with a scorer in one file of pure Python: for engines without a writer.

    Args:
        options: Checked `PlainJsonOptions`.
    """

    Options: ClassVar[type[BaseModel]] = PlainJsonOptions
    kinds: ClassVar[tuple[str, ...]] = ("trees", "linear", "neural", "mixed")
    name = "json"

    def write(self, ranker: TrainedRanker) -> dict[str, bytes]:
        """Write model.json (docs/stages/export.md describes it), feature_set.json and scorer.py.

        Raises:
            ExportError: The ranker is neither a plain ensemble of trees, nor linear, nor a network.
        """
        form, writer = ranker.form, writer_for(ranker, self.target, _WRITERS)
        needed = needed_features(ranker.feature_set, form.used_features())
        own = writer.content(form, needed)
        first = {"format": own["format"], "format_version": scorer.FORMAT_VERSION, "corpus": ranker.corpus}
        source = resources.files("rankhammer.exporters.targets").joinpath("scorer.py").read_bytes()
        return {
            "model.json": to_json(first | own, indent=None),
            "feature_set.json": to_json(needed.model_dump(mode="json"), indent=None),
            "scorer.py": source,
        }

    def parse(self, files: Mapping[str, bytes]) -> ParsedModel:
        """Read model.json by the rules of scorer.py.

        Raises:
            ExportError: It is of a format or version that this scorer does not know.
        """
        model = _model(files)
        parsed: ParsedModel = _READERS[model["format"]].parse(model)
        return parsed

    def facts(self, ranker: TrainedRanker, files: Mapping[str, bytes]) -> dict[str, Any]:
        """Return the missing rule and the features."""
        names = list(needed_features(ranker.feature_set, ranker.form.used_features()).names)
        rule = {"rule": "default", "meaning": _ABSENT[_model(files)["format"]]}
        return {"features": names, "constant": 0.0, "missing_values": rule, "warnings": [], **_VERIFICATION}


def _model(files: Mapping[str, bytes]) -> dict[str, Any]:
    model: dict[str, Any] = orjson.loads(files["model.json"])
    if model.get("format") not in _READERS or model.get("format_version") != scorer.FORMAT_VERSION:
        raise ExportError(
            f"model.json is {model.get('format')!r} version {model.get('format_version')!r}, "
            f"expected {' or '.join(map(repr, _READERS))} version {scorer.FORMAT_VERSION}.",
            hint="Export the ranker again with this version.",
        )
    return model


def _trees(forest: Forest) -> list[dict[str, Any]]:
    """Write flat lists, one entry per node, under the booster's own node ids."""
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


def _as_forest(trees: Sequence[dict[str, Any]], names: tuple[str, ...], base: float) -> Forest:
    sizes = np.array([len(tree["feature"]) for tree in trees], np.int64)
    roots = np.cumsum(sizes) - sizes
    shift = np.repeat(roots, sizes)

    def joined(key: str, kind: type[np.generic]) -> NDArray[Any]:
        return np.concatenate([np.asarray(tree[key], kind) for tree in trees])

    return with_depths(
        feature_names=names,
        base=base,
        objective="",
        roots=roots,
        feature=joined("feature", np.int64),
        threshold=joined("threshold", np.float32),
        left=joined("left", np.int64) + shift,
        right=joined("right", np.int64) + shift,
        default_left=joined("default_left", np.bool_),
        value=joined("value", np.float32),
    )


def _path(names: tuple[str, ...], tree: dict[str, Any], values: list[float]) -> TreePath:
    *inner, leaf = scorer.path(tree, values)
    steps = tuple(
        Step(
            feature=names[tree["feature"][node]],
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
