"""README's recipe for a log of one's own, typed to the letter on a shop's files, ends in a verdict without an edit."""

from __future__ import annotations

import re
from pathlib import Path

from own_shop import SHOPS, make_shop

README = (Path(__file__).parents[2] / "README.md").read_text()
NAMES = {"klicks.csv": "clicks.csv", "artikel.jsonl": "products.jsonl", "noten.csv": "grades.csv"}
SMALL = """\
training: {n_trials: 1, batch_size: 1, n_rounds: 5}
folding: {n_folds: 2}
labeling: {held_out: {enabled: false}}
"""


def recipe() -> list[list[str]]:
    part = README.partition("## Bring your own log")[2].partition("```")[0]
    lines = re.findall(r"^    ((?:rankhammer|kedro) [^#\n]*)", part, re.MULTILINE)
    return [line.split() for line in lines]


def test_the_recipe_of_the_readme_ends_in_a_verdict_on_a_shop_of_one_s_own(warm_project, tmp_path):
    project = warm_project.copy(tmp_path / "shop")
    project.configure("parameters.yml", SMALL)
    make_shop(project.path / "data", n_pages=240)
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
    again = project.kedro("run", "--only-missing-outputs")
    assert "Nothing to do" in again
    refused = project.rankhammer("plan", "--params=training.baseline_feature=body_bm25,language=english", expect=2)
    assert "training.baseline_feature names feature 'body_bm25'" in refused
    assert "Hint: Known names: beschreibung_bm25" in refused
    alone = project.kedro("run", "--pipeline=judgment_export", expect=2)
    assert "judgment_export.targets names no tool" in alone
    written_over = project.rankhammer(*commands[0][1:], expect=2)
    assert "--force" in written_over
