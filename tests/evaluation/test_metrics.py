from __future__ import annotations

from math import log2

import numpy as np
import pytest
import xgboost as xgb

from rankhammer.errors import ConfigError
from rankhammer.evaluation.metrics import RULES, mean_by_rule, mean_ndcg, mrr, ndcg, parse_metric

RNG_SEEDS = range(3)


def _random_queries(seed: int, n_queries: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    qid = np.repeat(np.arange(n_queries), rng.integers(2, 15, n_queries))
    return rng.normal(size=len(qid)), rng.integers(0, 5, len(qid)), qid


def test_ndcg_is_gain_over_discount_against_the_ideal_order() -> None:
    # Ranked: grade 1, 3, 0; ideal: 3, 1, 0.
    dcg = 1 / log2(2) + 7 / log2(3)
    ideal = 7 / log2(2) + 1 / log2(3)
    assert ndcg([0.9, 0.5, 0.1], [1, 3, 0], [4, 4, 4], 3) == pytest.approx([dcg / ideal])


def test_linear_rule_takes_the_grade_as_gain() -> None:
    found = ndcg([0.9, 0.5], [1, 3], [0, 0], 2, rule="linear")
    assert found == pytest.approx([(1 + 3 / log2(3)) / (3 + 1 / log2(3))])


def test_cutoff_hides_what_ranks_below_it() -> None:
    assert ndcg([3, 2, 1], [0, 1, 2], [0, 0, 0], 2) == pytest.approx([(1 / log2(3)) / (3 + 1 / log2(3))])


def test_each_query_is_ranked_by_itself() -> None:
    scores, grades, qid = _random_queries(5)
    together = ndcg(scores, grades, qid, 5)
    alone = [ndcg(scores[qid == q], grades[qid == q], qid[qid == q], 5)[0] for q in np.unique(qid)]
    assert together == pytest.approx(alone, nan_ok=True)


@pytest.mark.parametrize(("empty", "expected"), [("skip", np.nan), ("one", 1.0), ("zero", 0.0)])
def test_query_without_a_relevant_document_follows_the_named_rule(empty: str, expected: float) -> None:
    values = ndcg([2, 1, 2, 1], [0, 0, 0, 1], [0, 0, 1, 1], 2, empty=empty)
    assert values == pytest.approx([expected, 1 / log2(3)], nan_ok=True)


def test_mean_skips_queries_without_a_relevant_document() -> None:
    scores, grades, qid = [2, 1, 2, 1], [0, 0, 0, 1], [0, 0, 1, 1]
    assert mean_ndcg(scores, grades, qid, 2) == pytest.approx(1 / log2(3))
    assert mean_ndcg(scores, grades, qid, 2, empty="one") == pytest.approx((1 + 1 / log2(3)) / 2)


def test_mean_of_no_query_is_nan_without_a_warning() -> None:
    assert np.isnan(mean_ndcg([1, 2], [0, 0], [0, 0], 10))
    assert np.isnan(mean_ndcg([], [], [], 10))


def test_ties_keep_the_row_order_whatever_the_grades() -> None:
    assert ndcg([1, 1], [0, 1], [0, 0], 2) == pytest.approx([1 / log2(3)])
    assert ndcg([1, 1], [1, 0], [0, 0], 2) == pytest.approx([1.0])


def test_missing_scores_rank_last() -> None:
    assert ndcg([np.nan, -9.0], [1, 0], [0, 0], 2) == pytest.approx([1 / log2(3)])


def test_ideal_may_come_from_judged_documents_that_were_not_ranked() -> None:
    # Query 7 has a further judged document of grade 2 that the ranking lacks; query 9 has none judged above 0.
    judged = ([2, 1, 0, 0], [7, 7, 7, 9])
    values = ndcg([2, 1, 1], [1, 0, 0], [7, 7, 9], 10, ideal_grades=judged)
    assert values == pytest.approx([1 / (3 + 1 / log2(3)), np.nan], nan_ok=True)


@pytest.mark.parametrize("seed", RNG_SEEDS)
@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("rule", ["linear", "exponential"])
def test_mean_ndcg_agrees_with_xgboost_where_the_rules_agree(seed: int, k: int, rule: str) -> None:
    scores, grades, qid = _random_queries(seed)
    theirs = _xgboost_ndcg(scores, grades, qid, k, exponential=rule == "exponential")
    assert mean_ndcg(scores, grades, qid, k, rule=rule, empty="zero") == pytest.approx(theirs, abs=1e-5)


def _xgboost_ndcg(scores: np.ndarray, grades: np.ndarray, qid: np.ndarray, k: int, *, exponential: bool) -> float:
    """NDCG of given scores by XGBoost's own code: a tree that learns nothing on top of them."""
    data = xgb.DMatrix(np.zeros((len(scores), 1)), label=grades, qid=qid, base_margin=scores)
    params = {"objective": "rank:ndcg", "eta": 0, "eval_metric": f"ndcg@{k}-", "ndcg_exp_gain": exponential}
    message = xgb.train(params, data, num_boost_round=1).eval(data)
    return float(message.rsplit(":", 1)[1])


@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_ndcg_is_in_0_to_1_and_1_for_the_ideal_order(seed: int) -> None:
    scores, grades, qid = _random_queries(seed)
    values = ndcg(scores, grades, qid, 10)
    assert np.nanmin(values) >= 0
    assert np.nanmax(values) <= 1 + 1e-12
    assert np.nanmin(ndcg(grades, grades, qid, 10)) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_ndcg_depends_on_the_order_of_scores_alone(seed: int) -> None:
    scores, grades, qid = _random_queries(seed)
    assert ndcg(np.exp(scores) * 3 + 1, grades, qid, 10) == pytest.approx(ndcg(scores, grades, qid, 10), nan_ok=True)


def test_mrr_is_one_over_the_rank_of_the_first_relevant_document() -> None:
    scores, grades, qid = [3, 2, 1, 2, 1, 1], [0, 0, 2, 1, 1, 0], [0, 0, 0, 1, 1, 2]
    assert mrr(scores, grades, qid, 10) == pytest.approx([1 / 3, 1.0, np.nan], nan_ok=True)
    assert mrr(scores, grades, qid, 2) == pytest.approx([0.0, 1.0, np.nan], nan_ok=True)
    assert mrr(scores, grades, qid, 10, min_grade=2) == pytest.approx([1 / 3, np.nan, np.nan], nan_ok=True)


def test_mrr_is_zero_where_the_relevant_documents_were_not_ranked() -> None:
    assert mrr([1.0], [0], [0], 10, ideal_grades=([3, 0], [0, 0])) == pytest.approx([0.0])


def _one_by_one(name: str, ranked: list[int], judged: list[int], k: int) -> float:
    """Compute a metric of one query as its definition says, document by document."""
    relevant = [grade >= 1 for grade in ranked[:k]]
    n_all = sum(grade >= 1 for grade in judged)
    if not n_all:
        return float("nan")
    if name == "err":
        goes_on, total = 1.0, 0.0
        for rank, grade in enumerate(ranked[:k], 1):
            satisfied = (2 ** min(grade, 4) - 1) / 16
            total += goes_on * satisfied / rank
            goes_on *= 1 - satisfied
        return total
    precisions = [sum(relevant[:rank]) / rank for rank, is_found in enumerate(relevant, 1) if is_found]
    return {"map": sum(precisions) / n_all, "precision": sum(relevant) / k, "recall": sum(relevant) / n_all}[name]


@pytest.mark.parametrize("name", ["map", "err", "precision", "recall"])
@pytest.mark.parametrize("k", [1, 3, 100])
def test_a_metric_is_what_its_definition_says_of_each_query(name: str, k: int) -> None:
    scores, grades, qid = _random_queries(11)
    grades[qid == 7] = 0
    judged = [[*grades[qid == query], 5, 1] if query % 3 else [*grades[qid == query]] for query in range(40)]
    ideal = (np.concatenate(judged), np.repeat(np.arange(40), [len(of) for of in judged]))
    found = parse_metric(f"{name}@{k}").values(scores, grades, qid, ideal_grades=ideal)
    orders = [grades[qid == query][np.argsort(-scores[qid == query])] for query in range(40)]
    expected = [_one_by_one(name, list(order), of, k) for order, of in zip(orders, judged, strict=True)]
    assert found == pytest.approx(expected, nan_ok=True)


def test_metrics_of_one_order_by_hand() -> None:
    # Ranked: 0, 2, 1; one more relevant document was not ranked.
    order = ([3, 2, 1], [0, 2, 1], [0, 0, 0])
    judged = ([2, 1, 1, 0], [0, 0, 0, 0])
    by_hand = {"map@3": (1 / 2 + 2 / 3) / 3, "precision@3": 2 / 3, "recall@3": 2 / 3, "recall@2": 1 / 3}
    by_hand["err@3"] = 3 / 16 / 2 + (13 / 16) * (1 / 16) / 3
    found = {name: parse_metric(name).values(*order, ideal_grades=judged)[0] for name in by_hand}
    assert found == pytest.approx(by_hand)


def test_each_metric_says_how_it_counts() -> None:
    rules = {parse_metric(f"{name}@5").rule for name in RULES}
    assert len(rules) == len(RULES)
    assert all("skipped" in rule for rule in rules)


def test_a_metric_is_named_with_its_cutoff() -> None:
    scores, grades, qid = _random_queries(8)
    assert parse_metric("ndcg@3").values(scores, grades, qid) == pytest.approx(
        ndcg(scores, grades, qid, 3), nan_ok=True
    )
    linear = ndcg(scores, grades, qid, 3, rule="linear")
    assert parse_metric("ndcg_linear@3").values(scores, grades, qid) == pytest.approx(linear, nan_ok=True)
    assert parse_metric("mrr@5").values(scores, grades, qid) == pytest.approx(mrr(scores, grades, qid, 5), nan_ok=True)


@pytest.mark.parametrize("text", ["ndgc@10", "ndcg", "ndcg@", "ndcg@0", "ndcg@101", "ndcg@-1", "ndcg@1.5"])
def test_a_metric_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"Hint: (Did you mean 'ndcg'|Write ndcg@10)"):
        parse_metric(text)


def test_both_rules_are_printed_side_by_side() -> None:
    found = mean_by_rule([2, 1, 2, 1], [0, 0, 0, 1], [0, 0, 1, 1], [1, 2])
    assert found == {
        "skip_empty": pytest.approx({"ndcg@1": 0.0, "ndcg@2": 1 / log2(3)}),
        "empty_is_one": pytest.approx({"ndcg@1": 0.5, "ndcg@2": (1 + 1 / log2(3)) / 2}),
    }
