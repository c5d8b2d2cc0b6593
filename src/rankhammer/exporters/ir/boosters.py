"""What XGBoost's own JSON says of a booster, whatever it is made of: kind, outputs, features, base score."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ExportError

if TYPE_CHECKING:
    from xgboost import Booster

_IDENTITY = (
    "rank:ndcg",
    "rank:map",
    "rank:pairwise",
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "binary:logitraw",
)
_LOGIT = ("binary:logistic", "reg:logistic")
_LOG = ("count:poisson", "reg:gamma", "reg:tweedie")


def booster_kind(booster: Booster) -> str:
    """Return XGBoost's name of what a booster is made of: gbtree, dart or gblinear."""
    return str(json.loads(booster.save_config())["learner"]["gradient_booster"]["name"])


def require_one_output(learner: dict[str, Any]) -> None:
    """Check that a booster gives one score.

    Args:
        learner: Of XGBoost's JSON.

    Raises:
        ExportError: It has several outputs.
    """
    shape = learner["learner_model_param"]
    outputs = max(int(shape.get("num_class", 0)), int(shape.get("num_target", 1)))
    if outputs > 1:
        raise ExportError(
            f"The ranker has {outputs} outputs; an engine's ranker has one score.",
            hint="Train with one target and an objective such as rank:ndcg.",
            outputs=outputs,
        )


def require_features(learner: dict[str, Any], expected: tuple[str, ...]) -> None:
    """Check that a booster was trained on a feature set.

    Args:
        learner: Of XGBoost's JSON.
        expected: The feature set's names, in training order.

    Raises:
        ExportError: It has other features, or one that is no number.
    """
    names, types = tuple(learner.get("feature_names", [])), learner.get("feature_types", [])
    if "c" in types:
        name = names[types.index("c")] if names else f"number {types.index('c')}"
        raise ExportError(
            f"Feature {name!r} is categorical; engines compare numbers with thresholds only.",
            hint="Declare it as a number and train again.",
            feature=name,
        )
    if names and names != expected:
        raise ExportError(
            f"The booster was trained on features {list(names)}, the feature set says {list(expected)}.",
            hint="Run the training stage again with this feature set.",
        )
    if int(learner["learner_model_param"]["num_feature"]) > len(expected):
        raise ExportError(
            f"The booster has {learner['learner_model_param']['num_feature']} features, the set {len(expected)}.",
            hint="Run the training stage again with this feature set.",
        )


def base_margin(learner: dict[str, Any], objective: str) -> float:
    """Read base_score, a number or since XGBoost 3.1 a list in a string ("[5E-1]"), as a float32 margin.

    Args:
        learner: Of XGBoost's JSON.
        objective: Its name.

    Raises:
        ExportError: How this objective turns it into a margin is not known.
    """
    score = float(learner["learner_model_param"]["base_score"].strip("[]"))
    if objective in _IDENTITY:
        return float(np.float32(score))
    if objective in _LOGIT:
        return float(np.float32(math.log(score / (1.0 - score))))
    if objective in _LOG:
        return float(np.float32(math.log(score)))
    raise ExportError(
        f"How objective {objective!r} turns base_score into a margin is not known here.",
        hint=f"Train with one of: {', '.join(_IDENTITY + _LOGIT + _LOG)}.",
        objective=objective,
    )
