"""The model types that the Learning to Rank plugin loads: how each is written, and read back as the plugin does."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.linear import LinearIR
from rankhammer.exporters.ir.linear_format import LINEAR, read_weights, weights_of
from rankhammer.exporters.ir.nested_trees import TreeFormat
from rankhammer.exporters.ir.tree_ensemble import TreeEnsembleIR
from rankhammer.exporters.targets import ltr_json
from rankhammer.exporters.targets.model_files import ParsedModel
from rankhammer.exporters.targets.ranklib_xml import ranklib_text, read_node, read_trees

if TYPE_CHECKING:
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.feature_sets import FeatureSet

CONSTANT = "_constant"
"""Name of a stored feature that is 1 for every document; no feature of a user's can have it."""
BYTES_PER_NODE = 28
"""Memory that the plugin counts for a node, half of them splits: between 27.5 and 41 by measured cache misses."""
_BYTES_PER_WEIGHT = 4

FormT = TypeVar("FormT", TreeEnsembleIR, LinearIR)


class LtrModel(ABC, Generic[FormT]):
    """One model type of the plugin."""

    type: ClassVar[str]

    @abstractmethod
    def definition(self, form: FormT, needed: FeatureSet, constant: float) -> str:
        """Write a model in the type's own format.

        Args:
            form: What the ranker is made of.
            needed: The feature set that is stored in the engine, in order.
            constant: What to add to every score.
        """

    @abstractmethod
    def parse(self, definition: str, stored: tuple[str, ...], rule: Absent) -> ParsedModel:
        """Read a definition as strictly as the plugin does.

        Args:
            definition: What `definition` returned.
            stored: Names of the stored features, in order.
            rule: What an absent feature means to trees that know one.

        Raises:
            ExportError: The plugin would refuse it.
        """

    @abstractmethod
    def memory_bytes(self, form: FormT) -> int:
        """Return about how much memory the plugin counts for a model."""

    def rule(self, of_engine: Absent) -> Absent:  # noqa: ARG002 - trees may know more
        """Return what an absent feature means to such a model: 0.0, unless the type knows more."""
        return "zero"

    def constant_features(self, constant: float) -> list[dict[str, Any]]:  # noqa: ARG002 - trees need none
        """Return the stored features that the constant takes."""
        return []


class XGBoostJson(LtrModel[TreeEnsembleIR]):
    """`model/xgboost+json`: goes left when value < threshold, in float32; the last tree is the constant."""

    type: ClassVar[str] = "model/xgboost+json"
    format = TreeFormat(read=ltr_json.read_node)

    def definition(self, form: TreeEnsembleIR, needed: FeatureSet, constant: float) -> str:  # noqa: ARG002 - has names
        """Write the trees as XGBoost dumps them; features go by their names."""
        return ltr_json.definition(form.forest, last=(constant,))

    def parse(self, definition: str, stored: tuple[str, ...], rule: Absent) -> ParsedModel:  # noqa: ARG002
        """See `LtrModel`: a key missing or superfluous, or children in the wrong order, is refused."""
        return self.format.parse(ltr_json.parse(definition), rule, last_is_constant=True)

    def memory_bytes(self, form: TreeEnsembleIR) -> int:
        """See `LtrModel`."""
        return node_bytes(form)

    def rule(self, of_engine: Absent) -> Absent:
        """See `LtrModel`: by the plugin's version."""
        return of_engine


class RankLibTrees(LtrModel[TreeEnsembleIR]):
    """`model/ranklib`: goes left when value <= threshold; features go by their ordinals in the stored set."""

    type: ClassVar[str] = "model/ranklib"
    format = TreeFormat(read=read_node, ties_left=True)

    def definition(self, form: TreeEnsembleIR, needed: FeatureSet, constant: float) -> str:
        """Write the trees as RankLib saves them."""
        return ranklib_text(form.forest, {name: place for place, name in enumerate(needed.names, 1)}, constant)

    def parse(self, definition: str, stored: tuple[str, ...], rule: Absent) -> ParsedModel:
        """See `LtrModel`."""
        return self.format.parse(read_trees(definition, stored), rule, last_is_constant=True)

    def memory_bytes(self, form: TreeEnsembleIR) -> int:
        """See `LtrModel`."""
        return node_bytes(form)


class LinearModel(LtrModel[LinearIR]):
    """`model/linear`: one weight per feature; the constant is the weight of a feature that is always 1."""

    type: ClassVar[str] = "model/linear"

    def definition(self, form: LinearIR, needed: FeatureSet, constant: float) -> str:
        """Write the weights that are not 0."""
        weights = {name: weight for name, weight in weights_of(form, needed.names).items() if weight}
        return json.dumps(weights | ({CONSTANT: constant} if constant else {}))

    def parse(self, definition: str, stored: tuple[str, ...], rule: Absent) -> ParsedModel:
        """See `LtrModel`; the plugin adds up in the order of the stored features."""
        weights = dict(read_weights(definition))
        wrong = [name for name, weight in weights.items() if name not in stored or not _is_number(weight)]
        if wrong:
            raise ExportError(
                f"The plugin does not take weight {weights[wrong[0]]!r} of feature {wrong[0]!r}.",
                hint="Report this: the writer broke its own format.",
            )
        constant = weights.pop(CONSTANT, 0.0)
        return ParsedModel(LINEAR, rule, 0.0, [(name, weights[name]) for name in stored if name in weights], constant)

    def memory_bytes(self, form: LinearIR) -> int:
        """See `LtrModel`."""
        return _BYTES_PER_WEIGHT * len(form.weights)

    def constant_features(self, constant: float) -> list[dict[str, Any]]:
        """See `LtrModel`: every document matches, and its score is 1."""
        feature = {"name": CONSTANT, "params": [], "template_language": "mustache", "template": {"match_all": {}}}
        return [feature] if constant else []


def node_bytes(form: TreeEnsembleIR) -> int:
    """Return about how much memory the plugin counts for trees."""
    return BYTES_PER_NODE * (len(form.forest.splits) + len(form.forest.leaves))


def _is_number(weight: Any) -> bool:
    return isinstance(weight, int | float) and not isinstance(weight, bool)
