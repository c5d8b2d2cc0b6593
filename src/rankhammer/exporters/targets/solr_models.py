"""The model classes that Solr's Learning To Rank module loads: how each is written, and read back as Solr does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.linear import LinearIR
from rankhammer.exporters.ir.linear_format import LINEAR, weights_of
from rankhammer.exporters.ir.negative_values import never_negative
from rankhammer.exporters.ir.nested_trees import TreeFormat, TreeNode, fold_trees, shortest
from rankhammer.exporters.ir.network_format import parsed_network
from rankhammer.exporters.ir.neural import NeuralIR
from rankhammer.exporters.ir.tree_ensemble import TreeEnsembleIR
from rankhammer.exporters.targets.model_files import ParsedModel
from rankhammer.feature_sets import Expression, FeatureSet
from rankhammer.neural_model import Input, Layer, NeuralModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rankhammer.exporters.ir.trees import Forest

SLACK = np.float32(1e-6)
"""Solr adds this to every threshold that it reads, and then goes left when value <= threshold."""
_PACKAGE = "org.apache.solr.ltr.model"
_LONGEST_NAME = 100

_NORMALIZER = "org.apache.solr.ltr.norm.StandardNormalizer"
LOG_SUFFIX = "__ln"
"""Ends the name of a stored feature that is the logarithm of another one."""

FormT = TypeVar("FormT", TreeEnsembleIR, LinearIR, NeuralIR)


class SolrModel(ABC, Generic[FormT]):
    """One of Solr's model classes."""

    model_class: ClassVar[str]

    @abstractmethod
    def params(self, form: FormT, needed: FeatureSet) -> dict[str, Any]:
        """Write the class's parameters.

        Args:
            form: What the ranker is made of.
            needed: The features in the store, in order.
        """

    @abstractmethod
    def parse(self, body: dict[str, Any]) -> ParsedModel:
        """Read model.json as Solr does.

        Args:
            body: Its content.
        """

    def features(self, form: FormT, needed: FeatureSet) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return what model.json says of its features: names, and how their values are standardised."""
        return [{"name": name} for name in needed.names]

    def stored(self, form: FormT, needed: FeatureSet) -> FeatureSet:  # noqa: ARG002
        """Return the features that the store holds: those that are needed, and what is made of them."""
        return needed

    def undecided(self, form: FormT, features: NDArray[np.float32]) -> NDArray[np.bool_]:  # noqa: ARG002
        """Find rows that Solr computes coarsely, shape (n_rows,)."""
        return np.zeros(len(features), np.bool_)

    def warnings(self, form: FormT) -> list[str]:  # noqa: ARG002
        """Say what Solr computes coarsely."""
        return []


def solr_thresholds(threshold: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find what to write so that Solr's `value <= float32(parsed + 1e-6)` is XGBoost's `value < threshold`.

    Args:
        threshold: XGBoost's thresholds, shape (n,).

    Returns:
        For each a 32-bit float that Solr turns into the largest one below the threshold. Not every float can be
        reached: within 1e-4 of zero, and just above a negative power of two, it may be one less than 1e-12 or one
        32-bit step lower. It is never the threshold or above.
    """
    below = np.nextafter(threshold, np.float32(-np.inf))
    near = (below.astype(np.float64) - SLACK).astype(np.float32)
    candidates = [near]
    for towards in (-np.inf, np.inf):
        once = np.nextafter(near, np.float32(towards))
        candidates += [once, np.nextafter(once, np.float32(towards))]
    stacked = np.stack(candidates)
    reached = np.where(stacked + SLACK <= below, stacked + SLACK, np.float32(-np.inf))
    best: NDArray[np.float32] = stacked[np.argmax(reached, axis=0), np.arange(len(threshold))]
    return best


def read_node(node: dict[str, Any]) -> TreeNode:
    """Read one node of a model's tree, with the threshold that Solr compares with."""
    if "value" in node:
        return TreeNode(value=float(node["value"]))
    return TreeNode(
        feature=node["feature"],
        threshold=float(np.float32(node["threshold"]) + SLACK),
        children=(node["left"], node["right"]),
    )


class SolrTrees(SolrModel[TreeEnsembleIR]):
    """MultipleAdditiveTreesModel: goes left when value <= threshold + 1e-6."""

    model_class: ClassVar[str] = f"{_PACKAGE}.MultipleAdditiveTreesModel"
    format = TreeFormat(read=read_node, ties_left=True)

    def params(self, form: TreeEnsembleIR, needed: FeatureSet) -> dict[str, Any]:  # noqa: ARG002
        """See `SolrModel`: the base score is a first tree of one leaf."""
        return {"trees": [{"weight": "1", "root": root} for root in _roots(form.forest)]}

    def parse(self, body: dict[str, Any]) -> ParsedModel:
        """See `SolrModel`."""
        return self.format.parse([tree["root"] for tree in body["params"]["trees"]], "zero")

    def undecided(self, form: TreeEnsembleIR, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """See `SolrModel`: values just below a threshold that Solr takes for the threshold itself."""
        forest, found = form.forest, np.zeros(len(features), np.bool_)
        for place in _inexact(forest).tolist():
            threshold, values = forest.threshold[place], features[:, forest.feature[place]]
            found |= (values < threshold) & (values > solr_thresholds(threshold[None])[0] + SLACK)
        return found

    def warnings(self, form: TreeEnsembleIR) -> list[str]:
        """See `SolrModel`."""
        n_inexact = len(_inexact(form.forest))
        if not n_inexact:
            return []
        return [
            (
                f"{n_inexact} thresholds cannot be met exactly, because Solr adds 1e-6 to each: a value less than "
                "1e-12, or one 32-bit step, below one of them would go the wrong way. No logged value is that close."
            )
        ]


class SolrLinear(SolrModel[LinearIR]):
    """LinearModel: a weight for every feature of the model, added up in float32 in their order."""

    model_class: ClassVar[str] = f"{_PACKAGE}.LinearModel"

    def params(self, form: LinearIR, needed: FeatureSet) -> dict[str, Any]:
        """See `SolrModel`: Solr wants JSON numbers here, and one for each feature."""
        return {"weights": weights_of(form, needed.names)}

    def parse(self, body: dict[str, Any]) -> ParsedModel:
        """See `SolrModel`."""
        weights = body["params"]["weights"]
        names = [feature["name"] for feature in body["features"]]
        return ParsedModel(LINEAR, "zero", 0.0, [(name, weights[name]) for name in names])


class SolrNetwork(SolrModel[NeuralIR]):
    """NeuralNetworkModel: layers are added up in float32, from the bias on; features are standardised by their norm."""

    model_class: ClassVar[str] = f"{_PACKAGE}.NeuralNetworkModel"

    def stored(self, form: NeuralIR, needed: FeatureSet) -> FeatureSet:
        """See `SolrModel`: what the network takes a logarithm of is a function of its own beside it."""
        sure = never_negative(form.feature_set)
        logs = [
            Expression(
                name=one.feature + LOG_SUFFIX, expression=log_expression(one.feature, is_sure=one.feature in sure)
            )
            for one in form.network.inputs
            if one.log and _is_free(one.feature + LOG_SUFFIX, needed)
        ]
        return FeatureSet(name=needed.name, features=(*needed.features, *logs))

    def features(self, form: NeuralIR, needed: FeatureSet) -> list[dict[str, Any]]:  # noqa: ARG002 - its own inputs
        """See `SolrModel`: numbers are strings, because Solr refuses JSON decimals here."""
        return [
            {
                "name": one.feature + (LOG_SUFFIX if one.log else ""),
                "norm": {"class": _NORMALIZER, "params": {"avg": shortest(one.mean), "std": shortest(one.spread)}},
            }
            for one in form.network.inputs
        ]

    def params(self, form: NeuralIR, needed: FeatureSet) -> dict[str, Any]:  # noqa: ARG002 - has its inputs
        """See `SolrModel`: Solr wants JSON decimals here, also of whole numbers."""
        *hidden, last = form.network.layers
        kinds = [*((layer, "relu") for layer in hidden), (last, "identity")]
        layers = [
            {"matrix": layer.weights.tolist(), "bias": layer.bias.tolist(), "activation": kind} for layer, kind in kinds
        ]
        return {"layers": layers}

    def parse(self, body: dict[str, Any]) -> ParsedModel:
        """See `SolrModel`."""
        inputs = tuple(_read_input(feature) for feature in body["features"])
        layers = tuple(
            Layer(np.array(one["matrix"], np.float32), np.array(one["bias"], np.float32))
            for one in body["params"]["layers"]
        )
        network = NeuralModel(tuple(one.feature for one in inputs), inputs, layers)
        return parsed_network(network, in_32_bits=True)


def log_expression(feature: str, *, is_sure: bool) -> str:
    """Say sign(v) x ln(1 + |v|) as an expression over features.

    Args:
        feature: Its name.
        is_sure: Whether it is never below zero.
    """
    if is_sure:
        return f"ln(1 + {feature})"
    return f"ln(1 + max({feature}, 0)) - ln(1 + max(0 - {feature}, 0))"


def _is_free(name: str, needed: FeatureSet) -> bool:
    if name in needed.names or len(name) > _LONGEST_NAME:
        raise ExportError(
            f"Solr's store needs a feature {name!r} for a logarithm, and cannot have it: it is taken, or too long.",
            hint="Give the feature another name, or set the ranker's option log to other features; train again.",
            feature=name,
        )
    return True


def _read_input(feature: dict[str, Any]) -> Input:
    name, norm = feature["name"], feature["norm"]["params"]
    log = name.endswith(LOG_SUFFIX)
    return Input(name.removesuffix(LOG_SUFFIX), log, float(np.float32(norm["avg"])), float(np.float32(norm["std"])))


SOLR_MODELS: Mapping[str, SolrModel[Any]] = {"trees": SolrTrees(), "linear": SolrLinear(), "neural": SolrNetwork()}
"""What a ranker is made of to the class that is written for it."""


def _roots(forest: Forest) -> list[dict[str, Any]]:
    """Numbers are strings: Solr refuses JSON decimals here."""
    parsed = solr_thresholds(forest.threshold)

    def leaf(place: int) -> dict[str, Any]:
        return {"value": shortest(forest.value[place])}

    def split(place: int, left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
        feature = forest.feature_names[forest.feature[place]]
        return {"feature": feature, "threshold": shortest(parsed[place]), "left": left, "right": right}

    return [{"value": shortest(forest.base)}, *fold_trees(forest, leaf, split)]


def _inexact(forest: Forest) -> NDArray[np.int64]:
    """Return the splits that Solr cannot compare with exactly."""
    threshold = forest.threshold[forest.splits]
    reached = solr_thresholds(threshold) + SLACK
    inexact: NDArray[np.int64] = forest.splits[reached != np.nextafter(threshold, np.float32(-np.inf))]
    return inexact
