"""A linear booster of XGBoost (`gblinear`): one weight per feature."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.boosters import base_margin, require_features, require_one_output
from rankhammer.exporters.ir.negative_values import never_negative
from rankhammer.exporters.parts import Term
from rankhammer.exporters.threshold_samples import read_sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from xgboost import Booster

    from rankhammer.exporters.ir.base import Rows
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.parts import Part
    from rankhammer.feature_sets import FeatureSet


@dataclass(frozen=True, eq=False)
class LinearIR:
    """A score that is the sum of weight x value, in 32-bit floats; an absent value adds nothing.

    Args:
        booster: Says itself what each feature adds.
        feature_set: The features it was trained on, in order.
        weights: One a feature of the set, float32, shape (n_features,).
        objective: What the booster was trained for.
        sample: Content of sample_vectors.json; scores are bounded by the values in there.
    """

    booster: Booster
    feature_set: FeatureSet
    weights: NDArray[np.float32]
    objective: str
    sample: bytes
    kind: ClassVar[str] = "linear"
    base: ClassVar[float] = 0.0

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The feature set's names, in the weights' order."""
        return self.feature_set.names

    @cached_property
    def ranges(self) -> NDArray[np.float64]:
        """Smallest and largest value of each feature in the vectors that training logged, 0 among them.

        Shape (2, n_features).

        Raises:
            ExportError: The ranker has no such vectors.
        """
        rows = np.nan_to_num(read_sample(self.sample, self.feature_set)[0].features, nan=0.0).astype(np.float64)
        return np.stack([rows.min(axis=0, initial=0.0), rows.max(axis=0, initial=0.0)])

    def used_features(self) -> set[str]:
        """See `ModelIR`: those whose weight is not 0."""
        return {name for name, weight in zip(self.feature_names, self.weights, strict=True) if weight}

    def bounds(self) -> tuple[float, float]:
        """See `ModelIR`: for documents each of whose values lies where one was logged, or is 0."""
        ends = self.ranges * self.weights
        lowest, highest = float(ends.min(axis=0).sum()), float(ends.max(axis=0).sum())
        # Half a unit in the last place for every product and every addition; nothing where all of them go one way.
        lost = (len(self.weights) + 1) * 2.0**-23 * float(np.abs(ends).max(axis=0).sum())
        return lowest - lost if lowest < 0 else 0.0, highest + lost

    def unproved(self) -> list[str]:
        """See `ModelIR`: a value may lie further out than any that was logged."""
        sure = never_negative(self.feature_set)
        weights = dict(zip(self.feature_names, self.weights.tolist(), strict=True))
        risky = {name: weight for name, weight in weights.items() if weight < 0 or (weight and name not in sure)}
        if not risky:
            return []
        named = ", ".join(f"{name!r} ({weight:.3g})" for name, weight in risky.items())
        difference = (
            "Scores are 0 or above for documents whose values lie within those that training logged. Far beyond them "
            f"these features can lead below zero: {named}. Such a document comes after those that were not reranked. "
            "To rule it out, train the linear ranker with non_negative: true on features that are never negative."
        )
        return [difference]

    def refuse_absent(self, keep: set[str], rule: Absent, target: str) -> None:
        """See `ModelIR`: it adds nothing, everywhere."""

    def below_zero(self) -> dict[str, str]:
        """See `ModelIR`: features with a weight that were logged below zero."""
        lowest = dict(zip(self.feature_names, self.ranges[0].tolist(), strict=True))
        return {
            name: f"{name!r} has a weight and was logged as low as {lowest[name]:g}"
            for name in self.feature_names
            if name in self.used_features() and lowest[name] < 0
        }

    def ties(self, rows: NDArray[np.float32], group: NDArray[np.int64], n_wanted: int) -> Rows:  # noqa: ARG002
        """See `ModelIR`: there is no threshold."""
        return rows[:0], group[:0]

    def first_difference(self, row: NDArray[np.float32], parts: Sequence[Part]) -> str:
        """See `ModelIR`: names the feature with the largest difference."""
        added = {term.feature: term for term in parts if isinstance(term, Term)}
        wanted = dict(zip(self.feature_names, _contributions(self.booster, row), strict=True))
        # Plus 0: never "-0.0" in the message.
        found = {name: (added[name].value if name in added else 0.0) + 0.0 for name in wanted}
        name = max(wanted, key=lambda one: abs(found[one] - wanted[one]))
        if found[name] == wanted[name]:
            return ""
        weight = f"weight {added[name].weight!r}" if name in added else "no weight"
        value = float(row[self.feature_names.index(name)])
        return (
            f"Feature {name!r} = {value!r}: the export adds {found[name]!r} ({weight}), the booster {wanted[name]!r}."
        )

    def facts(self) -> dict[str, Any]:
        """See `ModelIR`."""
        return {
            "model": self.kind,
            "n_weights": len(self.used_features()),
            "objective": self.objective,
            "base_score": self.base,
        }


def read_linear(booster: Booster, feature_set: FeatureSet, *, objective: str, sample: bytes) -> LinearIR:
    """Read the weights out of a linear booster.

    Args:
        booster: A trained gblinear booster with one output.
        feature_set: The features it was trained on, in order.
        objective: What it was trained for.
        sample: Content of sample_vectors.json.

    Raises:
        ExportError: It has several outputs, other features, or an intercept, or a weight is not finite.
    """
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    require_one_output(learner)
    require_features(learner, feature_set.names)
    *found, intercept = learner["gradient_booster"]["model"]["weights"]
    base = base_margin(learner, learner["objective"]["name"]) + intercept
    if base != 0:
        raise ExportError(
            f"The linear ranker has an intercept of {base:g}, which engines have no place for.",
            hint="It changes no order: train without one, with base_score 0.",
        )
    weights = np.zeros(len(feature_set.names), np.float32)
    weights[: len(found)] = found
    if not np.isfinite(weights).all():
        raise ExportError("A weight of the ranker is not finite.", hint="Run the training stage again.")
    return LinearIR(booster, feature_set, weights, objective, sample)


def _contributions(booster: Booster, row: NDArray[np.float32]) -> list[float]:
    """Return what each feature adds to a score, by XGBoost itself; an absent one adds nothing."""
    from rankhammer.light_xgboost import xgb

    added = booster.predict(xgb.DMatrix(row[None, :], missing=np.nan), pred_contribs=True, validate_features=False)
    contributions: list[float] = np.asarray(added, np.float64).reshape(-1)[:-1].tolist()
    return [one + 0.0 for one in contributions]
