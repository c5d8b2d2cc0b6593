"""Rules of the gate that compares an export with its booster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rankhammer.errors import ExportError
from rankhammer.exporters.parity import check_logged_scores, check_parity, order_kept
from rankhammer.exporters.parity_samples import parity_vectors
from rankhammer.exporters.targets.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions
from rankhammer.exporters.targets.plain_json import PlainJson, PlainJsonOptions
from rankhammer.exporters.threshold_samples import Vectors, read_sample

if TYPE_CHECKING:
    from collections.abc import Callable

OPENSEARCH = OpenSearchLtr(OpenSearchLtrOptions())
NEUTRAL = PlainJson(PlainJsonOptions())


@pytest.fixture(scope="module")
def vectors(trained: Any) -> Vectors:
    sample, _ = read_sample(trained.folder()["sample_vectors.json"], trained.ranker.feature_set)
    return parity_vectors(sample, trained.ranker, n_vectors=50, n_ties=1000)


def check(exporter: Any, files: dict[str, bytes], trained: Any, vectors: Vectors) -> dict[str, Any]:
    return check_parity(exporter, files, trained.ranker, vectors, tolerance=1e-5)


def with_trees(files: dict[str, bytes], change: Callable[[list[dict[str, Any]]], None]) -> dict[str, bytes]:
    """Return OpenSearch files whose trees were changed after writing."""
    body = json.loads(files["model.json"])
    trees = json.loads(body["model"]["model"]["definition"])
    change(trees)
    body["model"]["model"]["definition"] = json.dumps(trees)
    return {**files, "model.json": json.dumps(body).encode()}


@pytest.mark.parametrize("exporter", [OPENSEARCH, NEUTRAL], ids=["opensearch_ltr", "json"])
def test_a_sound_export_passes_with_its_figures(exporter: Any, trained: Any, vectors: Vectors) -> None:
    facts = check(exporter, exporter.write(trained.ranker), trained, vectors)

    n_splits = len(trained.ranker.forest.splits)
    assert facts["n_vectors"] == {
        "logged": 50,
        "absent": 4 * (5 + 1),
        "tie": 2 * n_splits,
        "all": 50 + 24 + 2 * n_splits,
    }
    assert facts["max_abs_difference"] == 0.0
    assert facts["equal_share"] == facts["order_kept"] == 1.0
    assert facts["n_traced"] == 10
    assert facts["passed"] is True


@pytest.mark.parametrize("shift", [1e-3, -1e-3], ids=["up", "down"])
@pytest.mark.parametrize("tree", [0, 3, 7])
def test_a_wrong_threshold_is_caught_and_named(trained: Any, vectors: Vectors, tree: int, shift: float) -> None:
    node, feature = {}, ""

    def change(trees: list[dict[str, Any]]) -> None:
        # One level below the root; the first tree is the base score.
        node.update(trees[tree + 1]["children"][0])
        trees[tree + 1]["children"][0]["split_condition"] += shift

    files = with_trees(OPENSEARCH.write(trained.ranker), change)
    feature = node["split"]

    with pytest.raises(ExportError, match=rf"Tree {tree}, node {node['nodeid']}, feature '{feature}'"):
        check(OPENSEARCH, files, trained, vectors)


def test_a_wrong_leaf_is_caught_and_named(trained: Any, vectors: Vectors) -> None:
    def change(trees: list[dict[str, Any]]) -> None:
        node = trees[2]
        while "leaf" not in node:
            node = node["children"][0]
        node["leaf"] += 0.01

    with pytest.raises(ExportError, match=r"Tree 1, leaf node \d+: the export adds"):
        check(OPENSEARCH, with_trees(OPENSEARCH.write(trained.ranker), change), trained, vectors)


def test_a_lost_tree_is_caught(trained: Any, vectors: Vectors) -> None:
    files = with_trees(OPENSEARCH.write(trained.ranker), lambda trees: trees.pop(3))

    with pytest.raises(ExportError, match="The booster has 8 trees, the export 7"):
        check(OPENSEARCH, files, trained, vectors)


def test_a_lost_base_score_is_caught(make_ranker: Callable[..., Any]) -> None:
    trained = make_ranker("reg:squarederror", base_score=0.5)
    sample, _ = read_sample(trained.folder()["sample_vectors.json"], trained.ranker.feature_set)

    def change(trees: list[dict[str, Any]]) -> None:
        trees[0]["leaf"] = 0.0

    with pytest.raises(ExportError, match="the export scores"):
        check(OPENSEARCH, with_trees(OPENSEARCH.write(trained.ranker), change), trained, sample)


def test_a_writer_whose_ties_go_left_is_caught(trained: Any, vectors: Vectors) -> None:
    class TiesLeft(OpenSearchLtr):
        def score(self, files: Any, features: Any, feature_names: Any) -> Any:
            return super().score(files, np.nextafter(features, np.float32(-np.inf)), feature_names)

    exporter = TiesLeft(OpenSearchLtrOptions())

    with pytest.raises(ExportError, match="tolerance 1e-05"):
        check(exporter, exporter.write(trained.ranker), trained, vectors)


def test_a_second_walk_that_disagrees_is_caught(trained: Any, vectors: Vectors) -> None:
    class OtherWalk(OpenSearchLtr):
        def trace(self, files: Any, features: Any, feature_names: Any) -> Any:
            return super().trace(files, features + 1, feature_names)

    exporter = OtherWalk(OpenSearchLtrOptions())

    with pytest.raises(ExportError, match="walked step by step"):
        check(exporter, exporter.write(trained.ranker), trained, vectors)


def test_an_exporter_without_a_trace_fails_without_a_node(trained: Any, vectors: Vectors) -> None:
    class Blind:
        target = "blind"

        def score(self, files: Any, features: Any, feature_names: Any) -> Any:
            return np.full(len(features), np.nan)

    with pytest.raises(ExportError, match="has no trace"):
        check(Blind(), {}, trained, vectors)


def test_logged_scores_must_be_the_models(trained: Any) -> None:
    sample, logged = read_sample(trained.folder()["sample_vectors.json"], trained.ranker.feature_set)
    check_logged_scores(trained.ranker, sample, logged, 1e-5)

    with pytest.raises(ExportError, match="differently from training"):
        check_logged_scores(trained.ranker, sample, logged + np.float32(0.01), 1e-5)


@pytest.mark.parametrize(
    ("scores", "group", "kept"),
    [
        ([9.0, 7.0, 5.0], [0, 0, 0], 2 / 2),
        ([9.0, 5.0, 7.0], [0, 0, 0], 1 / 2),
        ([9.0, 9.0, 7.0], [0, 0, 0], 1 / 2),
        ([1.0, 7.0, 5.0], [0, 1, 1], 1 / 1),
        ([1.0, 2.0, 3.0], [0, 1, 2], 1.0),
    ],
)
def test_order_kept_is_the_share_of_neighbours_within_a_query(
    scores: list[float], group: list[int], kept: float
) -> None:
    assert order_kept(np.array([3.0, 2.0, 1.0]), np.array(scores), np.array(group)) == kept
