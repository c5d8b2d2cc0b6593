from __future__ import annotations

import numpy as np
import pytest

from rankhammer.click_models.grading import cuts_by_corpus, grade_cuts
from rankhammer.errors import ConfigError

UNIFORM = np.linspace(0, 1, 1001).tolist()


def test_each_grade_is_half_as_frequent_as_the_one_below():
    cuts = grade_cuts("quantiles", max_grade=3, cuts=[], relevance_quantiles=UNIFORM)
    assert cuts == pytest.approx([1 / 2, 3 / 4, 7 / 8])


def test_quantile_cuts_follow_the_corpus():
    few_clicks = [value / 10 for value in UNIFORM]
    cuts = cuts_by_corpus(
        "quantiles", max_grade=2, cuts=[0.5, 0.9], relevance_quantiles={"many": UNIFORM, "few": few_clicks}
    )
    assert cuts["many"] == pytest.approx([0.5, 0.9])
    assert cuts["few"] == pytest.approx([0.05, 0.09])


def test_a_corpus_without_proven_documents_has_no_grade_above_zero():
    assert grade_cuts("quantiles", max_grade=2, cuts=[], relevance_quantiles=[]) == [float("inf")] * 2


def test_thresholds_are_the_cuts():
    assert grade_cuts("thresholds", max_grade=2, cuts=[0.1, 0.3], relevance_quantiles=UNIFORM) == [0.1, 0.3]


def test_rounding_cuts_in_the_middle():
    cuts = grade_cuts("rounding", max_grade=4, cuts=[], relevance_quantiles=[])
    assert cuts == pytest.approx([0.125, 0.375, 0.625, 0.875])


@pytest.mark.parametrize(
    ("method", "cuts"),
    [
        ("thresholds", []),
        ("thresholds", [0.1]),
        ("rounding", [0.1, 0.2]),
        ("quantiles", [0.9, 0.5]),
        ("quantiles", [0.5, 1.5]),
        ("quantiles", [0.5]),
    ],
)
def test_cuts_that_do_not_fit_are_refused(method, cuts):
    with pytest.raises(ConfigError, match=r"labeling\.grading\.cuts"):
        grade_cuts(method, max_grade=2, cuts=cuts, relevance_quantiles=UNIFORM)
