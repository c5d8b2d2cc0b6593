from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError

from rankhammer import schemas
from rankhammer.pipelines.folding.params import FoldingParams
from rankhammer.pipelines.folding.pipeline import create_pipeline

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CONF = Path(__file__).parents[3] / "conf" / "base"


def _base_params() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CONF / "parameters" / "folding.yml").read_text())["folding"]
    return loaded


def _feature_rows(spark: SparkSession, n_clusters: dict[str, int]) -> DataFrame:
    rows = [
        (corpus, f"query {n}", f"c{n}", f"d{d}", 0.5, 1 if d else None, 1.0, 9, 9.0, 3, 1.5, 0.1, 0.4, 0.2)
        for corpus, clusters in n_clusters.items()
        for n in range(clusters)
        for d in range(3)
    ]
    types = ", ".join(f"{name} {kind}" for name, kind in schemas.JUDGMENTS.columns.items())
    return spark.createDataFrame(rows, types).selectExpr("*", "named_struct('bm25', float(1)) as features")


def test_stage_folds_the_corpora_that_have_enough_clusters_and_reports_the_others(spark: SparkSession) -> None:
    data = {
        "feature_rows": _feature_rows(spark, {"de": 30, "fr": 24, "tiny": 3}),
        "params:folding": FoldingParams(**_base_params()),
        "params:random_state": 42,
        "params:corpora": None,
        "params:holdout": "clusters",
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in data.items()})
    outputs = SequentialRunner().run(create_pipeline(), catalog)
    report = outputs["folding_report"].load()
    assert list(report["corpora"]) == ["de", "fr"]
    assert [(failure["corpus"], failure["stage"]) for failure in report["failures"]] == [("tiny", "folding")]
    german = report["corpora"]["de"]
    assert (german["n_rows"], german["n_queries"], german["n_clusters"]) == (90, 30, 30)
    assert german["test_share"] == pytest.approx(0.2, abs=3 / 90)
    assert sum(fold["n_graded_rows"] for fold in german["folds"]) == 60
    assert [bar.name for bar in outputs["fold_balance"].load().data] == ["test", *(f"fold {n}" for n in range(5))]


def test_kedro_finds_the_type_of_the_parameters() -> None:
    found = TypeExtractor({"folding": create_pipeline()}).extract_types_from_pipelines()
    assert found["folding"] is FoldingParams


def test_every_parameter_has_its_value_in_the_configuration() -> None:
    assert set(_base_params()) == set(FoldingParams.model_fields)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_folds": 1},
        {"test_share": 0.0},
        {"test_share": 0.6},
        {"test_pattern": "("},
        {"test_pattern": ""},
        {"n_fold": 5},
    ],
)
def test_a_wrong_parameter_stops_the_run_before_any_node(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FoldingParams(**{**_base_params(), **wrong})
