from __future__ import annotations

import numpy as np
import pytest

from rankhammer import plugins
from rankhammer.click_models.base import CountedSerps, log_likelihood
from rankhammer.click_models.weighted_clicks import require_no_measure, require_weights_used, uses_click_weights
from rankhammer.errors import ConfigError
from rankhammer.plugins import PluginSpec


def pages(gain=None):
    """Two documents, each shown ten times and clicked four times; only the second was bought."""
    clicked = np.tile([True, False], 2)
    length, weight = np.ones(4, np.int64), np.array([4.0, 6.0, 4.0, 6.0])
    return CountedSerps(np.array([0, 0, 1, 1]), clicked, length, weight, np.zeros(2, np.int64), gain)


def relevance(name, serps):
    model = plugins.create("click_models", PluginSpec(name=name))
    corpus = model.fit_corpus(serps)
    return model.predict_relevance(model.fit(serps, corpus), corpus).mean


@pytest.mark.parametrize("name", ["dctr", "coec"])
def test_a_bought_document_is_more_relevant_than_one_that_was_clicked_as_often(name):
    looked, bought = relevance(name, pages(np.array([0.2, 0, 1.0, 0])))
    assert looked < bought
    assert relevance(name, pages())[0] == pytest.approx(relevance(name, pages())[1])
    assert relevance(name, pages()) == pytest.approx(relevance(name, pages(np.array([1.0, 0, 1.0, 0]))))


def test_a_click_that_is_worth_a_fifth_is_a_fifth_of_one():
    likely = np.full(4, 0.5)
    likely[0] = 0.25
    serps = pages(np.array([0.2, 0, 1.0, 0]))
    expected = 4 * (0.2 * np.log(0.25) + 0.8 * np.log(0.75)) + 16 * np.log(0.5)
    assert log_likelihood(serps, likely) == pytest.approx(expected / 20)


def test_models_of_examination_refuse_what_they_would_take_for_equal_clicks():
    using = {name for name in plugins.names("click_models") if uses_click_weights(plugins.load("click_models", name))}
    assert using == {"dctr", "coec"}
    with pytest.raises(ConfigError, match="'dbn' would take them for equal"):
        require_weights_used(plugins.load("click_models", "dbn"), "dbn")
    with pytest.raises(ConfigError, match="held_out"):
        require_no_measure()
