"""After a run, kedro-viz knows the sizes of its tables; without kedro-viz nothing is written."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline
from pyarrow import parquet

from rankhammer.datasets import TableDataset
from rankhammer.hooks.viz_hook import STATS, VizHook

LINE = pipeline([node(lambda rows: rows, "feature_rows", "training_rows", name="fold")])


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n")
    (tmp_path / "rows").mkdir()
    parquet.write_table(pa.table({"qid": [1, 2, 3]}), tmp_path / "rows/part-0.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ended(project) -> None:
    tables = {"feature_rows": "rows", "training_rows": "none"}
    catalog = DataCatalog({name: TableDataset(filepath=str(project / path)) for name, path in tables.items()})
    VizHook().after_pipeline_run(LINE, catalog)


def test_sizes_of_tables_stand_beside_those_that_kedro_viz_has_written(project):
    (project / STATS).parent.mkdir()
    (project / STATS).write_text('{"ndcg_summary": {"rows": 2}}')
    ended(project)
    found = json.loads((project / STATS).read_text())
    size = (project / "rows/part-0.parquet").stat().st_size
    assert found == {"ndcg_summary": {"rows": 2}, "feature_rows": {"rows": 3, "columns": 1, "file_size": size}}


def test_nothing_is_written_without_kedro_viz_or_over_a_damaged_file(project):
    ended(project)
    assert not (project / STATS).exists()
    (project / STATS).parent.mkdir()
    (project / STATS).write_text("{")
    ended(project)
    assert (project / STATS).read_text() == "{"
