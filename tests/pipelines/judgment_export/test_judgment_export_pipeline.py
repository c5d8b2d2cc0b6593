"""Rules of the judgment export."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from rankhammer.datasets import FilesDataset
from rankhammer.errors import ConfigError, PluginError
from rankhammer.pipeline_registry import register_pipelines
from rankhammer.pipelines.judgment_export.params import JudgmentExportParams
from rankhammer.pipelines.judgment_export.pipeline import create_pipeline
from rankhammer.schemas import JUDGMENTS

CONF = Path(__file__).parents[3] / "conf" / "base"
ALL = [{"name": "srw"}, {"name": "quepid"}, {"name": "trec"}]


def judgments(spark, grades):
    rows = [
        ("main", "red shoe", "c1", f"d{n}", 0.5, grade, 1.0, 3, 2.0, 1, 1.5, 0.1, 0.2, 0.5)
        for n, grade in enumerate(grades)
    ]
    return spark.createDataFrame(rows, ", ".join(f"{name} {kind}" for name, kind in JUDGMENTS.columns.items()))


def run(table, targets, folder) -> dict[str, bytes]:
    exported = FilesDataset(filepath=str(folder))
    catalog = DataCatalog(
        {
            "judgments": MemoryDataset(table, copy_mode="assign"),
            "params:judgment_export": MemoryDataset(JudgmentExportParams.model_validate({"targets": targets})),
            "exported_judgments": exported,
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return exported.load()


def test_every_target_is_saved_in_a_folder_of_its_own(spark, tmp_path) -> None:
    saved = run(judgments(spark, [0, None, 4]), ALL, tmp_path / "exported_judgments")
    assert saved["main/quepid/ratings.csv"] == b"query,docid,rating\nred shoe,d0,0\nred shoe,d2,4\n"
    assert saved["main/trec/qrels.txt"] == b"c1 0 d0 0\nc1 0 d2 4\n"
    assert saved["main/trec/topics.tsv"] == b"c1\tred shoe\n"
    assert "main/srw/judgments-0001.json" in saved


def test_without_targets_an_empty_folder_is_finished(spark, tmp_path) -> None:
    assert run(judgments(spark, [1]), [], tmp_path / "exported_judgments") == {}


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        ([{"name": "qupid"}], PluginError, "Did you mean 'quepid'"),
        ([{"name": "trec", "options": {"escap": True}}], PluginError, "escap"),
        ([{"name": "srw", "options": {"max_nested_objects": 1}}], PluginError, "max_nested_objects"),
        ([{"name": "trec"}] * 2, ConfigError, "'trec' twice"),
    ],
)
def test_a_wrong_target_is_refused_before_any_node(targets, error, message) -> None:
    with pytest.raises(error, match=message):
        JudgmentExportParams.model_validate({"targets": targets})


def test_inputs_outputs_and_parameters_are_configured() -> None:
    catalogued = yaml.safe_load((CONF / "catalog" / "judgment_export.yml").read_text())
    values = yaml.safe_load((CONF / "parameters" / "judgment_export.yml").read_text())
    assert create_pipeline().all_outputs() == catalogued.keys()
    assert create_pipeline().inputs() == {"judgments", "params:judgment_export"}
    assert JudgmentExportParams.model_validate(values["judgment_export"]).targets == ()


def test_the_example_in_the_configuration_is_right() -> None:
    lines = (CONF / "parameters" / "judgment_export.yml").read_text().splitlines()
    example = "\n".join(line.replace("  #  ", "  ", 1) for line in lines if line.startswith("  #  "))
    params = JudgmentExportParams.model_validate({"targets": yaml.safe_load(example)})
    assert [choice.name for choice in params.targets] == ["srw", "quepid", "trec"]


def test_it_is_part_of_collect_but_not_of_train() -> None:
    pipelines = register_pipelines()
    holders = {name for name, found in pipelines.items() if "exported_judgments" in found.all_outputs()}
    assert holders == {"judgment_export", "collect", "__default__"}
