"""The plots of a search."""

from __future__ import annotations

from typing import Any

import pytest

from rankhammer import plot_style
from rankhammer.pipelines.training.tuning_figures import history_of_trials, parallel_parameters
from rankhammer.training.search import Trial


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
