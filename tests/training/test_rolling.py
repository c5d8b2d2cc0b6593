"""Trials that overlap: what each is proposed by does not depend on which ends first."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import accumulate

import pytest
from local_search import BUDGET, SPACE, LocalContext, search

from rankhammer.plugins import PluginSpec
from rankhammer.storage.checkpoints import CheckpointFolder
from rankhammer.training.choice import Candidate, RankerChoice
from rankhammer.training.fold_runs import SlotUsage
from rankhammer.training.pruning import Pruning
from rankhammer.training.rolling import roll
from rankhammer.training.search import HyperparameterSearch, Strategy, Trial

DEFAULTS = {"max_depth": 3, "subsample": 1.0, "learning_rate": 0.1}
N_TRIALS, WINDOW = 14, 3
PATIENCE_S = 60
"""For what comes at once, unless it never does."""
TREES = RankerChoice((Candidate(PluginSpec(name="xgboost"), SPACE),))


class Recording(HyperparameterSearch):
    """Notes what was known when each trial was proposed."""

    def __init__(self) -> None:
        super().__init__("a", SPACE, defaults=DEFAULTS, strategy=Strategy(4), random_state=1, n_trials=N_TRIALS)
        self.known: list[list[int]] = []

    def suggest(self, n):
        self.known.append([trial.number for trial in self.trials])
        return super().suggest(n)


def _rolled(hold) -> tuple[Recording, list[tuple[int, int]], list[int | None]]:
    """Run a search whose trials last as long as `hold(number)`; return it, starts and ends, and who measured each."""
    found, lock, spans, best = Recording(), threading.Lock(), [], {}

    def run(trial: Trial, measured_by: Trial | None) -> Trial:
        with lock:
            spans.append((trial.number, 1))
            best[trial.number] = measured_by.number if measured_by else None
        hold(trial.number)
        with lock:
            spans.append((trial.number, -1))
        return replace(trial, loss=-(trial.params["subsample"] + trial.params["max_depth"] / 10))

    roll([found], N_TRIALS, WINDOW, run, lambda _: None)
    return found, spans, [best[number] for number in range(N_TRIALS)]


def test_a_trial_knows_exactly_the_trials_a_window_before_it_whichever_ends_first():
    delays = (lambda _: 0.0, lambda number: 0.03 * (number % 4), lambda number: 0.05 * (number == 2))
    searches = [_rolled(lambda number, delay=delay: time.sleep(delay(number))) for delay in delays]
    for found, _, _ in searches:
        assert found.known[:N_TRIALS] == [list(range(max(0, n - WINDOW + 1))) for n in range(N_TRIALS)]
        assert found.trials == searches[0][0].trials
        assert [trial.number for trial in found.trials] == list(range(N_TRIALS))
    assert searches[0][2] == searches[1][2] == searches[2][2]
    assert searches[0][2][:WINDOW] == [None] * WINDOW


def test_no_trial_waits_for_a_slow_one_that_it_needs_not_and_no_more_than_a_window_run():
    # The slow one ends when 3, which needs 0, and 4, which needs 1, have ended: 5 needs it.
    ended = {3: threading.Event(), 4: threading.Event()}
    first_window = threading.Barrier(WINDOW)

    def hold(number: int) -> None:
        if number < WINDOW:
            first_window.wait(PATIENCE_S)
        if number in ended:
            ended[number].set()
        if number == 2:
            assert all(event.wait(PATIENCE_S) for event in ended.values())

    _, spans, _ = _rolled(hold)
    assert all(number < 5 for number, _ in spans[: spans.index((2, -1))])
    assert max(accumulate(step for _, step in spans)) == WINDOW


def test_an_error_of_the_work_itself_ends_the_search():
    def run(trial, _):
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"):
        roll([Recording()], N_TRIALS, WINDOW, run, lambda _: None)


@pytest.mark.parametrize("pruning", [None, Pruning(1, 1.0)])
def test_with_a_window_of_one_trials_are_those_of_batches_of_one(matrix, pruning):
    (matrix / "b.parquet").unlink()
    budget = replace(BUDGET, n_trials=8, batch_size=1, pruning=pruning)
    (expected, _), (found, _) = (
        search(matrix, None, LocalContext(), choice=TREES, budget=replace(budget, rolling_from_rows=rows))
        for rows in (1 << 40, 1)
    )
    assert [replace(trial, duration_s=0) for trial in found] == [replace(trial, duration_s=0) for trial in expected]


def test_an_interrupted_search_of_overlapping_trials_goes_on(matrix, tmp_path):
    (matrix / "b.parquet").unlink()
    budget = replace(BUDGET, n_trials=6, batch_size=1, rolling_from_rows=1)
    whole, _ = search(matrix, None, LocalContext(), choice=TREES, budget=budget)

    kept = CheckpointFolder(str(tmp_path / "kept"))

    def stop(number):
        if number == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(matrix, kept, LocalContext(stop), choice=TREES, budget=budget)
    rest = LocalContext()
    again, _ = search(matrix, kept, rest, choice=TREES, budget=budget)
    assert [replace(trial, duration_s=0) for trial in again] == [replace(trial, duration_s=0) for trial in whole]
    # Three trials of three folds were kept.
    assert sum(rest.n_tasks) == (6 - 3) * 3


def test_overlapping_calls_count_their_time_once():
    usage = SlotUsage()
    assert usage.text(4) == ""
    for began, ended, busy_s in ((0, 10, 12), (5, 15, 8), (20, 25, 4)):
        usage.add(began, ended, busy_s)
    assert usage.text(2) == "24.0 s of fits in 20.0 s x 2 slots: 60% in use"
