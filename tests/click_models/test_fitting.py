from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from pyspark.sql import functions as F

from rankhammer import click_models
from rankhammer.click_models.dbn import Dbn, DbnOptions
from rankhammer.click_models.dctr import Dctr
from rankhammer.click_models.priors import PriorOptions
from rankhammer.errors import ConvergenceWarning, DataError
from rankhammer.schemas import JUDGMENTS, SERPS

DOCS = ["a", "b", "c", "d"]
LIMITS = {"sample_serps": 100_000, "min_examined": 1.0}
SHOWN_AT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def rows(n=400, seed=0):
    """Two corpora, six clusters, lists of two to four documents, clicks that favour the first letters."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n):
        corpus, query = ("main", "shop")[number % 2], f"q{rng.integers(6)}"
        docs = list(rng.permutation(DOCS)[: rng.integers(2, 5)])
        clicked = [bool(rng.random() < 0.5 - 0.12 * DOCS.index(doc)) for doc in docs]
        found.append((corpus, f"s{number}", "v", query.upper(), query, query, SHOWN_AT, docs, clicked))
    return found


@pytest.fixture(scope="module")
def table(spark):
    schema = ", ".join(f"{name} {kind}" for name, kind in SERPS.columns.items())

    def make(data):
        return spark.createDataFrame([tuple(map(_plain, row)) for row in data], schema)

    return make


def _plain(value):
    return [str(item) if isinstance(item, str) else item for item in value] if isinstance(value, list) else value


def fitted_rows(fitted):
    return sorted(map(tuple, fitted.parameters.collect()))


@pytest.fixture(scope="module")
def fitted(table):
    return click_models.fit(Dbn(DbnOptions()), table(rows()), **LIMITS)


def test_order_and_partitions_change_no_bit_of_the_result(table, fitted):
    shuffled = [rows()[place] for place in np.random.default_rng(1).permutation(400)]
    again = click_models.fit(Dbn(DbnOptions()), table(shuffled).repartition(5), **LIMITS)
    assert fitted_rows(again) == fitted_rows(fitted)
    assert again.corpora == fitted.corpora
    assert again.relevance_quantiles == fitted.relevance_quantiles


def test_every_corpus_is_fitted_as_if_it_were_alone(table, fitted):
    alone = click_models.fit(Dbn(DbnOptions()), table([row for row in rows() if row[0] == "shop"]), **LIMITS)
    assert list(fitted.corpora) == ["main", "shop"]
    assert alone.corpora["shop"] == fitted.corpora["shop"]
    assert fitted_rows(alone) == [row for row in fitted_rows(fitted) if row[0] == "shop"]


def test_counts_are_those_of_the_log(fitted):
    row = next(row for row in fitted.parameters.collect() if (row.corpus, row.query, row.doc_id) == ("main", "Q3", "b"))
    shown = [(r[7].index("b"), r[8]) for r in rows() if r[0] == "main" and r[5] == "q3" and "b" in r[7]]
    assert row.n_impressions == len(shown)
    assert row.n_clicks == sum(clicked[place] for place, clicked in shown)
    assert row.mean_position == pytest.approx(np.mean([place + 1 for place, _ in shown]))
    assert row.n_clicks <= row.n_examined <= row.n_impressions
    assert row.relevance == pytest.approx(row.attractiveness * row.satisfaction)
    assert 0 < row.relevance_lower < row.relevance


def test_a_corpus_without_clicks_fails_alone(table):
    silent = [("mute", f"x{n}", "v", "q", "q", "q", SHOWN_AT, ["a"], [False]) for n in range(3)]
    fitted = click_models.fit(Dctr(PriorOptions()), table(rows() + silent), **LIMITS)
    assert [(failure.corpus, failure.stage) for failure in fitted.failures] == [("mute", "labeling")]
    assert "none of its 3 result pages has a click" in fitted.failures[0].error
    assert {row.corpus for row in fitted.parameters.collect()} == {"main", "shop"}


def test_a_log_without_pages_is_refused(table):
    with pytest.raises(DataError, match="no result page"):
        click_models.fit(Dctr(PriorOptions()), table([]), **LIMITS)


def test_shared_parameters_that_did_not_settle_are_announced(table):
    with pytest.warns(ConvergenceWarning, match="main, shop"):
        click_models.fit(Dbn(DbnOptions(max_iter=1)), table(rows()), **LIMITS)


def test_a_sample_holds_whole_clusters(table, monkeypatch):
    monkeypatch.setattr("rankhammer.click_models.sampling.MIN_SAMPLE_CLUSTERS", 1)
    fitted = click_models.fit(Dctr(PriorOptions()), table(rows(2000)), sample_serps=400, min_examined=0.0)
    sizes = [sum(r[0] == "main" and r[5] == f"q{q}" for r in rows(2000)) for q in range(6)]
    sums = {0}
    for size in sizes:
        sums |= {total + size for total in sums}
    assert fitted.corpora["main"].n_serps in sums - {sum(sizes)}


def test_judgments_without_evidence_have_no_grade(fitted):
    cuts = {"main": [0.0, 0.1], "shop": [2.0, 3.0]}
    judged = click_models.judge(fitted.parameters, cuts=cuts, min_examined=25.0, weighting="evidence")
    JUDGMENTS.check(judged)
    for row in judged.collect():
        expected = sum(row.relevance >= cut for cut in cuts[row.corpus])
        assert row.grade == (expected if row.n_examined >= 25 else None)
        assert row.weight == pytest.approx(1 - row.prior_share)
    assert {row.grade for row in judged.collect()} > {None, 0, 1}


def test_predictions_follow_the_shown_order(table, fitted):
    serps = table(rows(20))
    model, shared = fitted.model, fitted.corpora
    known = {
        (r.corpus, r.query_cluster_id, r.doc_id): (r.attractiveness, r.satisfaction)
        for r in fitted.parameters.collect()
    }
    for row in click_models.predict_conditional_clicks(fitted, serps).collect():
        examined, g = 1.0, shared[row.corpus].parameters["continuation"]
        for doc, click, p in zip(row.doc_ids, row.clicked, row.conditional_click_probabilities, strict=True):
            a, s = known[row.corpus, row.query_cluster_id, doc]
            assert p == pytest.approx(a * examined)
            examined = g * (1 - s) if click else g * (1 - a) * examined / (1 - a * examined)
    assert model.parameter_names == ("attractiveness", "satisfaction")


def test_an_unseen_document_gets_the_prior(table, fitted):
    new = [("main", "new", "v", "q9", "q9", "q9", SHOWN_AT, ["zz"], [False])]
    [row] = click_models.predict_clicks(fitted, table(new)).collect()
    assert row.click_probabilities == [fitted.corpora["main"].parameters["attractiveness_prior"]]


def test_a_seed_draws_the_same_clicks_however_the_pages_lie(table, fitted):
    def drawn(serps, seed):
        found = click_models.sample(fitted, serps, random_state=seed)
        SERPS.check(found)
        return {row.serp_id: row.clicked for row in found.collect()}

    assert drawn(table(rows(40)), 7) == drawn(table(rows(40)[::-1]).repartition(3), 7)
    assert drawn(table(rows(40)), 7) != drawn(table(rows(40)), 8)


def test_fitting_sampled_clicks_recovers_the_parameters(table, fitted):
    sampled = click_models.sample(fitted, table(rows(6000, seed=5)), random_state=1)
    again = click_models.fit(Dbn(DbnOptions()), sampled, **LIMITS)
    before = {tuple(row)[:4]: row.attractiveness for row in fitted.parameters.collect()}
    after = {tuple(row)[:4]: row.attractiveness for row in again.parameters.collect()}
    assert np.mean([abs(before[key] - after[key]) for key in before]) < 0.05


@pytest.mark.filterwarnings("ignore::rankhammer.errors.ConvergenceWarning")
def test_a_start_reaches_its_own_pairs_and_no_other(table):
    """Documents of one cluster only, from far away: the others begin at the prior."""
    model = Dbn(DbnOptions(max_iter=1, tol=1e-9, continuation=0.9))
    cold, far = click_models.fit(model, table(rows()), **LIMITS), {"q1": 0.99}
    start = cold.parameters.where("query_cluster_id = 'q1' and corpus = 'main'").withColumn(
        "attractiveness", F.lit(0.99)
    )
    warm = click_models.fit(model, table(rows()).repartition(3), start=start, **LIMITS)
    for before, after in zip(fitted_rows(cold), fitted_rows(warm), strict=True):
        moved = before[0] == "main" and before[1] in far
        assert (before[:-2] != after[:-2]) == moved
    unknown = start.withColumn("doc_id", F.lit("zz")).withColumn("query_cluster_id", F.lit("nowhere"))
    assert fitted_rows(click_models.fit(model, table(rows()), start=unknown, **LIMITS)) == fitted_rows(cold)


def held_out(models, serps):
    counted = click_models.count_serps(serps)
    sizes = click_models.corpus_sizes(counted)
    options = {"test_share": 0.25, "max_serps": 10_000, "random_state": 1}
    return click_models.evaluate_held_out(models, counted, sizes=sizes, **options)


def test_the_held_out_pages_do_not_depend_on_the_order_of_the_log(table):
    models = {"dctr": Dctr(PriorOptions())}
    assert held_out(models, table(rows()[::-1]).repartition(3)) == held_out(models, table(rows()))


def test_held_out_figures_are_of_pages_that_the_fit_did_not_see(table):
    models = {"dbn": Dbn(DbnOptions()), "dctr": Dctr(PriorOptions())}
    found = held_out(models, table(rows(1000)))
    for corpus in ("main", "shop"):
        for figures in found[corpus].values():
            assert figures["n_serps"] == found[corpus]["dbn"]["n_serps"]
            assert 80 < figures["n_serps"] < 170
            assert len(figures["positions"]["n"]) == 4
            assert -0.69 < figures["log_likelihood"] < 0
            assert figures["converged"]
