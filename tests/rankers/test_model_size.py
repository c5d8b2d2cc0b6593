"""How large models are: leaves of trees, weights of others."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from rankhammer.light_xgboost import xgb
from rankhammer.mixed_model import MixedModel
from rankhammer.neural_model import Input, Layer, NeuralModel
from rankhammer.rankers.base import FittedRanker
from rankhammer.rankers.booster_trees import Node
from rankhammer.rankers.booster_trees import write_booster as write_trees
from rankhammer.rankers.linear import write_booster as write_weights
from rankhammer.rankers.model_size import model_size, size_or_rounds


def _leaf(value: float) -> Node:
    return Node(cover=1.0, value=value)


def _split(left: Node, right: Node) -> Node:
    return Node(cover=2.0, feature=0, at_most=0.5, is_absent_left=True, gain=1.0, children=(left, right))


TREES = write_trees([_split(_leaf(0.1), _split(_leaf(0.2), _leaf(0.3))), _split(_leaf(0.1), _leaf(0.2))], ("a", "b"))
NETWORK = NeuralModel(
    ("a", "b"),
    (Input("a", False, 0.0, 1.0),),
    (
        Layer(np.array([[1.0], [0.0]], np.float32), np.array([0.0, 2.0], np.float32)),
        Layer(np.array([[3.0, 0.0]], np.float32), np.array([0.0], np.float32)),
    ),
)


def test_trees_are_as_large_as_their_leaves():
    assert model_size(TREES) == 3 + 2


def test_leaves_are_those_that_a_dump_shows():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 3))
    rows = xgb.DMatrix(features, (features[:, 0] > 0) + rng.normal(size=200))
    for booster, gamma in [("gbtree", 0.0), ("gbtree", 2.0), ("gbtree", 1e6), ("dart", 0.0)]:
        trained = xgb.train({"booster": booster, "gamma": gamma}, rows, 5)
        leaves = sum(tree.count('"leaf":') for tree in trained.get_dump(dump_format="json"))
        assert model_size(bytes(trained.save_raw("ubj"))) == leaves


def test_weights_are_counted_where_they_are_not_0():
    assert model_size(write_weights(np.array([0.5, 0.0, -1.0], np.float32), ("a", "b", "c"), np.ones(3))) == 2
    assert model_size(write_weights(np.zeros(2, np.float32), ("a", "b"), np.ones(2))) == 0
    assert model_size(NETWORK.to_bytes()) == 1 + 1 + 1


def test_both_are_added_up_where_a_model_has_both():
    assert model_size(MixedModel(TREES, NETWORK).to_bytes()) == 5 + 3


def test_a_model_of_another_form_counts_by_its_rounds():
    assert size_or_rounds(FittedRanker(b"of a plugin", 7), SimpleNamespace()) == 7
    assert size_or_rounds(FittedRanker(TREES, 7), SimpleNamespace(kind="trees")) == 5
