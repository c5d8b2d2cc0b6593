from __future__ import annotations

from math import log

import numpy as np
import pytest

from rankhammer import plugins
from rankhammer.click_models import choose_model, measure
from rankhammer.errors import DataError
from rankhammer.plugins import PluginSpec


def test_perplexity_is_two_to_the_mean_surprise(pages):
    serps = pages([([0, 1], "10"), ([0, 1], "00"), ([0], "1")])
    conditional = np.array([0.5, 0.25, 0.5, 0.5, 0.8])
    marginal = np.full(5, 0.5)
    found = measure(serps, conditional, marginal)
    at_1 = (0.5 * (1 - 0.5) * 0.8) ** (-1 / 3)
    at_2 = ((1 - 0.25) * (1 - 0.5)) ** (-1 / 2)
    assert found["positions"]["conditional_perplexity"] == pytest.approx([at_1, at_2])
    assert found["conditional_perplexity"] == pytest.approx((3 * at_1 + 2 * at_2) / 5)
    assert found["perplexity"] == pytest.approx(2)
    assert found["log_likelihood"] == pytest.approx((log(0.5 * 0.5 * 0.8) + log(0.75 * 0.5)) / 5)


def test_click_through_is_seen_and_predicted_by_position(pages):
    found = measure(pages([([0, 1], "10"), ([0], "0")]), np.full(3, 0.5), np.array([0.2, 0.3, 0.4]))
    assert found["positions"]["n"] == [2, 1]
    assert found["positions"]["click_through"] == [0.5, 0]
    assert found["positions"]["predicted_click_through"] == pytest.approx([0.3, 0.3])


def figures(perplexity, *dcg):
    """One corpus' figures of a model, with discounted clicks of some query clusters."""
    scores = {"total": list(dcg), "n": [1.0] * len(dcg)}
    return {"conditional_perplexity": perplexity, "positions": {"n": [10, 10]}, "label_scores": scores}


def models(*names):
    return {name: plugins.create("click_models", PluginSpec(name=name)) for name in names}


MEASURED = {
    "main": {"dbn": figures(1.4, 1, 2, 3), "pbm": figures(1.3, 2, 3, 4), "ubm": figures(1.2, 2, 1, 4)},
}


def test_a_model_is_not_chosen_unless_its_labels_are_surely_better_however_well_it_predicts():
    found = choose_model(MEASURED, models("dbn", "pbm", "ubm"), "labels")
    assert (found.default, found.chosen) == ("dbn", "pbm")
    assert found.label_gains["pbm"].mean == pytest.approx(1)
    assert found.label_gains["ubm"].mean == pytest.approx(1 / 3)
    assert found.label_gains["ubm"].standard_error > 1 / 3


def test_the_prediction_alone_can_choose():
    found = choose_model(MEASURED, models("dbn", "pbm", "ubm"), "clicks")
    assert (found.chosen, found.label_gains) == ("ubm", {})


def test_the_first_model_stays_where_no_labels_are_better():
    found = choose_model(MEASURED, models("pbm", "ubm", "dbn"), "labels")
    assert (found.default, found.chosen) == ("pbm", "pbm")


def test_better_labels_are_not_enough_without_a_better_prediction():
    measured = {"main": {"dbn": figures(1.2, 1, 2), "pbm": figures(1.3, 2, 3)}}
    assert choose_model(measured, models("dbn", "pbm"), "labels").chosen == "dbn"


def test_corpora_are_counted_together():
    measured = {
        "main": {"dbn": figures(1.2, 1, 1), "pbm": figures(1.1, 2, 2)},
        "shop": {"dbn": figures(1.2, 4, 1), "pbm": figures(1.1, 1, 1)},
        "tiny": {"dbn": {}, "pbm": {}},
    }
    found = choose_model(measured, models("dbn", "pbm"), "labels")
    assert found.label_gains["pbm"].mean == pytest.approx((2 - 3) / 4)
    assert found.chosen == "dbn"


@pytest.mark.parametrize(("measured", "names"), [({"main": {"dbn": {}}}, ["dbn"]), (MEASURED, ["gctr"])])
def test_nothing_measured_is_nothing_to_choose_from(measured, names):
    with pytest.raises(DataError, match="No click model could be measured"):
        choose_model(measured, models(*names), "labels")
