"""Rules of reading a booster into trees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost as xgb

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.tree_scoring import leaf_places, sum_leaves
from rankhammer.exporters.ir.trees import load_booster, read_forest

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: dict[str, dict[str, Any]] = {
    "rank:ndcg": {},
    "rank:pairwise": {"base_score": 1.25},
    "reg:squarederror": {"base_score": 0.6},
    "reg:absoluteerror": {"n_trees": 3},
    "binary:logistic": {},
    "binary:logitraw": {"base_score": 0.3},
    "count:poisson": {},
    "reg:tweedie": {},
}


@pytest.mark.parametrize("objective", KINDS)
@pytest.mark.parametrize("keep", [(), ("title_match", "mixed")])
def test_a_forest_scores_as_its_booster_to_1e_6(
    make_ranker: Callable[..., Any], objective: str, keep: tuple[str, ...]
) -> None:
    trained = make_ranker(objective, keep=keep, **KINDS[objective])
    forest = trained.ranker.forest

    scores = sum_leaves(forest, leaf_places(forest, trained.features))

    np.testing.assert_allclose(scores, trained.margins, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        {"booster": "dart", "rate_drop": 0.5, "n_trees": 20},
        {"tree_method": "exact", "gamma": 3.0},
        {"max_depth": 12, "n_trees": 3},
        {"num_parallel_tree": 3},
        {"max_depth": 0, "max_leaves": 5},
        {"gamma": 1e6},
    ],
    ids=["dart", "pruned", "deep", "forest", "by leaves", "single leaves"],
)
def test_unusual_trees_score_as_their_booster(make_ranker: Callable[..., Any], params: dict[str, Any]) -> None:
    trained = make_ranker("reg:squarederror", **params)
    forest = trained.ranker.forest

    scores = sum_leaves(forest, leaf_places(forest, trained.features))

    np.testing.assert_allclose(scores, trained.margins, rtol=0, atol=2e-6)


def test_dropped_trees_count_with_their_weight(make_ranker: Callable[..., Any]) -> None:
    trained = make_ranker(booster="dart", rate_drop=0.5, n_trees=20)
    raw = json.loads(bytes(trained.ranker.booster.save_raw("json")))["learner"]["gradient_booster"]
    tree = next(place for place, weight in enumerate(raw["weight_drop"]) if weight != 1.0)
    forest = trained.ranker.forest
    leaf = next(place for place in forest.leaves if forest.tree_and_node(place)[0] == tree)
    node = forest.tree_and_node(leaf)[1]

    unweighted = raw["gbtree"]["model"]["trees"][tree]["split_conditions"][node]

    assert forest.value[leaf] == pytest.approx(unweighted * raw["weight_drop"][tree], rel=1e-6)


def test_nodes_that_pruning_cut_off_are_no_part_of_the_forest(make_ranker: Callable[..., Any]) -> None:
    forest = make_ranker("reg:squarederror", tree_method="exact", gamma=3.0).ranker.forest

    assert len(forest.splits) + len(forest.leaves) < len(forest.feature)
    assert len(forest.leaves) == len(forest.splits) + forest.n_trees


def test_a_base_score_of_one_half_is_a_logit_of_zero(make_ranker: Callable[..., Any]) -> None:
    assert make_ranker("binary:logistic", base_score=0.5).ranker.forest.base == 0.0


def _refusal(booster: xgb.Booster, names: tuple[str, ...]) -> ExportError:
    with pytest.raises(ExportError) as caught:
        read_forest(load_booster(bytes(booster.save_raw("ubj"))), names)
    return caught.value


def test_a_categorical_feature_is_refused_by_name() -> None:
    rows = np.array([[0, 1.0], [1, 2.0], [2, 3.0], [0, 4.0]])
    data = xgb.DMatrix(
        rows, [0, 1, 2, 3], feature_names=["kind", "size"], feature_types=["c", "float"], enable_categorical=True
    )

    assert "'kind' is categorical" in _refusal(xgb.train({"max_depth": 2}, data, 1), ("kind", "size")).message


@pytest.mark.parametrize(
    ("params", "label"),
    [
        ({"objective": "reg:squarederror"}, [[0, 1], [1, 2], [2, 0]]),
        ({"objective": "multi:softprob", "num_class": 3}, [0, 1, 2]),
    ],
    ids=["targets", "classes"],
)
def test_several_outputs_are_refused(params: dict[str, Any], label: Any) -> None:
    booster = xgb.train(params, xgb.DMatrix(np.eye(3), label), 1)

    assert "outputs" in _refusal(booster, ("a", "b", "c")).message


@pytest.mark.filterwarnings("ignore:.*gblinear")
def test_a_linear_booster_is_refused() -> None:
    booster = xgb.train({"booster": "gblinear"}, xgb.DMatrix(np.eye(3), [0, 1, 2]), 1)

    assert "gblinear" in _refusal(booster, ("a", "b", "c")).message


def test_an_objective_whose_base_score_is_unknown_is_refused() -> None:
    booster = xgb.train({"objective": "binary:hinge"}, xgb.DMatrix(np.eye(3), [0, 1, 1]), 1)

    assert "binary:hinge" in _refusal(booster, ("a", "b", "c")).message


def test_other_features_than_the_feature_sets_are_refused(trained: Any) -> None:
    assert "was trained on" in _refusal(trained.ranker.booster, ("a", "b", "c", "d", "e")).message


def test_fewer_features_than_the_boosters_are_refused() -> None:
    booster = xgb.train({}, xgb.DMatrix(np.eye(3), [0, 1, 2]), 1)

    assert "3 features, the set 2" in _refusal(booster, ("a", "b")).message


def test_bytes_that_are_no_model_are_an_export_error() -> None:
    with pytest.raises(ExportError, match="cannot be opened"):
        load_booster(b"no model")
