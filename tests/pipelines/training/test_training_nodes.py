"""The training stage from training rows to its report, on two small corpora whose truth is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from kedro.validation.type_extractor import TypeExtractor

from rankhammer import schemas
from rankhammer.errors import DataError, SchemaError
from rankhammer.exporters.linear_form import read_linear
from rankhammer.feature_sets import FeatureSet
from rankhammer.pipelines.export import nodes as export_nodes
from rankhammer.pipelines.export.params import ExportParams
from rankhammer.pipelines.training import nodes
from rankhammer.pipelines.training.params import TrainingParams
from rankhammer.pipelines.training.pipeline import create_pipeline
from rankhammer.query_norm import add_query_columns
from rankhammer.ranking import open_ranker

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

    matrix: DataFrame
    ranker: dict[str, bytes]
    oracle: dict[str, bytes]
    failures: list[dict[str, str]]
    evaluation: DataFrame
    report: dict[str, Any]
    table: Any


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
    matrix = nodes.build_training_matrix(
        training_rows.repartition(n_partitions), reference, params, FEATURES, "english"
    )
    matrix = _store(spark, matrix, folder / "matrix", "corpus")
    trials, failures = nodes.tune(matrix, params, SEED)
    trials = _store(spark, schemas.TUNING_TRIALS.check(trials), folder / "trials")
    made, oracle, failures = nodes.train_ranker(matrix, trials, failures, params, FEATURES, SEED)
    measured = _store(spark, nodes.evaluate(matrix, made, oracle, reference, params, "english"), folder / "evaluation")
    report, _, _, table = nodes.report_training(measured, trials, made, failures, params, SEED)
    return Stage(matrix, made, oracle, failures, schemas.EVALUATION.check(measured), report, table)


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


def test_a_corpus_that_fails_is_reported_and_the_others_go_on(stage):
    assert [(failure["corpus"], failure["stage"]) for failure in stage.report["failures"]] == [("poor", "training")]
    assert set(stage.report["corpora"]) == {"a", "b"}
    assert {name.split("/")[0] for name in stage.ranker} == {"a", "b"}
    assert {row.corpus for row in stage.evaluation.select("corpus").distinct().collect()} == {"a", "b"}


def test_the_oracle_is_kept_apart_from_the_ranker(stage):
    assert set(stage.oracle) == {"a/model.ubj", "b/model.ubj"}
    assert stage.oracle["a/model.ubj"] != stage.ranker["a/model.ubj"]


def test_the_report_can_be_written_as_strict_json(stage):
    assert json.loads(json.dumps(stage.report, allow_nan=False)) == stage.report
    assert list(stage.report["corpora"]["a"]["feature_importance"]) == list(NAMES)
    assert set(stage.table["quantity"]) >= {"mean", "difference"}


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


def test_a_linear_ranker_is_trained_measured_exported_and_explained(spark, folder):
    rows = _rows("a")
    stage = _run(spark, folder, rows, ranker="linear")
    facts = stage.report["corpora"]["a"]
    assert facts["ndcg@10"]["ranker"]["mean"] > facts["ndcg@10"]["baseline"]["mean"]
    assert (facts["ranker"], facts["n_trials"]) == ("linear", PARAMS.n_trials)
    assert min(facts["feature_importance"][name] for name in NAMES[:2]) > facts["feature_importance"]["noise"]

    targets = ["opensearch_ltr", "elasticsearch_ltr", "solr_ltr", "json"]
    checks = {"tolerance": 1e-5, "n_vectors": 100, "n_ties": 10, "engine": None}
    wanted = ExportParams.model_validate({"targets": [{"name": name} for name in targets], **checks})
    exported, failures = export_nodes.export(stage.ranker, {}, wanted)
    parities = [json.loads(content) for name, content in exported.items() if name.endswith("/parity.json")]
    assert (failures, len(parities)) == ([], len(targets))
    assert max(parity["max_abs_difference"] for parity in parities) <= 1e-6

    offline = open_ranker("a", ranker=stage.ranker, exported=exported)
    values = stage.matrix.where("query = 'term1'").select("doc_id", "features")
    documents = values.selectExpr("doc_id", "'a' AS corpus")
    first, *_, last = offline.rank("any", documents=documents, source=_Known(values), n_candidates=8)
    weights = dict(zip(NAMES, read_linear(offline.trained).weights.tolist(), strict=True))
    for found in (first, last):
        (vector,) = values.where(f"doc_id = '{found.doc_id}'").collect()
        assert found.contributions == pytest.approx({n: weights[n] * vector.features[n] for n in NAMES}, abs=1e-6)
        assert found.score == pytest.approx(sum(found.contributions.values()), abs=1e-6)
    assert first.score > last.score


def test_a_run_whose_every_corpus_fails_stops(spark, folder):
    training_rows, _ = _tables(spark, _rows("poor", max_grade=0))
    matrix = nodes.build_training_matrix(training_rows, None, PARAMS, FEATURES, "english")
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
