"""What a run on a cluster is split into, and how its parts' outcomes become one."""

from __future__ import annotations

import pytest

from rankhammer import cli_submit, wishes
from rankhammer.corpus_status import DONE, FAILED, KEPT, merged
from rankhammer.errors import ClusterError, ConfigError
from rankhammer.wishes import Asked, Found, Part


def asked(pipeline: str = "train", text: str = "") -> Asked:
    return Asked(pipeline, "prod", text, {}, None, {})


@pytest.mark.parametrize("pipeline", ["collect", "folding", "__default__"])
def test_sizes_are_known_only_behind_collecting(pipeline):
    with pytest.raises(ConfigError, match="Submit --pipeline=collect first"):
        wishes.by_size(asked(pipeline))


def test_each_part_names_its_corpora_and_the_run_that_all_of_them_work_in():
    given = "corpora=a,b,run=old,training.n_trials=4"
    assert wishes._text(given, "r1", ["a"]) == "training.n_trials=4,run=r1,corpora=a"
    assert wishes._text("", None, ["a", "b"]) == "corpora=a,b"


def test_a_part_that_broke_off_has_failed_for_its_corpora_alone():
    part = Part("large", ["b"], None)
    broken = wishes.status_after(asked(), part, Found("r1", "", {}), has_ended_well=False)
    done = {
        "a": {"state": DONE, "stage": None, "version": None},
        "b": {"state": KEPT, "stage": None, "version": "v000001"},
    }
    whole = merged([done, broken])
    assert (whole["a"]["state"], whole["b"]["state"]) == (DONE, FAILED)
    assert whole["b"]["stage"] == "the submission of profile large"


def test_a_part_that_is_refused_does_not_stop_the_next(monkeypatch):
    parts, asked_for = [Part("small", ["a"], None), Part("large", ["b"], None)], []

    def submit(_submitter, wish, _settings):
        asked_for.append(wish)
        if len(asked_for) == 1:
            raise ClusterError("spark-submit failed", hint="Ask for less.")
        return 0

    done = {"b": {"state": DONE, "stage": None, "version": None}}
    after = wishes.status_after
    monkeypatch.setattr(wishes, "by_size", lambda _: (parts, Found(None, "", {}), None))
    monkeypatch.setattr(
        wishes,
        "status_after",
        lambda *given, has_ended_well: done if has_ended_well else after(*given, has_ended_well=False),
    )
    monkeypatch.setattr(
        cli_submit._Submitter, "__init__", lambda self, **_: setattr(self, "screen", cli_submit.Screen())
    )
    monkeypatch.setattr(cli_submit._Submitter, "submit", submit)
    assert cli_submit._submit_by_size(asked(), is_dry=False, is_detached=False) == 2
    assert len(asked_for) == 2
