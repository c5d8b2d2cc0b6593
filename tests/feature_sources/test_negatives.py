"""Documents that no page showed: found by a search, drawn by a seed, learned from and never measured by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rankhammer import plugins, schemas
from rankhammer.errors import ConfigError
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources import collect_features
from rankhammer.feature_sources.negatives import NegativeRules, draw_negatives
from rankhammer.plugins import PluginSpec
from rankhammer.training import folds

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FEATURES = FeatureSet.model_validate(
    {
        "name": "text",
        "features": [
            {"name": "title_bm25", "type": "match", "field": "title"},
            {"name": "body_bm25", "type": "match", "field": "body"},
            {"name": "title_phrase", "type": "phrase", "field": "title"},
        ],
    }
)
TYPES = ", ".join(f"{name} {kind}" for name, kind in schemas.JUDGMENTS.columns.items())
N_DOCUMENTS = 30


@pytest.fixture(scope="module")
def documents(spark: SparkSession) -> DataFrame:
    """Every document of corpus a has "lamp", more often the higher its number; those of b have other words."""
    rows = [
        ("a", f"d{n:02}", "red lamp" if n % 2 else "blue chair", " ".join(["lamp"] * n + ["word"] * 20))
        for n in range(1, N_DOCUMENTS + 1)
    ]
    rows += [("b", f"d{n:02}", "green table", "wood") for n in range(1, 4)]
    return spark.createDataFrame(rows, "corpus string, doc_id string, title string, body string")


def judge(spark: SparkSession, pairs: list[tuple[str, str, str]], weight: float = 2.0) -> DataFrame:
    rows = [(c, q, f"of {q}", doc, 0.5, 1, weight, 9, 9.0, 3, 1.5, 0.1, 0.4, 0.2) for c, q, doc in pairs]
    return spark.createDataFrame(rows, TYPES)


def embedded() -> object:
    return plugins.create("feature_sources", PluginSpec(name="embedded"))


def drawn(judgments: DataFrame, documents: DataFrame, **rules: int) -> list[tuple[str, str, str]]:
    rows = draw_negatives(
        embedded(), judgments, documents=documents, feature_set=FEATURES, rules=NegativeRules(**rules)
    )
    schemas.JUDGMENTS.check(rows)
    return sorted((row.corpus, row.query, row.doc_id) for row in rows.collect())


def test_candidates_are_those_that_the_sum_of_the_matches_puts_first(spark: SparkSession, documents: DataFrame) -> None:
    asked = [("a", "lamp"), ("a", "blue lamp chair"), ("b", "lamp"), ("c", "lamp")]
    queries = spark.createDataFrame(asked, "corpus string, query string")
    source = embedded()
    found = source.candidates(queries, documents=documents, feature_set=FEATURES, n=7)
    pairs = documents.select("corpus", "doc_id").join(queries, "corpus")
    scored = source.collect(pairs, documents=documents, feature_set=FEATURES).selectExpr(
        "corpus", "query", "doc_id", "double(features.title_bm25) + features.body_bm25 AS score"
    )
    by_query: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for row in scored.where("score > 0").collect():
        by_query.setdefault((row.corpus, row.query), []).append((row.score, row.doc_id))
    rows = sorted(found.collect(), key=lambda row: (row.corpus, row.query, row.place))
    assert {(row.corpus, row.query) for row in rows} == set(by_query) == {("a", "lamp"), ("a", "blue lamp chair")}
    for key, all_of_it in by_query.items():
        mine = [row for row in rows if (row.corpus, row.query) == key]
        assert [row.place for row in mine] == list(range(1, 8))
        scores = {doc_id: score for score, doc_id in all_of_it}
        best = sorted(scores.values(), reverse=True)[:7]
        assert [scores[row.doc_id] for row in mine] == pytest.approx(best, abs=1e-6)


def test_what_is_drawn_was_never_shown_and_depends_on_the_seed_alone(spark: SparkSession, documents: DataFrame) -> None:
    shown = [("a", "lamp", f"d{n}") for n in (28, 29, 30)] + [("b", "green table", "d01")]
    judgments = judge(spark, shown)
    once = drawn(judgments, documents, per_query=4, n_candidates=12)
    assert once == drawn(judgments.repartition(5), documents.repartition(3), per_query=4, n_candidates=12)
    assert once != drawn(judgments, documents, per_query=4, n_candidates=12, seed=1)
    lamps = [doc for corpus, _, doc in once if corpus == "a"]
    assert len(lamps) == 4
    assert not set(lamps) & {"d28", "d29", "d30"}
    # Corpus b has two other documents, and no more are drawn than there are.
    assert [doc for corpus, _, doc in once if corpus == "b"] == ["d02", "d03"]


def test_a_document_that_another_spelling_showed_is_not_drawn(spark: SparkSession, documents: DataFrame) -> None:
    assert drawn(judge(spark, [("b", "wood", f"d0{n}") for n in (1, 2, 3)]), documents, per_query=5) == []


def test_negatives_have_features_and_are_learned_from_and_never_measured_by(
    spark: SparkSession, documents: DataFrame
) -> None:
    judgments = judge(spark, [("a", f"lamp number {n}", f"d{n:02}") for n in range(1, 13)])
    tables = {}
    for per_query in (0, 3):
        collected = collect_features(
            embedded(),
            judgments,
            documents=documents,
            feature_set=FEATURES,
            max_bad_share=0,
            negatives=NegativeRules(per_query=per_query),
        )
        assert collected.missing()["a"]["n_judgments"] == 12
        tables[per_query] = folds.assign_folds(
            collected.rows, n_folds=3, test_share=0.25, test_pattern=None, random_state=1
        )[0].collect()

    def side(rows):
        return {(row.query, row.split, row.fold, row.qid) for row in rows}

    assert side(tables[0]) == side(tables[3])
    added = [row for row in tables[3] if row.n_impressions == 0]
    assert {row.split for row in added} == {"train"}
    assert len(added) == 3 * len({row.query for row in tables[3] if row.split == "train"})
    assert {(row.grade, row.relevance, row.weight, row.mean_position) for row in added} == {(0, 0.0, 2.0, None)}
    assert all(row.features.body_bm25 > 0 for row in added)


def test_a_source_that_cannot_search_is_refused(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match="can search"):
        draw_negatives(
            object(),
            judge(spark, [("a", "q", "d")]),
            documents=None,
            feature_set=FEATURES,
            rules=NegativeRules(per_query=1),
        )


def test_what_is_drawn_knows_of_the_earlier_days_alone(spark: SparkSession, documents: DataFrame) -> None:
    earlier = judge(spark, [("a", "lamp", "d30")]).selectExpr("*", "'earlier' AS period")
    shown_later = judge(spark, [("a", "lamp", "d29"), ("a", "chair", "d02")]).selectExpr("*", "'later' AS period")
    rules = NegativeRules(per_query=3, n_candidates=5)
    found = draw_negatives(
        embedded(), earlier.unionByName(shown_later), documents=documents, feature_set=FEATURES, rules=rules
    )
    alone = draw_negatives(embedded(), earlier, documents=documents, feature_set=FEATURES, rules=rules)
    assert sorted(found.collect()) == sorted(alone.collect())
    assert {(row.query_cluster_id, row.period) for row in found.collect()} == {("of lamp", "earlier")}
