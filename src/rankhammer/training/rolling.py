"""Searches of large corpora: a trial begins as soon as the trial a window before it has ended, not when a batch has."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rankhammer.training.search import HyperparameterSearch, Trial
    from rankhammer.training.staged_search import StagedSearch

    Search = HyperparameterSearch | StagedSearch
    RunTrial = Callable[[Trial, Trial | None], Trial]

MAX_JOBS = 64
"""Spark jobs at once; a job is a trial."""


def roll(
    searches: Sequence[Search],
    n_trials: int,
    window: int,
    run: RunTrial,
    on_end: Callable[[Trial], None],
) -> None:
    """Run searches whose trials overlap, with the same results whichever trial ends first.

    Trial n is proposed by exactly the results of trials 0 to n - window, however many more have ended: nothing depends
    on time. While a trial is slow, window - 1 later ones run to their end.

    Args:
        searches: Each proposes its own trials.
        n_trials: Largest number of trials of a search.
        window: Trials of a search that run at once, 1 or more.
        run: Runs a trial on all folds, by a thread; takes the best trial that the proposal knew, too.
        on_end: Called with each trial in the order in which a search learns of them.
    """
    if not searches:
        return
    streams = [_Stream(search, n_trials, window, on_end) for search in searches]
    with ThreadPoolExecutor(min(MAX_JOBS, window * len(streams)), thread_name_prefix="trial") as pool:
        try:
            _run_all(pool, streams, run)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for stream in streams:
        stream.finish()


def _run_all(pool: ThreadPoolExecutor, streams: Sequence[_Stream], run: RunTrial) -> None:
    running: dict[Future[Trial], _Stream] = {}
    for stream in streams:
        running |= {pool.submit(run, *asked): stream for asked in stream.ready()}
    while running:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            stream = running.pop(future)
            stream.ended(future.result())
            running |= {pool.submit(run, *asked): stream for asked in stream.ready()}


class _Stream:
    """The trials of one search."""

    def __init__(self, search: Search, n_trials: int, window: int, on_end: Callable[[Trial], None]) -> None:
        self._search = search
        self._n_trials = n_trials
        self._window = window
        self._on_end = on_end
        self._n_proposed = self._n_recorded = 0
        self._results: dict[int, Trial] = {}

    def ended(self, trial: Trial) -> None:
        """Keep a result until it is its turn."""
        self._results[trial.number] = trial

    def ready(self) -> list[tuple[Trial, Trial | None]]:
        """Propose every trial whose results are all there, each with the best trial that it knows of."""
        found: list[tuple[Trial, Trial | None]] = []
        while self._n_proposed < self._n_trials:
            known = self._n_proposed - self._window + 1
            if known > 0 and known - 1 not in self._results:
                break
            self._record(max(known, 0))
            proposed = self._search.suggest(1)
            if not proposed:
                self._n_trials = self._n_proposed
                break
            self._n_proposed += 1
            found.append((proposed[0], self._search.best))
        return found

    def finish(self) -> None:
        """Let the search know of the last trials."""
        self._record(self._n_proposed)

    def _record(self, end: int) -> None:
        for number in range(self._n_recorded, end):
            self._search.record(self._results[number])
            self._on_end(self._results[number])
        self._n_recorded = max(self._n_recorded, end)
