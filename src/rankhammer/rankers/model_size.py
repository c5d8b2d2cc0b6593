"""How large a model is: what "the simplest" means among models of one ranker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from rankhammer.mixed_model import is_mixed, read_mixed
from rankhammer.neural_model import is_neural, read_model

if TYPE_CHECKING:
    from rankhammer.neural_model import NeuralModel
    from rankhammer.rankers.base import FittedRanker, Ranker

_KINDS = ("trees", "linear", "neural", "mixed")


def size_or_rounds(fitted: FittedRanker, ranker: Ranker) -> int:
    """Return the size of a model, or its rounds where its form is not known.

    Args:
        fitted: With its model.
        ranker: That made it; a `kind` says that the model is of a form of ours.
    """
    return model_size(fitted.model) if getattr(ranker, "kind", "") in _KINDS else int(fitted.n_rounds)


def model_size(model: bytes) -> int:
    """Count the leaves of all trees of a model, or the weights other than 0 of a linear one or of a network.

    Args:
        model: A booster of XGBoost (UBJSON), a network, or both; of another form, XGBoost may end the process.

    Returns:
        The sum of both for trees beside a network.
    """
    if is_mixed(model):
        both = read_mixed(model)
        return model_size(both.trees) + _size_of_network(both.network)
    return _size_of_network(read_model(model)) if is_neural(model) else _size_of_booster(model)


def _size_of_network(network: NeuralModel) -> int:
    return sum(int((part != 0).sum()) for one in network.layers for part in (one.weights, one.bias))


def _size_of_booster(model: bytes) -> int:
    from rankhammer.light_xgboost import xgb

    booster = xgb.Booster(model_file=bytearray(model))
    made_of = json.loads(booster.save_config())["learner"]["gradient_booster"]
    # Splits, or weights, of each feature: to write trees down and count their leaves takes a hundred times as long.
    by_feature = cast("dict[str, float]", booster.get_score(importance_type="weight")).values()
    if made_of["name"] == "gblinear":
        return sum(weight != 0 for weight in by_feature)
    # Each split of a tree makes one more leaf.
    n_trees = int(made_of.get("gbtree", made_of)["gbtree_model_param"]["num_trees"])
    return n_trees + round(sum(by_feature))
