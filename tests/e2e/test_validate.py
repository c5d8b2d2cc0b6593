"""`rankhammer validate` says what is in a log, ends with 2 where a run would fail, and changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WRONG = """\
click_log:
  path: data/01_raw/demo/click_log
  format: parquet
  reader: impressions
  options: {columns: {query: search_term}}
"""


def files_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_sound_log_is_told_from_a_wrong_one(warm_project, tmp_path):
    project = warm_project.copy(tmp_path / "validated")
    before = files_of(project.path / "data")
    page = tmp_path / "build" / "log.html"
    text = project.rankhammer("validate", "--html", str(page))
    assert "stdlib: " in text
    assert "position   1 " in text
    assert "0 errors" in text
    assert "Click-through by position" in page.read_text()
    project.configure("parameters.yml", "ingestion: {max_serps_per_day: {default: 3, corpora: {gone: 5}}}\n")
    found = json.loads(project.rankhammer("validate", "--json", "--params=corpora=network"))
    assert set(found["corpora"]) == {"network"}
    robots = found["corpora"]["network"]["robots"]["searches of a session"]
    assert robots["n_serps"] == found["corpora"]["network"]["n_robot_serps"] > 0
    assert any(one["topic"] == "robots" and "(hashed)" in one["message"] for one in found["findings"])
    assert found["corpora"]["network"]["profile"]["unknown"]["n_unknown"] == 0
    faulty = tmp_path / "faulty"
    said = project.rankhammer("validate", "--faulty", str(faulty), "--params=ingestion.max_documents=3", expect=2)
    assert "warning gone: corpora: It has settings of its own" in said
    lines = [json.loads(line) for part in faulty.glob("*.json") for line in part.read_text().splitlines()]
    assert {line["reason"] for line in lines} == {"too_long"}
    assert all(len(json.loads(line["page"])["doc_ids"]) > 3 for line in lines)
    assert "is there already" in project.rankhammer("validate", "--faulty", str(faulty), expect=2)
    project.configure("globals.yml", WRONG)
    refused = project.rankhammer("validate", expect=2)
    assert "error   inputs: The click log has no column 'search_term'" in refused
    assert "click_log.options.columns.query" in refused
    assert files_of(project.path / "data") == before
