"""The choice among rankers, by their values over the same validation queries."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer.training.choice import N_GROUPS, choose, group_sums, lead_of, reason
from rankhammer.training.search import Trial

VALUES = np.random.default_rng(0).random(40)


def _trial(ranker: str, values) -> Trial:
    return Trial("a", 0, {}, -float(np.nanmean(values)), 1, ranker=ranker, groups=group_sums(values))


def _chosen(trials, standard_errors=1.0) -> str:
    return next(found.ranker for found in choose(trials, standard_errors) if found.chosen)


def test_a_simpler_ranker_within_the_margin_is_chosen_and_one_that_is_surely_behind_is_not():
    rng = np.random.default_rng(1)
    near, far = VALUES + rng.normal(0.001, 0.1, 40), VALUES - 0.05 + rng.normal(0, 0.05, 40)
    best = _trial("xgboost", VALUES + 0.01)
    assert _chosen([_trial("linear", near - near.mean() + VALUES.mean()), best]) == "linear"
    assert _chosen([_trial("baseline", far), best]) == "xgboost"


def test_the_margin_is_of_paired_differences():
    """Both vary much from query to query, and the difference does not."""
    assert _chosen([_trial("baseline", VALUES - 0.01), _trial("xgboost", VALUES)]) == "xgboost"
    (behind, _) = choose([_trial("baseline", VALUES - 0.01), _trial("xgboost", VALUES)], 1.0)
    assert behind.behind == pytest.approx(0.01)
    assert behind.standard_error == pytest.approx(0.0, abs=1e-12)


def test_of_equals_the_simplest_is_chosen_and_no_margin_takes_the_best():
    assert _chosen([_trial("baseline", VALUES), _trial("linear", VALUES)], 0.0) == "baseline"
    noisy = VALUES + np.random.default_rng(1).normal(-0.001, 0.2, 40)
    assert noisy.mean() < VALUES.mean()
    assert _chosen([_trial("baseline", noisy), _trial("linear", VALUES)], 0.0) == "linear"
    assert _chosen([_trial("baseline", noisy), _trial("linear", VALUES)]) == "baseline"


def test_the_standard_error_is_that_of_a_mean_of_independent_queries():
    other = np.random.default_rng(3).random(40)
    first, _ = sorted(choose([_trial("linear", other), _trial("xgboost", VALUES)], 0.0), key=lambda one: -one.behind)
    assert first.standard_error == pytest.approx((VALUES - other).std(ddof=1) / np.sqrt(40))


def test_queries_without_a_value_do_not_count_and_many_queries_share_groups():
    values = np.append(np.ones(300), np.nan)
    groups = group_sums(values)
    assert len(groups) == N_GROUPS
    assert (sum(total for total, _ in groups), sum(n for _, n in groups)) == (300.0, 300)
    assert group_sums(np.array([0.5, np.nan])) == ((0.5, 1), (0.0, 0))


def test_the_reason_names_what_the_ranker_is_behind():
    noisy = VALUES + np.random.default_rng(1).normal(-0.001, 0.2, 40)
    text = reason(choose([_trial("baseline", noisy), _trial("linear", VALUES)], 1.0), 1.0)
    assert text.startswith("the simplest that is at most 1 standard errors behind linear: by 0.0")
    assert reason(choose([_trial("linear", VALUES)], 1.0), 1.0) == "the only candidate"
    assert "highest NDCG" in reason(choose([_trial("baseline", VALUES - 0.1), _trial("linear", VALUES)], 1.0), 1.0)


def _folds(number: int, *ndcg: float) -> Trial:
    return Trial("a", number, {}, -sum(ndcg) / len(ndcg), fold_ndcg=ndcg)


def test_a_lead_is_noise_where_it_is_smaller_than_one_standard_error_of_the_paired_difference():
    # Differences .1, .0 and .05: mean .05, standard deviation .05, standard error .05 / sqrt(3).
    clear = lead_of([_folds(1, 0.4, 0.6, 0.5), _folds(0, 0.5, 0.6, 0.55), Trial("a", 2, {}, error="x")])
    assert (clear.best, clear.second) == (0, 1)
    assert (clear.ahead, clear.standard_error) == pytest.approx((0.05, 0.05 / 3**0.5))
    assert not clear.is_noise
    # Means that differ by as much, and folds that do not agree on it.
    assert lead_of([_folds(0, 0.5, 0.6, 0.55), _folds(1, 0.7, 0.3, 0.5)]).is_noise


def test_equal_trials_have_no_lead_that_more_folds_could_change():
    lead = lead_of([_folds(1, 0.5, 0.6), _folds(0, 0.5, 0.6), _folds(2, 0.1, 0.2)])
    assert (lead.best, lead.second, lead.ahead, lead.standard_error, lead.is_noise) == (0, 1, 0.0, 0.0, False)


def test_one_trial_or_one_fold_has_no_lead():
    assert lead_of([_folds(0, 0.5, 0.6), Trial("a", 1, {}, error="x")]) is None
    assert lead_of([_folds(0, 0.5), _folds(1, 0.6)]) is None


def test_a_trials_standard_error_is_over_its_folds():
    assert _folds(0, 0.4, 0.6, 0.5).standard_error == pytest.approx(0.1 / 3**0.5)
    assert Trial("a", 0, {}, error="x").standard_error is None
