"""A partial run leaves the figures of others as they are, and two runs can be compared."""

from __future__ import annotations

import pytest

from rankhammer.cli.runs import _difference_lines, _lines
from rankhammer.errors import DataError
from rankhammer.runs import history, summary
from rankhammer.runs.corpus_status import Scope
from rankhammer.runs.history import Started, by_stage, difference, find, identity
from rankhammer.spark.health import Health


def measured(mean: float) -> dict[str, float]:
    return {"mean": mean, "lower": mean - 0.1, "upper": mean + 0.1}


def reports(*corpora: str, n_serps: int = 10, ndcg: float = 0.5) -> dict:
    systems = {"ranker": measured(ndcg)}
    trained = {"truth": "clicks", "ndcg@10": systems, "metrics": {"clicks": {"ndcg@10": systems}}, "params": {"eta": 1}}
    return {
        "ingestion": {"corpora": {corpus: {"n_serps": n_serps, "words": {}} for corpus in corpora}, "failures": []},
        "training": {"corpora": dict.fromkeys(corpora, trained), "failures": [], "metric": "ndcg@10"},
    }


def run(name: str, found: dict, stages: tuple[str, ...] = ("ingestion", "training"), scope=None, **about) -> dict:
    scope = scope or Scope()
    seconds = dict.fromkeys(stages, 1.5)
    facts = summary.build(
        found, stages_run=stages, stage_seconds=seconds, total_s=3.0, published="x", scope=scope, health=Health()
    )
    lineage = {"parameters": {"training": {"n_trials": about.pop("n_trials", 2)}}, "inputs": {"click_log": "c"}}
    started = Started(name, None, history.now())
    figures = history.figures(found, stages)
    return history.record(started, facts, found=figures, params=scope.params, lineage=lineage, **about)


def test_a_run_of_one_stage_leaves_the_figures_of_the_others_with_the_run_that_made_them():
    first = by_stage(None, run("r1", reports("a", "b")), Scope())
    both = by_stage({"by_stage": first}, run("r2", reports("a", "b", n_serps=99), ("ingestion",)), Scope())
    assert (both["training"]["run"], both["ingestion"]["run"]) == ("r1", "r2")
    assert both["ingestion"]["corpora"]["a"] == {"run": "r2", "n_serps": 99}
    assert both["training"] == first["training"]
    assert both["training"]["corpora"]["a"]["ndcg@10"]["ranker"]["mean"] == 0.5


def test_a_run_on_one_corpus_leaves_the_figures_of_the_others():
    first = by_stage(None, run("r1", reports("a", "b")), Scope())
    some = Scope(corpora=["a"])
    both = by_stage({"by_stage": first}, run("r2", reports("a", ndcg=0.9), scope=some), some)
    of_corpus = {corpus: facts["run"] for corpus, facts in both["training"]["corpora"].items()}
    assert of_corpus == {"a": "r2", "b": "r1"}
    every = by_stage({"by_stage": both}, run("r3", reports("a")), Scope())
    assert set(every["training"]["corpora"]) == {"a"}


@pytest.mark.parametrize("before", [None, {}, {"by_stage": None}, {"by_stage": {"training": 3}}, {"corpora": {}}])
def test_a_summary_of_an_earlier_version_or_of_somebody_else_is_begun_again(before):
    assert set(by_stage(before, run("r1", reports("a"), ("ingestion",)), Scope())) == {"ingestion"}


def test_two_runs_differ_in_what_was_measured_counted_set_and_taken():
    found = difference(run("r1", reports("a")), run("r2", reports("a", n_serps=12, ndcg=0.7), n_trials=9))
    assert found["measured"]["training.a.ndcg@10.ranker.mean"] == [0.5, 0.7]
    assert found["data"]["ingestion.a.n_serps"] == [10, 12]
    assert found["parameters"] == {"training.n_trials": [2, 9]}
    assert found["inputs"] == found["made_by"] == {}
    assert found["seconds"]["total"] == [3.0, 3.0]
    text = "\n".join(_difference_lines({**found, "a": {**found["a"], "number": 1}, "b": {**found["b"], "number": 2}}))
    for line in ("ranker.mean  0.5 -> 0.7  (+0.2)", "n_serps  10 -> 12  (+2)", "n_trials  2 -> 9  (+7)"):
        assert line in text
    assert "Inputs (checksum): the same" in text
    assert "metrics.clicks" not in text


def test_a_run_without_a_figure_of_the_other_is_compared_all_the_same():
    found = difference(run("r1", reports("a")), run("r2", reports("a"), ("ingestion",)))
    assert found["measured"]["training.a.ndcg@10.ranker.mean"] == [0.5, None]


def test_a_failed_run_says_why_in_its_first_line():
    failed = run("r1", {}, (), error="no space left\nHint: free some")
    assert (failed["state"], failed["error"]) == ("failed", "no space left")
    assert "no space left" in "\n".join(_lines([identity(failed | {"number": 7})]))


def test_runs_are_listed_with_what_their_rankers_reached():
    listed = "\n".join(_lines([identity(run("r1", reports("a", "b")) | {"number": 7})]))
    assert "   7  r1 " in listed
    assert "ingestion, training; ndcg@10: a 0.500, b 0.500" in listed
    assert "No run is in the history yet" in "\n".join(_lines([]))


def test_a_run_is_found_by_number_id_beginning_or_as_the_last():
    known = [run(name, {}) | {"number": number} for number, name in ((12, "2026-b"), (2, "2026-a"), (1, "2025-a"))]
    for wanted, name in {
        "12": "2026-b",
        "#2": "2026-a",
        "2025": "2025-a",
        "last": "2026-b",
        "2026-a": "2026-a",
    }.items():
        assert find(known, [wanted])[0]["id"] == name
    for wrong, why in {
        "2026": "is the beginning of 2 ids",
        "9": "is not in the history",
        "20": "is not in the history",
        "": "beginning of 3",
    }.items():
        with pytest.raises(DataError, match=why):
            find(known, [wrong])
    with pytest.raises(DataError, match="not in the history"):
        find([], ["last"])


def test_the_list_says_the_verdict_and_which_ranker_is_not_current():
    found = reports("a", "b")
    found["training"]["corpora"]["a"] = found["training"]["corpora"]["a"] | {"verdict": "worse", "verdicts": {}}
    found["export"] = {"corpora": {"a": {"targets": [], "held_back": "worse than the baseline"}}, "failures": []}
    scope = Scope(held_back={"a": "000002-ab"})
    listed = identity(run("r1", found, ("training", "export"), scope) | {"number": 7})
    assert (listed["verdicts"], listed["held_back"]) == ({"a": "worse"}, ["a"])
    assert "ndcg@10: a 0.500 (worse, not current), b 0.500" in "\n".join(_lines([listed]))
