"""Ids of runs: the newest complete one is gone on with, old ones go, those in use stay."""

from __future__ import annotations

import os
import re
import time

import pytest

from rankhammer.errors import ConfigError, DataError
from rankhammer.runs import run_ids
from rankhammer.storage.lock import OutputLock


@pytest.fixture
def folder(tmp_path):
    # A date in the path, and one in a hand-off's name, are no ids.
    return tmp_path / "2026-11-20" / "runs"


def markers(folder, *names: str) -> list[str]:
    return [f"{folder}/*/2026-11-19/{name}/_fingerprint.json" for name in names]


def finish(folder, run: str, at: float, *names: str) -> None:
    """Let a run have finished hand-offs some seconds after the epoch."""
    for name in names:
        path = folder / run / "2026-11-19" / name / "_fingerprint.json"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        os.utime(path, (at, at))


def found(folder, *names: str) -> list[str]:
    return [one.run for one in run_ids.finished(markers(folder, *names))]


def test_ids_sort_by_time_and_name_folders():
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", run_ids.new_id())
    assert run_ids.check_id(20261121) == "20261121"
    for wrong in ("", "a/b", "..", "*", "-x"):
        with pytest.raises(ConfigError, match="cannot be the id"):
            run_ids.check_id(wrong)


def test_the_run_that_finished_last_is_the_newest_whatever_its_name(folder):
    finish(folder, "z", 100, "feature_rows")
    finish(folder, "2026-11-21", 300, "feature_rows")
    finish(folder, "a", 200, "feature_rows")
    assert found(folder, "feature_rows") == ["2026-11-21", "a", "z"]
    newest, n = run_ids.newest(markers(folder, "feature_rows"), ["feature_rows"])
    assert (newest.run, n) == ("2026-11-21", 3)


def test_a_run_is_complete_when_every_hand_off_that_is_needed_is_finished(folder):
    finish(folder, "whole", 100, "serps", "judgments")
    finish(folder, "half", 200, "serps")
    assert found(folder, "serps", "judgments") == ["whole"]
    with pytest.raises(DataError, match="No run has finished ranker"):
        run_ids.newest(markers(folder, "ranker"), ["ranker"])
    run_ids.require_finished("half", markers(folder, "serps"), ["serps"])
    with pytest.raises(DataError, match="'half' has not finished judgments"):
        run_ids.require_finished("half", markers(folder, "judgments"), ["judgments"])


def test_a_run_that_is_named_twice_in_a_path_is_one_run(tmp_path):
    for run, name in (("a", "a"), ("a", "b")):
        (tmp_path / run / f"rows-{name}").mkdir(parents=True)
        (tmp_path / run / f"rows-{name}" / "_fingerprint.json").write_text("{}")
    (only,) = run_ids.finished([f"{tmp_path}/*/rows-*/_fingerprint.json"])
    assert only.run == "a"


def tidy(folder, *, keep: int = 2, current: str = "none") -> list[str]:
    return run_ids.tidy(str(folder), markers(folder, "rows"), keep=keep, current=current, expires_s=300)


def test_old_runs_go_but_not_the_current_one_nor_one_in_use_nor_one_just_begun(folder):
    later = time.time() + 1000
    for n, run in enumerate(("old", "used", "current", "kept-1", "kept-2")):
        finish(folder, run, later + n, "rows")
    (folder / "broken-off").mkdir()
    (folder / "broken-off/part").write_text("")
    os.utime(folder / "broken-off/part", (50, 50))
    for run in ("used", "begun"):
        OutputLock(f"{folder}/{run}", heartbeat_s=60, expires_s=300).acquire()
    assert tidy(folder, current="current") == ["broken-off", "old"]
    assert sorted(path.name for path in folder.iterdir()) == ["begun", "current", "kept-1", "kept-2", "used"]
    assert (folder / "used/2026-11-19/rows/_fingerprint.json").exists()


def test_nothing_goes_before_there_are_enough_complete_runs(folder):
    finish(folder, "a", 100, "rows")
    finish(folder, "b", 10, "other")
    assert tidy(folder) == []
