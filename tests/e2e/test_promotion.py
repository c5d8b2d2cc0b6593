"""Which ranker is current, by hand: a worse one is refused, a better one passes, and each step can be taken back."""

from __future__ import annotations

import json

import pytest

from rankhammer.exit_codes import NOT_PROMOTED
from rankhammer.storage.publication import VersionStore

PUBLISHED = "data/07_model_output/exported_model"
CORPUS = "stdlib"
BY_HAND = """
training: {n_trials: 2, batch_size: 2, n_rounds: 20, ranker: {name: baseline}}
export: {promotion: by_hand}
"""


@pytest.fixture(scope="module")
def project(finished_project, command_server, tmp_path_factory):
    """A finished project in which a second ranker waits: the baseline's order, for promotion by hand."""
    folder = tmp_path_factory.mktemp("promotion") / "project"
    project = finished_project[0].copy(folder).served_by(command_server)
    project.configure("parameters.yml", BY_HAND)
    return project


def rankers(project, *arguments: str) -> list[dict]:
    return json.loads(project.rankhammer("rankers", *arguments, "--json"))


def states(project) -> dict[str, str]:
    return {entry["ranker"]: entry["state"] for entry in rankers(project, "--corpus", CORPUS)}


def current(project) -> str | None:
    return (VersionStore(str(project.path / PUBLISHED)).newest().rankers or {}).get(CORPUS)


@pytest.fixture(scope="module")
def ids(project) -> tuple[str, str]:
    """Ids of the first ranker, which is current, and of the second one, which waits."""
    (first,) = rankers(project, "--corpus", CORPUS)
    assert first["state"] == "current"
    output = project.kedro("run", "--pipelines=training,export")
    assert f"rankhammer promote {CORPUS}" in output
    assert "to be promoted by hand" in output
    # The new rankers were measured beside those that are current until now, on the same queries.
    compared = project.summary()["corpora"][CORPUS]
    assert compared["champion"] == first["ranker"]
    assert compared["verdicts"]["champion"]["mean"] < 0
    assert compared["ndcg@10"]["champion"] == pytest.approx(first["evidence"]["measured"]["ranker"], abs=1e-9)
    assert output.count("current before") == 2 * len(project.summary()["corpora"])
    second, before = rankers(project, "--corpus", CORPUS)
    assert (second["state"], before["state"]) == ("held back", "current")
    assert before["ranker"] == first["ranker"] == current(project)
    assert project.summary()["held_back"].keys() == {"stdlib", "network"}
    return first["ranker"], second["ranker"]


def test_the_list_has_the_evidence_of_the_report_and_what_the_ranker_comes_from(finished_project, project, ids):
    report = json.loads((finished_project[0].path / "data/08_reporting/training_report.json").read_text())
    entry = rankers(project, "--corpus", CORPUS)[1]
    expected = report["corpora"][CORPUS]
    assert entry["evidence"]["measured"] == expected["ndcg@10"]
    assert entry["evidence"]["test_queries"] == expected["test_queries"]
    assert entry["inputs"].keys() >= {"click_log", "documents"}
    assert entry["code"]
    text = project.rankhammer("rankers")
    assert all(one in text for one in (*ids, "current", "held back", f"{expected['ndcg@10']['ranker']['mean']:.3f}"))


def test_the_figures_of_training_say_what_was_held_out(project, ids):
    found = project.summary()["by_stage"]["training"]["corpora"]
    assert {facts["holdout"] for facts in found.values()} == {"clusters, share 0.2, seed 42"}


def test_an_old_ranker_has_the_figures_of_its_report_on_the_same_test_queries(finished_project, project, ids):
    report = json.loads((finished_project[0].path / "data/08_reporting/training_report.json").read_text())
    expected = report["corpora"][CORPUS]
    found = json.loads(project.rankhammer("evaluate", ids[0], "--json"))
    assert found["is_unseen"] is True
    assert found["test_queries"] == expected["test_queries"]
    for truth, metrics in expected["metrics"].items():
        for metric, systems in metrics.items():
            for system in systems.keys() - {"oracle"}:
                assert found["metrics"][truth][metric][system] == pytest.approx(systems[system], abs=1e-9)


def test_a_folder_with_a_rankers_files_is_evaluated_beside_the_current_one(project, ids):
    folder = project.path / "data/06_models/ranker" / CORPUS
    found = json.loads(project.rankhammer("evaluate", str(folder), "--json"))
    assert (found["corpus"], found["ranker"], found["champion"], found["is_unseen"]) == (CORPUS, ids[1], ids[0], True)
    assert found["verdicts"]["champion"]["mean"] < 0
    assert found["verdicts"]["baseline"]["mean"] == 0
    text = project.rankhammer("evaluate", str(folder))
    assert "ranker minus the current ranker" in text


def test_a_worse_ranker_is_refused_and_nothing_changes(project, ids):
    number = VersionStore(str(project.path / PUBLISHED)).newest().number
    output = project.rankhammer("promote", CORPUS, expect=NOT_PROMOTED)
    assert "What was current stays." in output
    assert "--accept-without-gain" in output
    assert current(project) == ids[0]
    assert VersionStore(str(project.path / PUBLISHED)).newest().number == number


def test_the_way_there_and_back(project, ids):
    first, second = ids
    output = project.rankhammer("promote", CORPUS, second[:6], "--accept-without-gain", "a test")
    assert f"ranker {second} is current (before: {first})" in output
    assert states(project) == {first: "before the current one", second: "current"}
    assert (project.path / PUBLISHED / "current" / CORPUS / "json" / "model.json").exists()
    assert "is current already" in project.rankhammer("promote", CORPUS, second, expect=2)

    # Nothing has changed for a run: what is current was made of its inputs, parameters and code.
    assert "Nothing to do" in project.kedro("run", "--pipelines=export", "--only-missing-outputs")
    # The same ranker exported again stays current.
    project.kedro("run", "--pipelines=export")
    assert current(project) == second

    # The other way round there is a gain, and no reason is needed.
    found = json.loads(project.rankhammer("promote", CORPUS, first, "--json"))
    assert (found["is_promoted"], found["reason"], found["refusal"]) == (True, None, "")
    assert found["verdicts"]["champion"]["verdict"] == "better"
    assert current(project) == first
    assert states(project) == {first: "current", second: "held back"}

    assert f"ranker {second} is current again" in project.rankhammer("rankers", "rollback", CORPUS)
    moves = json.loads(project.rankhammer("rankers", "history", "--corpus", CORPUS, "--json"))
    assert [(move["ranker"], move["how"]) for move in moves] == [
        (second, "rollback"), (first, "promotion"), (second, "promotion"), (first, "export"),
    ]  # fmt: skip
    assert moves[2]["reason"] == "a test"
    assert moves[2]["evidence"]["verdicts"]["champion"]["mean"] < 0
    assert "without a gain: a test" in project.rankhammer("rankers", "history")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("promote", "stdlip"), "Did you mean 'stdlib'"),
        (("promote", CORPUS, "0000"), "the id of no registered ranker"),
        (("promote", CORPUS, "--accept-without-gain", " "), "has no reason"),
        (("evaluate", "nowhere/ranker"), "There is no folder nowhere/ranker"),
        (("evaluate", "current"), "several rankers"),
        (("rankers", "rollback", "network"), "No registered ranker of corpus 'network' was current before"),
    ],
)
def test_what_is_not_there_is_named(project, ids, arguments, message):
    assert message in project.rankhammer(*arguments, expect=2)


def test_a_challenger_that_was_measured_on_other_queries_is_refused(project, ids):
    waiting = rankers(project, "--corpus", "network")[0]["ranker"]
    project.configure("parameters.yml", BY_HAND + "folding: {test_share: 0.3}\n")
    project.kedro("run", "--pipelines=folding,training", "--to-nodes=build_training_matrix")
    output = project.rankhammer("promote", "network", waiting, expect=2)
    assert "was measured on other queries" in output
    assert "may have been trained on some of these" in output
    text = project.rankhammer("evaluate", waiting, "--corpus", "network")
    assert "may have been trained on some of them" in text
