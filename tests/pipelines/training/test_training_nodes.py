"""The training stage from training rows to its report, on two small corpora whose truth is known."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from kedro.validation.type_extractor import TypeExtractor
from pyspark.sql import functions as F

from rankhammer import schemas
from rankhammer.datasets import CurrentRankersDataset, PublishedDataset
from rankhammer.errors import ConfigError, DataError, SchemaError
from rankhammer.evaluation import compared_queries
from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.evaluation.corpus_figures import corpus_figures
from rankhammer.evaluation.metrics import ndcg
from rankhammer.evaluation.offline_search import open_ranker
from rankhammer.evaluation.search_candidates import SparkCandidates
from rankhammer.exporters.base import TrainedRanker
from rankhammer.exporters.publish import by_corpus, read_ranker
from rankhammer.feature_sets import FeatureSet
from rankhammer.pipeline_registry import register_pipelines, short_name
from rankhammer.pipelines.export import nodes as export_nodes
from rankhammer.pipelines.export.params import ExportParams
from rankhammer.pipelines.query_report.nodes import report_queries
from rankhammer.pipelines.query_report.params import QueryReportParams
from rankhammer.pipelines.ranker_report import nodes as ranker_report
from rankhammer.pipelines.ranker_report.params import RankerReportParams
from rankhammer.pipelines.training import comparing, nodes
from rankhammer.pipelines.training.params import TrainingParams
from rankhammer.pipelines.training.pipeline import create_pipeline
from rankhammer.queries import add_query_columns
from rankhammer.queries.clusters import query_cluster_id
from rankhammer.queries.normalize import normalize_query
from rankhammer.rankers.linear import write_booster
from rankhammer.storage.publication import Candidates, NewRanker
from rankhammer.training import rescoring

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

YML = Path(__file__).parents[3] / "conf" / "base" / "parameters" / "training.yml"
CHANGES = {
    "n_trials": 3,
    "batch_size": 2,
    "n_rounds": 10,
    "n_resamples": 100,
    "metrics": ["ndcg@10"],
}
PARAMS = TrainingParams.model_validate(yaml.safe_load(YML.read_text())["training"] | CHANGES)
NAMES = ("body_bm25", "popularity", "noise")
FEATURES = FeatureSet.model_validate(
    {"name": "test", "features": [{"type": "field_value", "name": name, "field": name} for name in NAMES]}
)
SEED = 42
TYPES = {"struct<float>": f"struct<{', '.join(f'{name}: float' for name in NAMES)}>"}
ROWS = ", ".join(f"{name} {TYPES.get(kind, kind)}" for name, kind in schemas.TRAINING_ROWS.columns.items())


@dataclass(frozen=True)
class Stage:
    """What one run of the stage gave."""

    rows: DataFrame
    matrix: DataFrame
    ranker: dict[str, bytes]
    oracle: dict[str, bytes]
    failures: list[dict[str, str]]
    evaluation: DataFrame
    report: dict[str, Any]
    table: Any
    verdicts: dict[str, bytes]


def _rows(corpus: str, *, n_queries: int = 40, seed: int = 0, max_grade: int = 3) -> list[tuple]:
    """Utility is body_bm25 + popularity; clicks tell it with much noise, people with none."""
    rng = np.random.default_rng(seed)
    values = rng.random((n_queries, 8, 3)).astype(np.float32)
    utility = values[:, :, 0] + values[:, :, 1]
    grades = np.digitize(utility + rng.normal(0, 0.3, utility.shape), [0.8, 1.2, 1.6]).clip(max=max_grade)
    return [
        (
            corpus,
            f"term{query}",
            f"doc{doc}",
            0.5,
            int(grades[query, doc]) if doc else None,
            1.0,
            9,
            9.0,
            3,
            1.0 + doc,
            0.1,
            0.2,
            0.3,
            tuple(map(float, values[query, doc])),
            query,
            query % 4 - 1,
            "test" if query % 4 == 0 else "train",
            int(np.digitize(utility[query, doc], [0.8, 1.2, 1.6])),
        )
        for query in range(n_queries)
        for doc in range(8)
    ]


def _tables(spark, rows: list[tuple]) -> tuple[DataFrame, DataFrame]:
    """Training rows and reference judgments; cluster ids as ingestion makes them."""
    made = spark.createDataFrame(rows, ROWS.replace("query_cluster_id string, ", "") + ", truth int")
    clustered = add_query_columns(made, language="english")
    reference = clustered.select("corpus", "query", "doc_id", clustered.truth.alias("grade"))
    return schemas.TRAINING_ROWS.select(clustered), reference


def _store(spark, table: DataFrame, path: Path, *partitions: str) -> DataFrame:
    table.write.mode("overwrite").partitionBy(*partitions).parquet(str(path))
    return spark.read.parquet(str(path)).select(*table.columns)


def _run(
    spark, folder: Path, rows: list[tuple], *, judged: bool = True, n_partitions: int = 2, ranker: str = "xgboost"
) -> Stage:
    params = TrainingParams.model_validate(PARAMS.model_dump() | {"ranker": {"name": ranker}})
    training_rows, reference = _tables(spark, rows)
    reference = reference if judged else None
    matrix, counts = nodes.build_training_matrix(
        training_rows.repartition(n_partitions), reference, params, FEATURES, "english"
    )
    matrix = _store(spark, matrix, folder / "matrix", "corpus")
    trials, failures = nodes.tune(matrix, params, SEED)
    trials = _store(spark, schemas.TUNING_TRIALS.check(trials), folder / "trials")
    made, oracle, failures, found = nodes.train_ranker(matrix, trials, failures, counts, params, FEATURES, SEED)
    measured = _store(spark, nodes.evaluate(matrix, made, oracle, reference, params, "english"), folder / "evaluation")
    report, _, _, table, verdicts, *_ = nodes.report_training(measured, trials, made, failures, found, params, SEED)
    return Stage(
        training_rows, matrix, made, oracle, failures, schemas.EVALUATION.check(measured), report, table, verdicts
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def stage(spark, folder) -> Stage:
    rows = [*_rows("a"), *_rows("b", seed=1), *_rows("poor", max_grade=0)]
    return _run(spark, folder, rows)


def test_the_ranker_beats_the_baseline_on_both_corpora(stage):
    for corpus in ("a", "b"):
        found = stage.report["corpora"][corpus]
        assert found["truth"] == "reference"
        means = {system: found["ndcg@10"][system]["mean"] for system in ("logged", "baseline", "ranker", "oracle")}
        assert means["logged"] < means["baseline"] < means["ranker"]
        assert found["ndcg@10"]["ranker"]["lower"] < means["ranker"] < found["ndcg@10"]["ranker"]["upper"]
        assert found["differences"]["ranker - baseline"]["mean"] > 0


def test_each_ranker_has_a_verdict_and_ten_test_queries_are_too_few_for_one(stage):
    found = stage.report["corpora"]["a"]
    assert (found["verdict"], set(found["verdicts"])) == ("too few queries", {"logged", "baseline"})
    difference = found["verdicts"]["baseline"]
    assert {name: difference[name] for name in ("mean", "lower", "upper")} == found["differences"]["ranker - baseline"]
    assert difference["n_queries"] == difference["n_clusters"] == 10
    written = json.loads(stage.verdicts["a/verdict.json"])
    assert written["verdicts"] == found["verdicts"]
    assert (written["metric"], written["truth"], written["verdict"]) == ("ndcg@10", "reference", "too few queries")


@pytest.fixture(scope="module")
def compared(spark, stage) -> dict[str, Any]:
    """The query report of the stage's rankers, with the first three documents of each order."""
    documents = spark.createDataFrame(
        [("a", f"doc{doc}", f"Title {doc}") for doc in range(8)], "corpus string, doc_id string, title string"
    )
    params = QueryReportParams(n_worst=2, n_best=3, top=8, against="logged", title_field="title")
    report, figure = report_queries(stage.evaluation, stage.matrix, stage.ranker, stage.verdicts, documents, params)
    assert [bar.name for bar in figure.data] == ["a, against logged", "b, against logged"]
    return report["corpora"]


def test_the_queries_that_gain_and_lose_most_are_those_of_the_evaluation(stage, compared):
    assert compared.keys() == {"a", "b"}
    found = compared["a"]
    assert (found["metric"], found["truth"], found["against"]) == ("ndcg@10", "reference", "logged")
    rows = stage.evaluation.where("corpus = 'a' AND truth = 'reference' AND metric = 'ndcg@10'").toPandas()
    values = rows.pivot(index="query", columns="system", values="value")
    expected = (values["ranker"] - values["logged"]).sort_values()
    best = [(query["query"], query["difference"]) for query in found["best"]]
    assert best == [(name, round(value, 4)) for name, value in expected[::-1][:3].items()]
    assert [query["query"] for query in found["worst"]] == list(expected[expected < 0].index[:2])


def test_both_orders_of_a_query_give_the_values_that_were_measured(compared):
    for query in compared["a"]["best"]:
        for order, rank in (("ranker", "rank"), ("logged", "rank_before")):
            documents = sorted(query["documents"], key=lambda document: document[rank])
            assert [document[rank] for document in documents] == list(range(1, len(documents) + 1))
            grades = [document["reference_grade"] for document in documents]
            value = ndcg(-np.arange(len(grades)), grades, np.zeros(len(grades)), 10)[0]
            assert value == pytest.approx(query[order], abs=1e-4)


def test_each_document_has_its_title_and_what_features_add_to_its_score(compared):
    documents = [document for query in compared["a"]["best"] for document in query["documents"]]
    assert {document["title"] for document in documents} == {f"Title {doc}" for doc in range(8)}
    assert {document["title"] for query in compared["b"]["best"] for document in query["documents"]} == {None}
    constants = {round(document["score"] - sum(document["contributions"].values()), 2) for document in documents}
    assert len(constants) == 1
    sizes = [abs(added) for added in documents[0]["contributions"].values()]
    assert sizes == sorted(sizes, reverse=True)


def _report_params(**changes: Any) -> RankerReportParams:
    given = yaml.safe_load((YML.parent / "ranker_report.yml").read_text())["ranker_report"]
    curves = given["curves"] | {"values": [1, 3], "shares": [], "n_rounds": 5}
    return RankerReportParams.model_validate(given | {"curves": curves, "n_resamples": 100} | changes)


def test_segments_of_all_queries_are_what_the_report_has_and_an_own_one_is_an_expression(stage):
    own = {"even": "cast(substring(query, -1) AS int) % 2 = 0"}
    table, figure = ranker_report.report_segments(
        stage.evaluation, stage.rows, stage.verdicts, _report_params(segments=own), SEED
    )
    of_all = table[(table.segment == "all queries") & (table.corpus == "a")].set_index("against")
    for against in ("logged", "baseline"):
        expected = stage.report["corpora"]["a"]["differences"][f"ranker - {against}"]["mean"]
        assert of_all.difference[against] == pytest.approx(expected)
    assert set(table[table.segment == "even"].value) <= {"true", "false"}
    assert set(table[table.segment == "seen in training"].value) == {"unseen"}
    assert (table.p_holm.dropna() >= table.p[table.p_holm.notna()]).all()
    assert len(figure.data) == 2
    with pytest.raises(ConfigError, match=r"ranker_report\.segments"):
        ranker_report.report_segments(
            stage.evaluation, stage.rows, stage.verdicts, _report_params(segments={"no": "nothing + 1"}), SEED
        )


def test_rankers_are_explained_exactly_and_what_they_learned_is_important(stage):
    found, importance, dependence = ranker_report.explain_rankers(stage.matrix, stage.ranker, _report_params(), SEED)
    for corpus in ("a", "b"):
        rows = found["corpora"][corpus]["importance"]
        assert {rows[0]["feature"], rows[1]["feature"]} == {"body_bm25", "popularity"}
        assert found["corpora"][corpus]["largest_gap"] < 1e-4
        assert found["corpora"][corpus]["n_queries"] == 10
    assert len(importance.data) == 2
    assert dependence.data


def test_what_features_are_good_for_is_said_by_the_train_split(stage):
    found = ranker_report.describe_features(stage.matrix, _report_params(n_features=2))["corpora"]["a"]
    assert {row["feature"] for row in found["chosen"]} == {"body_bm25", "popularity"}
    assert [row["feature"] for row in found["alone"]][-1] == "noise"
    assert 0 < found["stability"] <= 1
    assert {row["missing"] for row in found["alone"]} == {0.0}
    assert len(found["redundant"]) == 1


def test_sizes_are_chosen_by_cross_validation_and_curves_grow_to_all_queries(stage):
    found, curves, sizes = ranker_report.measure_sizes(stage.matrix, stage.verdicts, _report_params(), SEED)
    one = found["corpora"]["a"]
    assert [(row["value"], row["share"]) for row in one["curves"]] == [(1, 0.5), (1, 1.0), (3, 0.5), (3, 1.0)]
    assert [row["n_queries"] for row in one["curves"]] == [15, 30, 15, 30]
    assert [row["size"] for row in one["sizes"]] == [1, 3]
    assert sum(row["is_chosen"] for row in one["sizes"]) == 1
    # Ten test queries: as few as are too few for a verdict.
    assert one["more_data"]["answer"] == "too few queries"
    assert one["failed"] == []
    assert len(curves.data) == 4
    assert len(sizes.data) == 2


def test_estimates_from_few_clicks_are_refused_and_from_enough_are_given(stage):
    shown = stage.rows.where("corpus = 'a'").withColumns(
        {
            "n_clicks": F.col("grade").cast("bigint") * 10,
            "n_impressions": F.lit(100).cast("bigint"),
            "n_examined": F.lit(100.0) / F.col("mean_position"),
        }
    )
    found = ranker_report.estimate_off_policy(shown, stage.ranker, _report_params(), SEED)["corpora"]["a"]
    assert found["refused"] == ""
    assert found["estimates"]["snips"]["difference"]["lower"] <= found["estimates"]["snips"]["difference"]["mean"]
    none = ranker_report.estimate_off_policy(
        shown.withColumn("n_clicks", F.lit(0)), stage.ranker, _report_params(), SEED
    )
    assert "0 effective clicks of 0" in none["corpora"]["a"]["refused"]


def test_a_corpus_without_any_shown_document_says_why_it_has_no_estimate(stage, caplog):
    unseen = stage.rows.withColumn("n_impressions", F.lit(0).cast("bigint"))
    found = ranker_report.estimate_off_policy(unseen, stage.ranker, _report_params(), SEED)["corpora"]
    assert found.keys() == {"a", "b"}
    assert all(facts["estimates"] is None and "shows no document" in facts["refused"] for facts in found.values())
    assert "Corpus 'b' has no estimate from clicks: the log shows no document" in caplog.text


def test_one_query_is_compared_with_the_baseline_and_one_that_was_not_measured_is_refused(stage):
    measured = compared_queries.read_measured(stage.verdicts, "baseline")

    def compare(query: str) -> list[dict[str, Any]]:
        cluster = query_cluster_id(normalize_query(query, "english"))
        found = compared_queries.compare_queries(
            stage.evaluation,
            stage.matrix,
            ranker=stage.ranker,
            measured={"a": measured["a"]},
            documents=None,
            choice=compared_queries.Choice(0, 0, 3, cluster=cluster),
            score=rescoring.scorer(stage.ranker),
        )
        return found["a"]

    (query,) = compare(" TERM4 ")
    assert (query["query"], query["against"]) == ("term4", "baseline")
    assert query["difference"] == pytest.approx(query["ranker"] - query["baseline"])
    assert {document["rank"] for document in query["documents"]} >= {1, 2, 3}
    assert len(query["documents"]) <= 6
    with pytest.raises(DataError, match="No test query"):
        compare("term5")


MEASURING = rescoring.Measuring(("ndcg@10",), "body_bm25", "english", Bootstrap(100, PARAMS.confidence, SEED))


def measured_again(spark, stage: Stage, **rankers: Any) -> dict[str, Any]:
    reference = _tables(spark, [*_rows("a"), *_rows("b", seed=1), *_rows("poor", max_grade=0)])[1]
    rows = rescoring.measure(stage.matrix, reference, rankers, corpus="a", measuring=MEASURING)
    return corpus_figures(rows, "ndcg@10", PARAMS.verdict_rule())


def test_a_ranker_that_is_measured_again_has_the_figures_of_the_report(spark, stage):
    found = measured_again(spark, stage, ranker=read_ranker("a", by_corpus(stage.ranker)["a"]))
    report = stage.report["corpora"]["a"]
    written = json.loads(stage.verdicts["a/verdict.json"])
    assert report["test_queries"] == found["test_queries"] == written["test_queries"]
    assert written["measured"] == report["ndcg@10"]
    for truth, metric in (("clicks", "ndcg@10"), ("reference", "ndcg@10")):
        for system in ("ranker", "baseline", "logged"):
            expected = report["metrics"][truth][metric][system]
            assert found["metrics"][truth][metric][system] == pytest.approx(expected, abs=1e-9)
    for against in ("logged", "baseline"):
        for name in ("mean", "lower", "upper", "n_queries"):
            assert found["verdicts"][against][name] == pytest.approx(report["verdicts"][against][name], abs=1e-9)


def test_two_rankers_are_compared_query_by_query_also_with_fewer_features(spark, stage):
    trained = read_ranker("a", by_corpus(stage.ranker)["a"])
    same = measured_again(spark, stage, ranker=trained, champion=trained)["verdicts"]["champion"]
    assert (same["mean"], same["lower"], same["upper"]) == (0.0, 0.0, 0.0)
    # The baseline alone, as a ranker of one feature: worse than the one that has learned by just what the report says.
    only = FeatureSet.model_validate({"name": "one", "features": [FEATURES.features[0].model_dump()]})
    model = write_booster(np.ones(1, np.float32), only.names, np.ones(1))
    manifest = {"corpus": "a", "ranker": "baseline", "ranker_options": {"feature": "body_bm25"}}
    found = measured_again(spark, stage, ranker=trained, champion=TrainedRanker("a", model, only, manifest))
    report = stage.report["corpora"]["a"]["verdicts"]["baseline"]
    assert found["verdicts"]["champion"]["mean"] == pytest.approx(report["mean"], abs=1e-9)


def publish(folder: Path, **rankers: Any) -> None:
    """Export a ranker of each corpus as the stage does, so that it is current."""
    files = {f"{corpus}/json/model.json": b"{}" for corpus in rankers}
    PublishedDataset(filepath=str(folder)).save(Candidates(files, {}, rankers))


def one_feature(corpus: str, name: str, field: str = "") -> dict[str, bytes]:
    """The baseline as a ranker of one feature, as training writes it."""
    feature = {"type": "field_value", "name": name, "field": field or name}
    only = FeatureSet.model_validate({"name": "one", "features": [feature]})
    manifest = {"corpus": corpus, "ranker": "baseline", "ranker_options": {"feature": name}}
    return {
        "model.ubj": write_booster(np.ones(1, np.float32), only.names, np.ones(1)),
        "manifest.json": json.dumps(manifest).encode(),
        "feature_set.json": only.model_dump_json().encode(),
        "sample_vectors.json": b"{}",
    }


def compared_with_current(spark, stage: Stage, folder: Path) -> dict[str, Any]:
    reference = _tables(spark, [*_rows("a"), *_rows("b", seed=1), *_rows("poor", max_grade=0)])[1]
    current = CurrentRankersDataset(filepath=str(folder)).load()
    return comparing.compare_with_current(stage.matrix, stage.ranker, reference, current, PARAMS, "english", SEED)


def test_current_rankers_are_measured_on_the_same_queries_each_with_its_own_features(spark, stage, tmp_path):
    """Two corpora whose current rankers have different features: the baseline's, and one that is noise."""
    expected = stage.report["corpora"]["a"]
    said = {"test_queries": expected["test_queries"], "verdict": "better"}
    publish(
        tmp_path,
        a=NewRanker(one_feature("a", "body_bm25"), evidence=said),
        b=NewRanker(one_feature("b", "noise"), evidence={"test_queries": "others"}),
    )
    report = compared_with_current(spark, stage, tmp_path)
    a, b = report["corpora"]["a"], report["corpora"]["b"]
    assert a["ndcg@10"] == pytest.approx(expected["ndcg@10"]["baseline"], abs=1e-9)
    verdict = expected["verdicts"]["baseline"]
    for name in ("mean", "lower", "upper", "n_queries"):
        assert a["difference"][name] == pytest.approx(verdict[name], abs=1e-9)
    assert a["difference"]["verdict"] == "too few queries"
    assert (a["is_unseen"], b["is_unseen"]) == (True, False)
    assert a["metrics"].keys() == {"clicks", "reference"}
    assert b["ndcg@10"]["mean"] < stage.report["corpora"]["b"]["ndcg@10"]["baseline"]["mean"]


def test_a_current_ranker_with_other_features_is_left_out_by_their_names(spark, stage, tmp_path):
    publish(tmp_path, a=NewRanker(one_feature("a", "age")), b=NewRanker(one_feature("b", "noise", "another")))
    found = compared_with_current(spark, stage, tmp_path)["corpora"]
    assert "lacks age" in found["a"]["left_out"]
    assert "defines noise in another way" in found["b"]["left_out"]
    assert all("difference" not in facts and facts["champion"] in facts["left_out"] for facts in found.values())


def test_there_is_nothing_to_compare_with_where_the_very_ranker_is_current_or_none_is(spark, stage, tmp_path):
    assert compared_with_current(spark, stage, tmp_path)["corpora"] == {}
    made = by_corpus(stage.ranker)
    publish(tmp_path, **{corpus: NewRanker(files) for corpus, files in made.items()})
    assert compared_with_current(spark, stage, tmp_path)["corpora"] == {}


def test_what_an_earlier_version_has_published_is_named_as_such(spark, stage, tmp_path):
    PublishedDataset(filepath=str(tmp_path)).save({"a/json/model.json": b"{}"})
    found = compared_with_current(spark, stage, tmp_path)["corpora"]
    assert found.keys() == {"a"}
    assert "exported by an earlier version" in found["a"]["left_out"]


def test_current_rankers_are_measured_before_the_export_makes_others_current():
    line = [short_name(node) for node in register_pipelines()["train"].nodes]
    assert line.index("compare_with_current") < line.index("export")


def test_a_ranker_whose_features_are_other_numbers_today_is_refused(stage):
    trained = read_ranker("a", by_corpus(stage.ranker)["a"])
    rescoring.require_same_features(trained, FEATURES, name="It")
    one = {"type": "field_value", "name": "noise", "field": "another"}
    others = [feature.model_dump() for feature in FEATURES.features[:2]]
    with pytest.raises(DataError, match="defines noise in another way"):
        rescoring.require_same_features(trained, FeatureSet(name="test", features=[*others, one]), name="It")
    with pytest.raises(DataError, match="lacks noise") as caught:
        rescoring.require_same_features(trained, FeatureSet(name="test", features=others), name="It")
    assert "--accept-without-gain" in caught.value.hint


def test_a_corpus_without_test_queries_cannot_be_measured(spark, stage):
    trained = read_ranker("a", by_corpus(stage.ranker)["a"])
    with pytest.raises(DataError, match="'nowhere' has no test query"):
        rescoring.measure(stage.matrix, None, {"ranker": trained}, corpus="nowhere", measuring=MEASURING)


def test_reference_judgments_are_counted_with_those_that_the_training_rows_have(stage):
    found = stage.report["reference_judgments"]["a"]
    assert (found["n_read"], found["n_kept"], found["set_aside"]) == (320, 320, {})
    assert 0 < found["n_relevant_found"] == found["n_relevant"] < 320
    assert stage.report["reference_judgments"]["poor"]["n_relevant_found"] is None


def test_a_corpus_that_fails_is_reported_and_the_others_go_on(stage):
    assert [(failure["corpus"], failure["stage"]) for failure in stage.report["failures"]] == [("poor", "training")]
    assert set(stage.report["corpora"]) == {"a", "b"}
    assert {name.split("/")[0] for name in stage.ranker} == {"a", "b"}
    assert {row.corpus for row in stage.evaluation.select("corpus").distinct().collect()} == {"a", "b"}


def test_the_oracle_is_kept_apart_from_the_ranker(stage):
    assert set(stage.oracle) == {f"{corpus}/{file}" for corpus in "ab" for file in ("model.ubj", "manifest.json")}
    assert stage.oracle["a/model.ubj"] != stage.ranker["a/model.ubj"]


def test_the_report_can_be_written_as_strict_json(stage):
    assert json.loads(json.dumps(stage.report, allow_nan=False)) == stage.report
    assert list(stage.report["corpora"]["a"]["feature_importance"]) == list(NAMES)
    assert set(stage.table["quantity"]) >= {"mean", "difference"}


def test_the_report_says_which_trial_was_taken_by_which_rule_and_in_which_search(stage):
    facts = stage.report["corpora"]["a"]
    trial = facts["choice"]["trial"]
    assert (trial["rule"], trial["reason"]) == ("mean", "the highest mean NDCG over folds")
    assert trial["number"] == trial["best"] == facts["cross_validation"]["trial"]
    assert trial["size"] == trial["best_size"] > 0
    assert (facts["learner"], facts["search_max_rows"]) == ("xgboost", None)


def test_a_rerun_gives_the_same_bytes_and_a_retrain_does_not_read_stale_files(spark, stage, folder):
    other = _run(spark, folder, _rows("a", seed=5), judged=False)
    assert other.oracle == {}
    assert other.report["corpora"]["a"]["truth"] == "clicks"
    assert "oracle" not in other.report["corpora"]["a"]["ndcg@10"]
    rows = [*_rows("poor", max_grade=0), *_rows("b", seed=1)[::-1], *_rows("a")]
    again = _run(spark, folder, rows, n_partitions=5)
    assert again.ranker == stage.ranker
    assert again.oracle == stage.oracle
    assert again.report == stage.report
    assert other.ranker["a/model.ubj"] != stage.ranker["a/model.ubj"]


class _Known:
    """A feature source that knows the values already."""

    def __init__(self, found: DataFrame) -> None:
        self._found = found

    def collect(self, pairs: DataFrame, *, documents: DataFrame, feature_set: FeatureSet) -> DataFrame:
        return pairs.join(self._found, "doc_id")


def test_a_linear_ranker_is_trained_measured_exported_and_explained(spark, folder, caplog):
    # The source has no value of "noise" at all: the feature set says that engines serve 0 then.
    rows = [(*row[:13], (*row[13][:2], math.nan), *row[14:]) for row in _rows("a")]
    stage = _run(spark, folder, rows, ranker="linear")
    assert {row.features.noise for row in stage.matrix.collect()} == {0.0}
    assert "nothing is learned from features with one value in all rows: noise (0)" in caplog.text
    facts = stage.report["corpora"]["a"]
    assert facts["ndcg@10"]["ranker"]["mean"] > facts["ndcg@10"]["baseline"]["mean"]
    assert (facts["ranker"], facts["n_trials"]) == ("linear", PARAMS.n_trials)
    assert min(facts["feature_importance"][name] for name in NAMES[:2]) > facts["feature_importance"]["noise"]

    targets = ["opensearch_ltr", "elasticsearch_ltr", "solr_ltr", "json"]
    checks = {"tolerance": 1e-5, "n_vectors": 100, "n_ties": 10, "engine": None, "accept_worse": False}
    wanted = ExportParams.model_validate({"targets": [{"name": name} for name in targets], **checks})
    candidates, failures, _ = export_nodes.export(stage.ranker, stage.verdicts, {}, wanted)
    exported = candidates.files
    parities = [json.loads(content) for name, content in exported.items() if name.endswith("/parity.json")]
    assert (failures, len(parities)) == ([], len(targets))
    assert max(parity["max_abs_difference"] for parity in parities) <= 1e-6

    offline = open_ranker("a", ranker=stage.ranker, exported=exported)
    values = stage.matrix.where("query = 'term1'").select("doc_id", "features")
    documents = values.selectExpr("doc_id", "'a' AS corpus")
    candidates = SparkCandidates("a", documents, _Known(values), offline.trained.feature_set)
    found = offline.rank(["any"], candidates=candidates, n_candidates=8)
    first, *_, last = found["any"]
    weights = dict(zip(NAMES, offline.trained.form.weights.tolist(), strict=True))
    for found in (first, last):
        (vector,) = values.where(f"doc_id = '{found.doc_id}'").collect()
        assert found.contributions == pytest.approx({n: weights[n] * vector.features[n] for n in NAMES}, abs=1e-6)
        assert found.score == pytest.approx(sum(found.contributions.values()), abs=1e-6)
    assert first.score > last.score


def test_auto_chooses_a_ranker_for_each_corpus_and_says_why(spark, folder):
    # In "flat" people's clicks follow body_bm25 alone: nothing that is learned can do better than it.
    flat = [
        (*row[:4], None if row[4] is None else int(np.digitize(row[13][0], [0.3, 0.6, 0.9])), *row[5:])
        for row in _rows("flat")
    ]
    stage = _run(spark, folder, [*_rows("a"), *flat], ranker="auto")
    flat_facts, facts = stage.report["corpora"]["flat"], stage.report["corpora"]["a"]
    assert (flat_facts["ranker"], facts["ranker"]) == ("baseline", "linear")
    assert set(facts["choice"]["candidates"]) == {"baseline", "linear", "xgboost"}
    assert facts["choice"]["candidates"]["baseline"]["behind"] > 0
    assert flat_facts["choice"]["candidates"]["baseline"]["behind"] == 0
    assert "in cross-validation" in flat_facts["choice"]["reason"]
    measured = flat_facts["ndcg@10"]
    assert measured["ranker"] == measured["baseline"]
    # What can be learned from people's grades is shown beside it.
    assert measured["oracle"]["mean"] > measured["ranker"]["mean"]
    assert json.loads(stage.verdicts["flat/verdict.json"])["ranker"] == {
        "name": "baseline",
        "options": {"feature": "body_bm25"},
    }
    assert flat_facts["feature_importance"] == {"body_bm25": 1.0, "popularity": 0.0, "noise": 0.0}
    checks = {"tolerance": 1e-5, "n_vectors": 100, "n_ties": 10, "engine": None, "accept_worse": False}
    targets = [{"name": name} for name in ("opensearch_ltr", "elasticsearch_ltr", "solr_ltr", "json")]
    wanted = ExportParams.model_validate({"targets": targets, **checks})
    exported, failures, _ = export_nodes.export(stage.ranker, stage.verdicts, {}, wanted)
    parities = [json.loads(content) for name, content in exported.files.items() if name.endswith("/parity.json")]
    assert (failures, len(parities)) == ([], 2 * len(targets))
    assert max(parity["max_abs_difference"] for parity in parities) <= 1e-6


def test_a_run_whose_every_corpus_fails_stops(spark, folder):
    training_rows, _ = _tables(spark, _rows("poor", max_grade=0))
    matrix, _ = nodes.build_training_matrix(training_rows, None, PARAMS, FEATURES, "english")
    with pytest.raises(DataError, match="'poor' failed in training"):
        nodes.tune(_store(spark, matrix, folder / "poor", "corpus"), PARAMS, SEED)


def test_another_feature_set_than_the_rows_have_is_refused(spark):
    training_rows, _ = _tables(spark, _rows("a", n_queries=1))
    fewer = FeatureSet(name="test", features=FEATURES.features[:2])
    with pytest.raises(SchemaError, match="'noise' is not in the set"):
        nodes.build_training_matrix(training_rows, None, PARAMS, fewer, "english")


def test_kedro_checks_the_parameters_of_every_node():
    found = TypeExtractor({"training": create_pipeline()}).extract_types_from_pipelines()
    assert found == {"training": TrainingParams, "feature_set": FeatureSet}
