"""What a run on a cluster is split into, and how its parts' outcomes become one."""

from __future__ import annotations

import pytest

from rankhammer.cli import submit as cli_submit
from rankhammer.errors import ClusterError, ConfigError
from rankhammer.runs import submissions
from rankhammer.runs.corpus_status import DONE, FAILED, KEPT, merged
from rankhammer.runs.submissions import SelectedRun, SubmissionGroup, SubmitOptions


def asked(pipeline: str = "train", text: str = "") -> SubmitOptions:
    return SubmitOptions(pipeline, "prod", text, {}, None, {})


@pytest.mark.parametrize("pipeline", ["collect", "folding", "__default__"])
def test_sizes_are_known_only_behind_collecting(pipeline):
    with pytest.raises(ConfigError, match="Submit --pipeline=collect first"):
        submissions.by_size(asked(pipeline))


def test_each_part_names_its_corpora_and_the_run_that_all_of_them_work_in():
    given = "corpora=a,b,run=old,training.n_trials=4"
    assert submissions._text(given, "r1", ["a"]) == "training.n_trials=4,run=r1,corpora=a"
    assert submissions._text("", None, ["a", "b"]) == "corpora=a,b"


def test_a_part_that_broke_off_has_failed_for_its_corpora_alone():
    part = SubmissionGroup("large", ["b"], None)
    broken = submissions.status_after(asked(), part, SelectedRun("r1", "", {}), has_ended_well=False)
    done = {
        "a": {"state": DONE, "stage": None, "version": None},
        "b": {"state": KEPT, "stage": None, "version": "v000001"},
    }
    whole = merged([done, broken])
    assert (whole["a"]["state"], whole["b"]["state"]) == (DONE, FAILED)
    assert whole["b"]["stage"] == "the submission of profile large"


def test_a_part_that_is_refused_does_not_stop_the_next(monkeypatch):
    parts, asked_for = [SubmissionGroup("small", ["a"], None), SubmissionGroup("large", ["b"], None)], []

    def submit(_submitter, spec, _settings):
        asked_for.append(spec)
        if len(asked_for) == 1:
            raise ClusterError("spark-submit failed", hint="Ask for less.")
        return 0

    done = {"b": {"state": DONE, "stage": None, "version": None}}
    after = submissions.status_after
    monkeypatch.setattr(submissions, "by_size", lambda _: (parts, SelectedRun(None, "", {}), None))
    monkeypatch.setattr(
        submissions,
        "status_after",
        lambda *given, has_ended_well: done if has_ended_well else after(*given, has_ended_well=False),
    )
    monkeypatch.setattr(
        cli_submit._Submitter, "__init__", lambda self, **_: setattr(self, "screen", cli_submit.Screen())
    )
    monkeypatch.setattr(cli_submit._Submitter, "submit", submit)
    assert cli_submit._submit_by_size(asked(), is_dry=False, is_detached=False) == 2
    assert len(asked_for) == 2
