from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kedro.io import DataCatalog

from rankhammer import schemas, settings
from rankhammer.config_loader import ConfigLoader
from rankhammer.datasets import InputDataset
from rankhammer.feature_sets import FeatureSet
from rankhammer.pipelines.folding.params import FoldingParams
from rankhammer.pipelines.training.params import TrainingParams

if TYPE_CHECKING:
    from types import ModuleType

    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data" / "lightgbm_lambdarank"


@pytest.fixture(scope="module")
def config() -> ConfigLoader:
    return ConfigLoader(str(ROOT / "conf"), env="lambdarank", **settings.CONFIG_LOADER_ARGS)


@pytest.fixture(scope="module")
def benchmark_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lambdarank_benchmark", ROOT / "benchmarks" / "lambdarank.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_feature_rows_are_an_input_of_the_environment(config: ConfigLoader) -> None:
    catalog = DataCatalog.from_config(config["catalog"])
    assert isinstance(catalog["feature_rows"], InputDataset)


def test_parameters_of_the_environment_are_valid_and_fit_each_other(config: ConfigLoader) -> None:
    parameters = config["parameters"]
    feature_set = FeatureSet(**parameters["feature_set"])
    assert feature_set.names == tuple(f"feature_{n}" for n in range(1, 301))
    assert TrainingParams(**parameters["training"]).baseline_feature in feature_set.names
    assert FoldingParams(**parameters["folding"]).test_pattern == "^test "


@pytest.mark.real
@pytest.mark.skipif(not DATA.exists(), reason="the real data set is not beside the repository")
def test_files_become_feature_rows_whose_test_queries_match_the_pattern(
    benchmark_module: ModuleType, spark: SparkSession, tmp_path: Path
) -> None:
    split = benchmark_module.read_split(DATA, "test")
    path = tmp_path / "rows.parquet"
    benchmark_module.pq.write_table(benchmark_module.to_feature_rows(split, "test"), path)
    rows = spark.read.parquet(str(path))
    assert schemas.FEATURE_ROWS.check(rows) is rows
    assert rows.where("query rlike '^test '").count() == 768
    first = (
        rows.where("doc_id = 'test:00001'").selectExpr("grade", "features.feature_1", "features.feature_2").collect()
    )
    assert [(row.grade, round(row.feature_1, 2), row.feature_2) for row in first] == [(2, 0.74, 0.0)]
