"""Rules of estimates from clicks weighted by the inverse of their propensity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.evaluation.off_policy import LoggedClicks, OffPolicyRule, estimate, propensities

BOOTSTRAP = Bootstrap(300, 0.95, 4)
THETA = np.array([1.0, 0.6, 0.4, 0.3, 0.2])


def _log(n_queries: int = 300, seed: int = 0, shown: int = 200) -> tuple[LoggedClicks, np.ndarray]:
    """Five documents a query; the order is random, so that position and relevance are independent."""
    rng = np.random.default_rng(seed)
    place = np.concatenate([rng.permutation(5) for _ in range(n_queries)])
    relevance = np.tile([0.5, 0.3, 0.2, 0.1, 0.05], n_queries)
    clicks = rng.binomial(shown, THETA[place] * relevance).astype(float)
    qid = np.repeat(np.arange(n_queries), 5)
    n = np.full(len(qid), float(shown))
    log = LoggedClicks(qid, qid, clicks, n, n * THETA[place], place + 1.0, relevance)
    return log, relevance


def test_the_propensity_is_what_the_click_model_examines_at_a_position():
    log, _ = _log(20)
    assert propensities(log)[log.mean_position == 3.0] == pytest.approx(0.4)


def test_ips_is_the_dcg_of_relevance_that_clicks_hide():
    log, relevance = _log()
    found = estimate(log, OffPolicyRule(k=5), BOOTSTRAP)
    by_relevance = (relevance.reshape(-1, 5) * (1 / np.log2(np.arange(2, 7)))).sum(axis=1).mean()
    assert found["estimates"]["ips"]["ranker"]["mean"] == pytest.approx(by_relevance, rel=0.02)
    by_log = (relevance / np.log2(1 + log.mean_position)).sum() / 300
    assert found["estimates"]["ips"]["logged"]["mean"] == pytest.approx(by_log, rel=0.02)
    gain = found["estimates"]["snips"]["difference"]
    assert gain["lower"] > 0
    assert gain["mean"] == pytest.approx((by_relevance - by_log) / relevance.reshape(-1, 5).sum(axis=1).mean(), rel=0.1)


def test_a_ranker_that_keeps_the_logged_order_differs_by_nothing():
    log, _ = _log()
    found = estimate(replace(log, scores=-log.mean_position), OffPolicyRule(k=5), BOOTSTRAP)
    assert found["estimates"]["snips"]["difference"] == {"mean": 0.0, "lower": 0.0, "upper": 0.0}


def test_clipping_cuts_weights_and_says_of_how_many_clicks():
    log, _ = _log()
    found = estimate(log, OffPolicyRule(k=5, max_weight=2.0), BOOTSTRAP)
    clipped = THETA[log.mean_position.astype(int) - 1] < 0.5
    assert found["clipped_share"] == pytest.approx(log.n_clicks[clipped].sum() / log.n_clicks.sum())
    whole = estimate(log, OffPolicyRule(k=5), BOOTSTRAP)
    assert found["estimates"]["ips"]["ranker"]["mean"] < whole["estimates"]["ips"]["ranker"]["mean"]


def test_the_effective_sample_is_that_of_the_weights():
    qid = np.array([0, 0, 1, 1])
    log = LoggedClicks(
        qid,
        qid,
        np.array([1.0, 1, 0, 0]),
        np.ones(4),
        np.array([1.0, 0.5, 1, 0.5]),
        np.array([1.0, 2, 1, 2]),
        np.ones(4),
    )
    found = estimate(log, OffPolicyRule(min_effective=0.0), BOOTSTRAP)
    # Weights 1 and 2: (1 + 2)^2 / (1 + 4).
    assert found["effective_clicks"] == round(9 / 5, 1)


def test_too_few_effective_clicks_are_refused():
    log, _ = _log(2, shown=3)
    found = estimate(log, OffPolicyRule(), BOOTSTRAP)
    assert found["estimates"] is None
    assert "fewer than 200" in found["refused"]
    none = estimate(replace(log, n_clicks=np.zeros(10)), OffPolicyRule(), BOOTSTRAP)
    assert "0 effective clicks of 0" in none["refused"]
