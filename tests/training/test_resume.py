"""A search that was interrupted goes on, and ends with the trials of one that was not."""

from __future__ import annotations

import math
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from local_search import BUDGET, CHOICE, LocalContext, search
from pyspark import SparkFiles

from rankhammer.plugins import PluginSpec
from rankhammer.storage import state_files
from rankhammer.storage.checkpoints import CheckpointFolder
from rankhammer.training import fold_runs, worker

SCRIPT = Path(__file__).parents[1] / "support" / "local_search.py"
SMALL = replace(BUDGET, n_trials=6, batch_size=2)
N_FOLDS, N_CANDIDATES = 3, 3


@dataclass(frozen=True)
class Whole:
    """What an undisturbed search gives.

    Args:
        content: Its trials, as `_content` returns them.
        n_tasks: Tasks of each of its jobs.
        kept: The checkpoints that it leaves.
    """

    content: bytes
    n_tasks: list[int]
    kept: CheckpointFolder


class StoppedError(Exception):
    """Stands for whatever ends a process in the middle of a search."""


def _stop_at(n_fits: int):
    def before(number: int) -> None:
        if number == n_fits:
            raise StoppedError

    return LocalContext(before)


def _content(found) -> bytes:
    """All that a search gives, but for how long it took, as bytes."""
    trials, failures = found
    return "\n".join(map(repr, [*(replace(trial, duration_s=0.0) for trial in trials), *failures])).encode()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, write_matrix) -> Whole:
    """The small search, undisturbed, once for all tests."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SparkFiles, "get", SparkFiles.get)
        context, kept = LocalContext(), CheckpointFolder(str(folder / "kept"), "v1")
        return Whole(
            _content(search(write_matrix(folder / "matrix"), kept, context, budget=SMALL)), context.n_tasks, kept
        )


@pytest.fixture
def finished(whole, tmp_path) -> CheckpointFolder:
    """What the small search has kept."""
    shutil.copytree(whole.kept.path, tmp_path / "kept")
    return CheckpointFolder(str(tmp_path / "kept"), "v1")


@pytest.fixture
def kept(tmp_path) -> CheckpointFolder:
    return CheckpointFolder(str(tmp_path / "kept"), "v1")


def _parts(kept: CheckpointFolder) -> list[Path]:
    return sorted(Path(kept.path).glob("*/*"))


def test_a_search_that_was_killed_after_13_of_40_trials_ends_with_the_bytes_of_one_that_was_not(matrix, kept):
    first_batch = 2 * N_FOLDS * (4 + N_CANDIDATES - 1)
    n_fits = first_batch + 2 * 2 * N_FOLDS * 4 + 2 * N_FOLDS
    command = [sys.executable, str(SCRIPT), str(matrix), kept.path, str(n_fits)]
    killed = subprocess.run(command, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert len(_parts(kept)) == 3
    resumed, undisturbed = LocalContext(), LocalContext()
    assert _content(search(matrix, kept, resumed)) == _content(search(matrix, None, undisturbed))
    assert resumed.n_tasks == undisturbed.n_tasks[3:]
    assert len(undisturbed.n_tasks) == 40 / 4 + 1


@pytest.mark.parametrize("n_fits", [0, 17, 35, 59])
def test_it_goes_on_wherever_it_was_interrupted(matrix, kept, whole, n_fits):
    with pytest.raises(StoppedError):
        search(matrix, kept, _stop_at(n_fits), budget=SMALL)
    n_kept = len(_parts(kept))
    resumed = LocalContext()
    assert _content(search(matrix, kept, resumed, budget=SMALL)) == whole.content
    assert resumed.n_tasks == whole.n_tasks[n_kept:]
    # All is kept by now, the choice's fits included: a third start trains nothing.
    again = LocalContext()
    assert _content(search(matrix, kept, again, budget=SMALL)) == whole.content
    assert again.n_tasks == []


def test_durations_are_those_of_the_fits_that_were_made(matrix, kept):
    trials, _ = search(matrix, kept, LocalContext(), budget=SMALL)
    again, _ = search(matrix, kept, LocalContext(), budget=SMALL)
    assert [trial.duration_s for trial in again] == [trial.duration_s for trial in trials]


def _said_by_storage(caplog) -> list[str]:
    """Leave out what the search itself says, where another test lets it."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("rankhammer.storage")]


@pytest.mark.parametrize("change", ["made_of", "budget", "random_state", "matrix"])
def test_results_of_another_search_are_removed_with_one_line(
    matrix, finished, whole, change, caplog, matrix_rows, write_corpus
):
    caplog.set_level("INFO", "rankhammer.storage.checkpoints")
    options, kept = {"budget": SMALL}, finished
    if change == "made_of":
        kept = replace(kept, made_of="v2")
    elif change == "budget":
        options = {"budget": replace(SMALL, n_rounds=5)}
    elif change == "random_state":
        options = {"random_state": 43, **options}
    else:
        # The files of a real matrix have the name of their content.
        (matrix / "b.parquet").unlink()
        write_corpus(matrix / "c.parquet", matrix_rows("c", seed=2))
    context = LocalContext()
    expected = whole.content if change == "made_of" else _content(search(matrix, None, LocalContext(), **options))
    assert _content(search(matrix, kept, context, **options)) == expected
    assert len(context.n_tasks) == 4
    assert _said_by_storage(caplog) == [
        f"{kept.path} holds results of other data, parameters or code; they are removed."
    ]
    assert len({part.parent for part in _parts(kept)}) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "foreign"])
def test_a_damaged_part_is_done_again_with_one_line(matrix, finished, whole, damage, caplog):
    kept = finished
    part = _parts(kept)[1]
    content = part.read_bytes()
    if damage == "cut":
        part.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        part.write_bytes(b"")
    elif damage == "changed":
        part.write_bytes(content.replace(b"0.9", b"0.8", 1))
    else:
        part.write_bytes(_parts(kept)[0].read_bytes())
    caplog.set_level("WARNING", "rankhammer")
    context = LocalContext()
    assert _content(search(matrix, kept, context, budget=SMALL)) == whole.content
    assert context.n_tasks == [2 * N_FOLDS * 2]
    (line,) = _said_by_storage(caplog)
    assert str(part) in line
    assert line.endswith("; that part is done again.")
    assert state_files.parse(part.read_bytes())[1] == ""


def test_a_folder_that_cannot_be_written_costs_a_warning_and_no_search(matrix, whole, tmp_path, caplog):
    (tmp_path / "kept").write_text("a file where the folder should be")
    kept = CheckpointFolder(str(tmp_path / "kept" / "inside"))
    found = search(matrix, kept, LocalContext(), budget=SMALL)
    assert _content(found) == whole.content
    assert "begins again" in caplog.text


def test_failed_fits_are_kept_as_failed(matrix, kept):
    baseline, *others = CHOICE.candidates
    unknown = replace(baseline, ranker=PluginSpec(name="baseline", options={"feature": "none"}))
    options = {"choice": replace(CHOICE, candidates=(unknown, *others)), "budget": SMALL}
    whole = search(matrix, kept, LocalContext(), **options)
    assert {trial.status for trial in whole[0] if trial.ranker == "baseline"} == {"fail"}
    again = LocalContext()
    assert _content(search(matrix, kept, again, **options)) == _content(whole)
    assert again.n_tasks == []


@pytest.mark.parametrize("error", ["MemoryError: 8 GiB", "Python worker exited unexpectedly: too little memory"])
def test_a_batch_that_had_too_little_memory_is_not_kept(matrix, kept, whole, monkeypatch, error):
    def fails_for_trial_3(task):
        result = worker.run_fold(task)
        return replace(result, ndcg=math.nan, error=error) if task.trial.number == 3 else result

    with monkeypatch.context() as patched:
        patched.setattr(fold_runs, "run_fold", fails_for_trial_3)
        trials, _ = search(matrix, kept, LocalContext(), budget=SMALL)
        assert {trial.number for trial in trials if trial.error} == {3}
    # With more memory, the next run does it and what depends on it again.
    context = LocalContext()
    again = search(matrix, kept, context, budget=SMALL)
    assert _content(again) == whole.content
    assert context.n_tasks[0] == 2 * N_FOLDS * 2
