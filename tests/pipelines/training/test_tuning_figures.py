"""The plots of a search."""

from __future__ import annotations

from typing import Any

import pytest

from rankhammer import plot_style
from rankhammer.pipelines.training.tuning_figures import (
    NO_ROUNDS,
    history_of_trials,
    metric_by_round,
    parallel_parameters,
)
from rankhammer.training.curves import Curve
from rankhammer.training.search import Standing, Trial


def _trial(number: int, ndcg: float | None, corpus: str = "de", **changes: Any) -> Trial:
    params = changes.pop("params", {"depth": number, "rate": 0.01 * 10**number})
    loss = None if ndcg is None else -ndcg
    return Trial(corpus, number, params, loss, **{"ranker": "xgboost", "error": "x" if ndcg is None else "", **changes})


def test_the_history_has_a_point_for_each_trial_and_the_best_so_far_as_a_line():
    trials = [
        _trial(0, 0.5),
        _trial(1, 0.4),
        _trial(2, None),
        _trial(3, 0.9, is_pruned=True),
        _trial(4, 0.7),
        _trial(0, 0.6, "fr"),
    ]
    figure = history_of_trials(trials, metric="ndcg@10")
    points, line, french, _ = figure.data
    assert (points.name, points.x, points.y) == ("de", (0, 1, 3, 4), (0.5, 0.4, 0.9, 0.7))
    assert points.marker.symbol == ("circle", "circle", "circle-open", "circle")
    # A trial that was given up is no best one, whatever its estimate.
    assert (line.x, line.y, line.showlegend) == ((0, 1, 4), (0.5, 0.5, 0.7), False)
    colours = plot_style.corpus_colours(["de", "fr"])
    assert (points.marker.color, line.line.color, french.marker.color) == (colours["de"], colours["de"], colours["fr"])
    assert figure.layout.xaxis.title.text.startswith("number of the trial")


def test_candidates_of_a_corpus_share_its_line_in_the_order_of_trials():
    trials = [_trial(0, 0.6, ranker="linear"), _trial(0, 0.5), _trial(1, 0.7)]
    _, line = history_of_trials(trials, metric="ndcg@10").data
    assert (line.x, line.y) == ((0, 0, 1), (0.6, 0.6, 0.7))


def test_parallel_coordinates_go_through_the_parameters_of_the_ranker_that_was_searched_most():
    trials = [_trial(number, 0.5 + 0.1 * number) for number in range(3)]
    others = [_trial(0, 0.9, ranker="linear", params={"reg_lambda": 1.0}), _trial(3, None), _trial(0, 0.4, "fr")]
    (drawn,) = parallel_parameters([*trials, *others], metric="ndcg@10").data
    corpus, depth, rate, reached = drawn.dimensions
    assert (corpus.ticktext, corpus["values"]) == (("de", "fr"), (0, 0, 0, 1))
    assert (depth.label, depth["values"]) == ("depth", (0, 1, 2, 0))
    assert rate.label == "rate, log"
    assert rate["values"] == pytest.approx((-2, -1, 0, -2))
    assert dict(zip(rate.ticktext, rate.tickvals, strict=True))["0.1"] == pytest.approx(-1)
    assert reached["values"] == pytest.approx((0.5, 0.6, 0.7, 0.4))
    colours = plot_style.corpus_colours(["de", "fr"])
    assert [colour for _, colour in drawn.line.colorscale] == [colours["de"]] * 2 + [colours["fr"]] * 2
    assert drawn.line.color == (0.5, 0.5, 0.5, 1.5)


def test_values_that_are_no_numbers_are_categories():
    trials = [_trial(0, 0.5, params={"kind": "b", "flag": True}), _trial(1, 0.6, params={"kind": "a", "flag": False})]
    (drawn,) = parallel_parameters(trials, metric="ndcg@10").data
    _, flag, kind, _ = drawn.dimensions
    assert (kind.ticktext, kind["values"]) == (("a", "b"), (1, 0))
    assert (flag.ticktext, flag["values"]) == (("False", "True"), (1, 0))


def test_without_parameters_the_plot_says_so():
    figure = parallel_parameters([_trial(0, 0.5, params={})], metric="ndcg@10")
    assert not figure.data
    assert figure.layout.title.text == "No parameters were searched"


RISING, FALLING = Curve((1, 2, 4), (0.4, 0.6, 0.8)), Curve((1, 2), (0.6, 0.5))


def test_the_metric_by_round_is_a_mean_with_a_band_and_a_fold_that_has_stopped_counts_with_its_best():
    trials = [
        _trial(0, 0.9, curves=(Curve(), Curve())),
        _trial(1, 0.7, curves=(RISING, FALLING), n_rounds=3),
        _trial(2, 0.6, curves=(RISING, RISING), n_rounds=4),
        _trial(3, 0.8, curves=(RISING,), n_rounds=4, is_pruned=True),
    ]
    band, line, mark = metric_by_round(trials, metric="ndcg@10").data
    assert (line.name, line.x) == ("de: trial 1 of xgboost", (1, 2, 4))
    assert line.y == pytest.approx(((0.4 + 0.6) / 2, (0.6 + 0.5) / 2, (0.8 + 0.6) / 2))
    assert band.x == (1, 2, 4, 4, 2, 1)
    assert band.y == pytest.approx((0.6, 0.6, 0.8, 0.6, 0.5, 0.4))
    assert (mark.x, mark.y) == ((3,), pytest.approx(((0.55 + 0.7) / 2,)))


def test_the_chosen_trial_is_drawn_before_a_better_one_and_without_any_the_plot_says_why():
    chosen = _trial(1, 0.6, curves=(RISING,), standing=Standing("xgboost", 0.6, 0.0, 0.0, chosen=True))
    figure = metric_by_round([_trial(0, 0.9, curves=(RISING,)), chosen], metric="ndcg@10")
    assert figure.data[1].name == "de: trial 1 of xgboost"
    empty = metric_by_round([_trial(0, 0.9)], metric="ndcg@10")
    assert (len(empty.data), empty.layout.title.text) == (0, NO_ROUNDS)
