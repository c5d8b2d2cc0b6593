"""holdout: time, from result pages to the folds."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import yaml

from rankhammer.click_models import periods
from rankhammer.errors import ConfigError, DataError
from rankhammer.pipelines.judgment_export.nodes import export_judgments
from rankhammer.pipelines.judgment_export.params import JudgmentExportParams
from rankhammer.pipelines.labeling import nodes
from rankhammer.pipelines.labeling.params import LabelingParams
from rankhammer.schemas import JUDGMENTS, SERPS
from rankhammer.training import folds, matrix_table

CONF = Path(__file__).parents[3] / "conf" / "base" / "parameters" / "labeling.yml"
SCHEMA = ", ".join(f"{name} {kind}" for name, kind in SERPS.columns.items())


def params() -> LabelingParams:
    loaded = yaml.safe_load(CONF.read_text())["labeling"]
    held_out = {**loaded["held_out"], "models": [{"name": "dctr"}]}
    return LabelingParams(**{**loaded, "held_out": held_out})


def pages(spark, *, later_seed=1, days=10, corpus="main", timed=True, clicks_later=True):
    """Thirty pages a day; queries and clicks of the last two of ten days are drawn by another seed."""
    rows = []
    for day in range(days):
        is_later = day >= 8
        rng = np.random.default_rng([later_seed if is_later else 0, day])
        for number in range(30):
            docs = [f"d{place}" for place in rng.permutation(5)[:4]]
            clicked = [bool(rng.random() < 0.15 * (5 - int(doc[1]))) and (clicks_later or not is_later) for doc in docs]
            query = f"q{rng.integers(later_seed if is_later else 0, 8)}"
            at = dt.datetime(2024, 1, 1 + day, 12, tzinfo=dt.UTC) if timed else None
            rows.append((corpus, f"{corpus}{day}/{number}", "s", query, query, query, at, docs, clicked))
    return spark.createDataFrame(rows, SCHEMA)


def label(serps):
    counted = nodes.count_serps(serps, {}, None, "time").persist()
    compared = nodes.compare_click_models(counted, params(), 42)
    found, failures, fitted = nodes.fit_click_model(counted, compared, None, params(), "time")
    judgments = nodes.judge(found, fitted, params(), "time").persist()
    report = nodes.report_labeling(judgments, failures, fitted, compared, params())[0]
    return judgments, failures, report


def cut(judgments, **changes):
    rows = judgments.selectExpr("*", "named_struct('bm25', float(1)) as features")
    settings = {"n_folds": 3, "test_share": 0.2, "test_pattern": None, "random_state": 1, **changes}
    return folds.assign_folds(rows, **settings)


@pytest.fixture(scope="module")
def judged(spark):
    return label(pages(spark))


def of_period(judgments, period):
    return sorted(judgments.where(f"period = '{period}'").collect())


def test_later_days_are_judged_by_their_own_pages_alone(judged):
    judgments, failures, report = judged
    assert failures == []
    assert [row.corpus for row in judgments.select("corpus").distinct().collect()] == ["main"]
    # Thirty pages a day with four documents each, eight days and two.
    n_shown = {
        period: sum(row.n_impressions for row in of_period(judgments, period)) for period in ("earlier", "later")
    }
    assert n_shown == {"earlier": 8 * 30 * 4, "later": 2 * 30 * 4}
    assert list(report["corpora"]) == ["main"]
    assert report["corpora"]["main"]["n_later"] == len(of_period(judgments, "later"))


def test_nothing_of_the_earlier_days_depends_on_the_later_ones(spark, judged):
    other, _, report = label(pages(spark, later_seed=2))
    assert of_period(other, "later") != of_period(judged[0], "later")
    assert of_period(other, "earlier") == of_period(judged[0], "earlier")
    # Which click model labels the log is measured on the earlier days, too.
    assert report["corpora"]["main"]["held_out"] == judged[2]["corpora"]["main"]["held_out"]

    def learned(judgments):
        rows, failed = cut(judgments)
        assert failed == []
        return sorted(rows.where("split = 'train'").drop("qid").collect())

    assert learned(other) == learned(judged[0])


def test_the_test_split_is_the_later_judgments_and_queries_have_a_number_in_each_period(judged):
    rows = cut(judged[0])[0].collect()
    assert {(row.period, row.split) for row in rows} == {("earlier", "train"), ("later", "test")}
    assert {row.fold for row in rows if row.split == "test"} == {folds.TEST_FOLD}
    queries = {(row.period, row.query) for row in rows}
    assert {row.qid for row in rows} == set(range(len(queries)))
    assert len({(row.qid, row.doc_id) for row in rows}) == len(rows) == judged[0].count()


def test_no_oracle_learns_from_the_grades_that_test_it(judged):
    rows, _ = cut(judged[0])
    graded = rows.selectExpr("*", "3 as reference_grade", "array(3) as ideal_reference_grades")
    matrix = matrix_table.arrange_matrix(graded).collect()
    assert {(row.split, row.reference_grade) for row in matrix} == {("test", 3), ("train", None)}


def test_a_log_without_times_is_refused(spark):
    with pytest.raises(DataError, match=r"holdout: time .*\(main\).* without shown_at"):
        nodes.count_serps(pages(spark, timed=False), {}, None, "time")


def test_a_log_of_one_day_is_refused(spark):
    with pytest.raises(DataError, match="pages of one day alone"):
        nodes.count_serps(pages(spark, days=1), {}, None, "time")


def test_a_corpus_without_times_or_later_clicks_is_set_aside_and_others_go_on(spark):
    log = pages(spark).unionByName(pages(spark, corpus="untimed", timed=False))
    judgments, failures, _ = label(log.unionByName(pages(spark, corpus="mute", clicks_later=False)))
    assert [(failure["corpus"], failure["error"][:35]) for failure in failures] == [
        ("mute", "its later days, which are held out:")
    ]
    rows, failed = cut(judgments)
    assert sorted(failure.corpus for failure in failed) == ["mute", "untimed"]
    assert all("holdout: time found no later judgments" in failure.error for failure in failed)
    assert {row.corpus for row in rows.select("corpus").collect()} == {"main"}


def test_a_pattern_beside_it_is_refused(judged):
    with pytest.raises(ConfigError, match=r"folding.test_pattern 'q1': the judgments are cut by time"):
        cut(judged[0], test_pattern="q1")


def test_exported_judgments_are_those_of_the_earlier_days(judged):
    found = export_judgments(judged[0], JudgmentExportParams(targets=[])).judgments
    assert sorted(found.collect()) == sorted(
        JUDGMENTS.select(judged[0].where("period = 'earlier'")).drop("period").collect()
    )


def test_days_are_cut_nearest_to_the_share(spark):
    log = pages(spark, days=4).where("NOT (day(shown_at) IN (2, 3) AND serp_id NOT LIKE '%/1')")
    # 30 1 1 30 pages: half of 62 is the last day with either of the single pages; the fewer days win.
    marked = periods.mark_later(log, later_share=0.5)
    later = {row.shown_at.day for row in marked.collect() if periods.is_later(row.corpus)}
    assert later == {3, 4}


@pytest.mark.parametrize("value", ["day", {"time": 0}, {"time": 0.6}, {"clusters": 0.2}, {"time": True}, None, 3])
def test_what_nothing_is_held_out_by_is_refused(value):
    with pytest.raises(ValueError, match="expected"):
        periods.Holdout.parse(value)


def test_ways_to_hold_out_go_with_the_rows(judged):
    rows = judged[0]
    folds.require_holdout(rows, {"time": 0.3}, None)
    folds.require_holdout(rows.drop("period"), "clusters", "^a")
    folds.require_holdout(rows.drop("period"), "pattern", "^a")
    for table, holdout, pattern, reason in (
        (rows, "clusters", None, "are cut by time"),
        (rows.drop("period"), "time", None, "are of no period"),
        (rows.drop("period"), "pattern", None, "needs folding.test_pattern"),
    ):
        with pytest.raises(ConfigError, match=reason):
            folds.require_holdout(table, holdout, pattern)
