"""A run on some corpora: theirs are made again, and what is published of the others stays."""

from __future__ import annotations

import json

EXPORT = "data/07_model_output/exported_model"


def published(project) -> dict[str, bytes]:
    folder = project.path / EXPORT / "current"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def states(project) -> dict[str, str]:
    return {corpus: status["state"] for corpus, status in project.summary()["status"].items()}


def test_a_corpus_that_is_trained_alone_is_the_same_ranker_and_the_other_stays_published(warm_finished, tmp_path):
    project = warm_finished.copy(tmp_path / "some")
    before = published(project)
    output = project.kedro("run", "--pipeline=train", "--params", "corpora=stdlib")
    assert "ingest:" not in output
    assert "kept from before" in output
    assert published(project) == before
    assert states(project) == {"stdlib": "done", "network": "kept from before"}
    # The ranker refers to one corpus; exporting it again must not take the other away, and its files are there, too.
    project.kedro("run", "--pipelines=export")
    assert published(project) == before
    assert states(project)["network"] == "kept from before"
    assert sorted(path.name for path in (project.path / "data/06_models/ranker").glob("[a-z]*")) == [
        "network",
        "stdlib",
    ]
    pointer = json.loads(max((project.path / EXPORT / "pointers").iterdir()).read_text())
    assert pointer["kept"] == {"network": pointer["version"]}
