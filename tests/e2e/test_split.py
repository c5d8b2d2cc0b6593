"""A part of a data set that was cut by `rankhammer split` runs by itself."""

from __future__ import annotations

import pyarrow.parquet as pq
import yaml


def test_a_part_runs_by_itself_and_bad_input_is_refused(warm_project, tmp_path):
    project = warm_project.copy(tmp_path / "cut")
    said = project.rankhammer("split", "small", "--share", "0.5", "--shown-only", "--params=corpora=network")
    assert "kedro run --env=small" in said
    folder = project.path / "data" / "small"
    settings = yaml.safe_load((project.path / "conf" / "small" / "globals.yml").read_text())
    assert settings["click_log"] == {
        "path": f"{folder}/click_log", "format": "parquet", "load_args": {}, "reader": "serps", "options": {},
    }  # fmt: skip
    pages = pq.read_table(folder / "click_log").to_pylist()
    documents = pq.read_table(folder / "documents").to_pylist()
    assert {page["corpus"] for page in pages} == {document["corpus"] for document in documents} == {"network"}
    shown = {doc for page in pages for doc in page["doc_ids"]}
    assert shown <= {document["doc_id"] for document in documents}
    whole = pq.read_table(project.path / "data" / "01_raw" / "demo" / "click_log", columns=["corpus", "serp_id"])
    n_whole = len({row["serp_id"] for row in whole.to_pylist() if row["corpus"] == "network"})
    assert 0.2 * n_whole < len(pages) < 0.8 * n_whole
    project.kedro("run", "--env=small", "--pipeline=ingestion")
    assert (folder / "run" / "03_primary" / "serps" / "_fingerprint.json").exists()
    for arguments, message in (
        (["small"], "is there already"),
        (["../up"], "is no name of an environment"),
        (["other", "--share", "0"], "is not above 0"),
        (["other", "--days", "2024-05-07:2024-05-01"], "is no range of days"),
        (["other", "--days", "1999-01-01"], "No result page is left"),
        (["other", "--params=corpora=nowhere"], "nowhere"),
    ):
        assert message in project.rankhammer("split", *arguments, expect=2)
    assert not (project.path / "conf" / "other").exists()
