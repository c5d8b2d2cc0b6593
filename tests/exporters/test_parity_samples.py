"""Rules of the vectors that the gate compares."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.tree_scoring import leaf_places
from rankhammer.exporters.parity_samples import parity_vectors
from rankhammer.exporters.threshold_samples import read_sample

if TYPE_CHECKING:
    from collections.abc import Callable


def ancestors(forest: Any, place: int) -> list[int]:
    path = [place]
    while forest.parent[path[-1]] >= 0:
        path.append(int(forest.parent[path[-1]]))
    return path


@pytest.mark.parametrize("keep", [(), ("mixed",)])
def test_ties_reach_every_split_and_part_there(make_ranker: Callable[..., Any], keep: tuple[str, ...]) -> None:
    trained = make_ranker(keep=keep)
    forest = trained.ranker.forest
    sample, _ = read_sample(trained.folder()["sample_vectors.json"], trained.ranker.feature_set)

    vectors = parity_vectors(sample, trained.ranker, n_vectors=5, n_ties=10_000)

    ties = vectors.features[-vectors.counts["tie"] :]
    leaves = leaf_places(forest, ties)
    for number, split in enumerate(forest.splits.tolist()):
        tree = forest.tree_and_node(split)[0]
        on, below = leaves[tree, 2 * number], leaves[tree, 2 * number + 1]
        assert ties[2 * number, forest.feature[split]] == forest.threshold[split]
        assert forest.right[split] in ancestors(forest, int(on))
        assert forest.left[split] in ancestors(forest, int(below))


def test_each_feature_and_all_of_them_are_absent_in_some_vector(make_ranker: Callable[..., Any]) -> None:
    trained = make_ranker(keep=("popularity",))
    sample, _ = read_sample(trained.folder()["sample_vectors.json"], trained.ranker.feature_set)

    vectors = parity_vectors(sample, trained.ranker, n_vectors=5, n_ties=0)

    absent = vectors.features[5:]
    assert vectors.counts == {"logged": 5, "absent": 24, "tie": 0}
    assert np.isnan(absent[8:12, 2]).all()
    assert (absent[:4, 0] == 0).all()
    np.testing.assert_array_equal(absent[-1], np.array([0, 0, np.nan, 0, 0], np.float32))


def test_few_vectors_are_spread_evenly(trained: Any) -> None:
    sample, _ = read_sample(trained.folder()["sample_vectors.json"], trained.ranker.feature_set)

    vectors = parity_vectors(sample, trained.ranker, n_vectors=4, n_ties=0)

    np.testing.assert_array_equal(vectors.features[:4], trained.features[[0, 100, 200, 300]])


@pytest.mark.parametrize(
    "change",
    [{"feature_names": ["a", "b", "c", "d", "e"]}, {"features": [[1.0, 2.0]]}, {"features": [1.0, 2.0]}],
    ids=["names", "width", "no rows"],
)
def test_vectors_of_another_shape_are_refused(trained: Any, change: dict[str, Any]) -> None:
    sample = json.loads(trained.folder()["sample_vectors.json"]) | change

    with pytest.raises(ExportError, match="sample vectors have features"):
        read_sample(json.dumps(sample).encode(), trained.ranker.feature_set)


@pytest.mark.parametrize("sample", [{}, {"feature_names": ["title_match"], "features": []}])
def test_no_vectors_are_refused(trained: Any, sample: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match="no sample vectors"):
        read_sample(json.dumps(sample).encode(), trained.ranker.feature_set)


def test_an_absent_value_of_a_feature_that_is_never_absent_is_refused(trained: Any) -> None:
    sample = json.loads(trained.folder()["sample_vectors.json"])
    sample["features"][3][2] = None

    with pytest.raises(ExportError, match="'popularity' is absent"):
        read_sample(json.dumps(sample).encode(), trained.ranker.feature_set)
