from __future__ import annotations

from dataclasses import replace
from math import log2, sqrt

import numpy as np
import pytest

from rankhammer import plugins
from rankhammer.click_models.evaluation import label_splits
from rankhammer.click_models.label_scores import (
    MIN_EXAMINATION,
    N_GROUPS,
    SURE,
    discounted_clicks,
    examination,
    label_gain,
    score_labels,
)
from rankhammer.plugins import PluginSpec

SEEN = np.ones(2, bool)
EXAMINED = np.array([1.0, 0.5])


def scores(*groups):
    total, n = zip(*groups, *[(0.0, 0.0)] * (N_GROUPS - len(groups)), strict=True)
    return {"total": list(total), "n": list(n)}


def dcg(serps, order, seen=SEEN):
    total, n = discounted_clicks(serps, np.array(order), seen, EXAMINED)
    return total.tolist(), n.tolist()


def test_a_click_counts_by_the_inverse_of_how_often_its_position_is_examined(pages):
    serps = pages([([0, 1], "01"), ([0, 1], "10")])
    first, second = 1 / (1 + 1), 1 / (0.5 + 0.5)
    assert dcg(serps, [1, 0]) == ([pytest.approx(second / log2(2) + first / log2(3))], [1])
    assert dcg(serps, [0, 1]) == ([pytest.approx(first / log2(2) + second / log2(3))], [1])


def test_a_document_without_a_label_from_clicks_takes_no_place(pages):
    serps = pages([([0, 1], "01")])
    assert dcg(serps, [0, 1], np.array([False, True])) == ([pytest.approx(1 / 0.5)], [1])
    assert dcg(serps, [0, 1], np.array([True, False])) == ([0], [0])


def test_a_query_cluster_without_a_held_out_click_does_not_count(pages):
    serps = pages([([0], "1"), ([1], "0")], clusters=[0, 1])
    assert dcg(serps, [0, 1]) == ([1, 0], [1, 0])


def test_the_gain_is_a_mean_over_query_clusters_with_its_standard_error():
    better, default = [scores((3.0, 2), (1.0, 1), (2.0, 1))], [scores((1.0, 2), (1.0, 1), (1.0, 1))]
    found = label_gain(better, default)
    assert found.mean == pytest.approx((2 + 0 + 1) / 4)
    left = np.array([2 - 2 * 0.75, 0 - 0.75, 1 - 0.75])
    assert found.standard_error == pytest.approx(sqrt((left**2).sum() * 3 / 2) / 4)
    assert found.is_sure == (found.mean > SURE * found.standard_error)


def test_one_query_cluster_proves_no_gain():
    found = label_gain([scores((3.0, 1))], [scores((1.0, 1))])
    assert not found.is_sure


def test_positions_are_examined_seldom_but_never_never(random_pages):
    serps = random_pages(200, 4, 6, [6], seed=1)
    assert (examination(serps) >= MIN_EXAMINATION).all()


def test_labels_made_from_clicks_score_better_than_none(random_pages):
    serps, pbm = random_pages(3000, 20, 6, [4], seed=2), plugins.create("click_models", PluginSpec(name="pbm"))
    rng = np.random.default_rng(3)
    shared = replace(pbm.fit_corpus(serps), parameters={"examination": [0.9, 0.5, 0.2, 0.1]})
    attractive = {"attractiveness": rng.beta(1, 2, serps.n_pairs)}
    clicked = pbm.sample(serps, attractive, shared, rng.random(len(serps.pair)))
    found = {
        name: score_labels(
            plugins.create("click_models", PluginSpec(name=name)),
            label_splits(replace(serps, clicked=clicked), test_share=0.25, random_state=7),
            random_state=7,
        )
        for name in ("pbm", "gctr")
    }
    assert found["pbm"]["n"] == found["gctr"]["n"]
    gain = label_gain([found["pbm"]], [found["gctr"]])
    assert gain.mean > 5 * gain.standard_error
