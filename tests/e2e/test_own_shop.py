"""README's recipe for a log of one's own, typed to the letter on a shop's files, ends in a verdict without an edit."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from own_shop import SHOPS, make_shop

README = (Path(__file__).parents[2] / "README.md").read_text()
NAMES = {"klicks.csv": "clicks.csv", "artikel.jsonl": "products.jsonl", "noten.csv": "grades.csv"}
SMALL = """\
training: {n_trials: 1, batch_size: 1, n_rounds: 5}
folding: {n_folds: 2}
labeling: {held_out: {enabled: false}}
"""


USER, ADDRESS = "kunde-nr-", "198.51.100."


def name_visitors(log: Path) -> None:
    """Say who searched, and from where, in place of sessions."""
    with log.open(encoding="utf-8", newline="") as file:
        rows = [dict(row) for row in csv.DictReader(file, delimiter=";")]
    for row in rows:
        visit = int(row.pop("Sitzung")[1:])
        row |= {"Kunden-Id": f"{USER}{visit}", "IP-Adresse": f"{ADDRESS}{visit % 250}"}
    with log.open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, list(rows[0]), delimiter=";")
        written.writeheader()
        written.writerows(rows)


def ingestion_report(project) -> dict[str, Any]:
    return json.loads((project.path / "data/08_reporting/ingestion_report.json").read_text())


def texts_below(folder: Path) -> dict[Path, str]:
    """Read every file below a folder; of Parquet, which is packed, the values."""
    files = [
        path for name in ("data", "conf", "logs", "build") for path in (folder / name).rglob("*") if path.is_file()
    ]
    return {
        path: str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_bytes().decode("latin-1")
        for path in files
    }


def recipe() -> list[list[str]]:
    part = README.partition("## Bring your own log")[2].partition("```")[0]
    lines = re.findall(r"^    ((?:rankhammer|kedro) [^#\n]*)", part, re.MULTILINE)
    return [line.split() for line in lines]


def test_the_recipe_of_the_readme_ends_in_a_verdict_on_a_shop_of_one_s_own(warm_project, tmp_path):
    project = warm_project.copy(tmp_path / "shop")
    project.configure("parameters.yml", SMALL)
    make_shop(project.path / "data", n_pages=240)
    name_visitors(project.path / "data" / "klicks.csv")
    for own, named in NAMES.items():
        (project.path / "data" / own).rename(project.path / "data" / named)
    commands = recipe()
    assert [command[:2] for command in commands] == [
        ["rankhammer", "init-log"],
        ["rankhammer", "plan"],
        ["kedro", "run"],
    ]
    outputs = [getattr(project, name)(*arguments) for name, *arguments in commands]
    assert "sure" in outputs[0]
    assert "Note:" not in outputs[1]
    assert re.search(r"click_log +there +.*data/clicks.csv", outputs[1])
    summary = project.summary()
    assert set(summary["corpora"]) == set(SHOPS)
    assert {facts["state"] for facts in summary["status"].values()} == {"done"}
    assert summary["failures"] == []
    assert all(facts["verdict"] for facts in summary["corpora"].values())
    # Users and addresses made sessions, and left ingestion nowhere: not in a table, a report, a log or a setting.
    assert all(report["sessions"]["made"] for report in ingestion_report(project)["corpora"].values())
    written = {path: text for path, text in texts_below(project.path).items() if path.name != NAMES["klicks.csv"]}
    assert any("serps" in path.parts for path in written)
    said = {f"commands {number}": text for number, text in enumerate(outputs)}
    assert [str(place) for place, text in {**written, **said}.items() if USER in text or ADDRESS in text] == []
    again = project.kedro("run", "--only-missing-outputs")
    assert "Nothing to do" in again
    refused = project.rankhammer("plan", "--params=training.baseline_feature=body_bm25,language=english", expect=2)
    assert "training.baseline_feature names feature 'body_bm25'" in refused
    assert "Hint: Known names: beschreibung_bm25" in refused
    alone = project.kedro("run", "--pipeline=judgment_export", expect=2)
    assert "judgment_export.targets names no tool" in alone
    written_over = project.rankhammer(*commands[0][1:], expect=2)
    assert "--force" in written_over
