"""The search over all corpora: each batch of trials, folds and corpora is one Spark job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rankhammer import plugins, progress
from rankhammer.errors import CorpusFailure, one_line
from rankhammer.rankers.base import FitSettings
from rankhammer.training.choice import choose
from rankhammer.training.distributed_fit import distributed_fits, facts_of
from rankhammer.training.fold_runs import FoldRuns, library_versions, threads_a_task
from rankhammer.training.pruning import Pruning, pruned
from rankhammer.training.rolling import roll
from rankhammer.training.search import HyperparameterSearch, Strategy, Trial, seed_of
from rankhammer.training.search_log import (
    tell_leads,
    tell_progress,
    tell_sizes,
    tell_trials,
    tell_usage,
    warn_of_equal_models,
    warn_of_failure,
)
from rankhammer.training.staged_search import StagedSearch, split_space
from rankhammer.training.trainable import untrainable
from rankhammer.training.trial_choice import choose_trial, compare
from rankhammer.training.worker import FoldTask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pyspark import SparkContext

    from rankhammer.storage.checkpoints import CheckpointFolder
    from rankhammer.training.choice import Candidate, RankerChoice
    from rankhammer.training.matrix import CorpusFacts
    from rankhammer.training.staging import StagedCorpus
    from rankhammer.training.worker import FoldResult

Search = HyperparameterSearch | StagedSearch
_Key = tuple[str, str, int]
"""Corpus, ranker and number of a trial."""
MAX_CHARS = 1000
"""Of an error's text where no table has it whole."""
_ROLLING_CALLS = 1_000_000
"""Numbers of calls from there on are those of trials that overlap; there are never so many batches."""


@dataclass(frozen=True)
class Budget:
    """How much the search may try. None of it is derived from the cluster, so results do not depend on its size.

    Args:
        n_trials: Trials a corpus.
        batch_size: Trials a corpus that run together; the estimator learns between batches.
        strategy: How the search chooses what to try.
        n_rounds: Largest number of boosting rounds.
        early_stopping_rounds: Rounds without a better validation NDCG before a fit stops.
        metric_k: Rank down to which NDCG looks.
        pruning: When a trial is given up after some folds; None: never.
        rolling_from_rows: Graded rows of a corpus from which its trials do not wait for the others of a batch.
        rounds_kept: Largest number of rounds of each fold whose validation metric a trial keeps; 0: none.
    """

    n_trials: int
    batch_size: int
    strategy: Strategy
    n_rounds: int
    early_stopping_rounds: int
    metric_k: int
    pruning: Pruning | None = None
    rolling_from_rows: int = 1 << 62
    rounds_kept: int = 50

    def fit_settings(self, n_threads: int, seed: int, max_rounds: int | None = None) -> FitSettings:
        """Return the settings of one fit of the search.

        Args:
            n_threads: Threads to use.
            seed: Of every random choice.
            max_rounds: Largest number of rounds; None: `n_rounds`.
        """
        return FitSettings(
            n_rounds=max_rounds or self.n_rounds,
            early_stopping_rounds=self.early_stopping_rounds,
            metric_k=self.metric_k,
            n_threads=n_threads,
            random_state=seed,
        )


def tune_corpora(
    context: SparkContext,
    corpora: Mapping[str, StagedCorpus],
    *,
    choice: RankerChoice,
    budget: Budget,
    random_state: int,
    checkpoints: CheckpointFolder | None = None,
    on_disk: Collection[str] = (),
) -> tuple[list[Trial], list[CorpusFailure]]:
    """Search each corpus's parameters, those of all its candidates; all searches' batches advance together.

    Args:
        context: The session's.
        corpora: Corpus to its staged training matrix.
        choice: The rankers among which each corpus's is chosen; often one.
        budget: How much to try.
        random_state: The run's seed.
        checkpoints: Keeps the results of finished batches, with which a search that was interrupted goes on; None: it
            would begin again. See ADR 32.
        on_disk: Corpora whose rows are too many for a task's memory; results are the same.

    Returns:
        Every trial of the corpora that have at least one that succeeded, by corpus, candidate and number, one of them
        chosen; and the corpora that have none, or too little to train on.
    """
    distributed = distributed_fits(corpora)
    facts = {name: facts_of(staged, distributed) for name, staged in corpora.items()}
    failures = [failure for name in corpora if (failure := untrainable(corpora[name], facts[name]))]
    kept = sorted(set(corpora) - {failure.corpus for failure in failures})
    sizes = {name: (facts[name].n_graded_queries, facts[name].n_graded_rows) for name in kept}
    of_corpus = {name: choice.for_size(*sizes[name]) for name in kept}
    warn_of_equal_models({found.name: found for name in kept for found in of_corpus[name]}.values())
    tell_sizes({name: choice.size_of(*sizes[name]) for name in kept})
    work = repr(([(name, corpora[name].names) for name in kept], of_corpus, budget, random_state, library_versions()))
    fold_runs = FoldRuns(context, checkpoints.open(work) if checkpoints else None, distributed)
    run = _Folds(
        fold_runs, threads_a_task(context), corpora, facts, of_corpus, budget, random_state, frozenset(on_disk)
    )
    searches = [_search(name, candidate, budget, random_state) for name in kept for candidate in of_corpus[name]]
    n_trials = max((_n_trials(candidate, budget) for name in kept for candidate in of_corpus[name]), default=0)
    rolling = [one for one in searches if _rolls(facts[one.corpus], one.corpus in distributed, budget)]
    in_batches = [one for one in searches if one not in rolling]
    _roll(run, rolling, n_trials)
    for first in range(0, n_trials if in_batches else 0, budget.batch_size):
        n = min(budget.batch_size, n_trials - first)
        progress.tell(f"trials {first + 1} to {first + n} of {n_trials}")
        _record(in_batches, run.batch([trial for search in in_batches for trial in search.suggest(n)], in_batches))
        tell_progress(in_batches, first + n, n_trials, budget.metric_k)
    by_corpus = {name: [search for search in searches if search.corpus == name] for name in kept}
    failures += [_all_failed(found) for found in by_corpus.values() if not any(search.best for search in found)]
    marked = _mark(by_corpus, choice, run)
    tell_leads(marked)
    tell_trials(marked, choice.trial_rule)
    tell_usage(fold_runs, context)
    return marked, failures


def _rolls(facts: CorpusFacts, is_distributed: bool, budget: Budget) -> bool:
    """Whether trials of a corpus overlap: its fits take so long that a job a trial costs nothing."""
    return facts.n_graded_rows >= budget.rolling_from_rows and not is_distributed


def _roll(run: _Folds, searches: Sequence[Search], n_trials: int) -> None:
    """Run the searches of large corpora: see `rolling`."""
    numbers = {(search.corpus, search.ranker): place for place, search in enumerate(searches)}

    def run_trial(trial: Trial, best: Trial | None) -> Trial:
        first = _ROLLING_CALLS + 2 * (trial.number * len(numbers) + numbers[trial.corpus, trial.ranker])
        return run.one(trial, best, first)

    n_ended = 0

    def on_end(trial: Trial) -> None:
        nonlocal n_ended
        n_ended += 1
        warn_of_failure(trial, searches[numbers[trial.corpus, trial.ranker]].trials)
        progress.tell(f"{n_ended} of {len(searches) * n_trials} trials of large corpora")

    roll(searches, n_trials, run.budget.batch_size, run_trial, on_end)
    if searches:
        tell_progress(searches, n_trials, n_trials, run.budget.metric_k)


@dataclass(frozen=True)
class _Folds:
    """Runs trials on all folds of their corpora, all of a call together."""

    run: FoldRuns
    n_threads: int
    corpora: Mapping[str, StagedCorpus]
    facts: Mapping[str, CorpusFacts]
    of_corpus: Mapping[str, Sequence[Candidate]]
    budget: Budget
    random_state: int
    on_disk: frozenset[str] = frozenset()

    def __call__(self, trials: Sequence[Trial], *, fixed: bool = False) -> list[Trial]:
        """Return the trials as they ended.

        Args:
            trials: As proposed.
            fixed: Train each for its own number of rounds, as the final fit will, and stop none early.
        """
        return self._ended(trials, self._results(trials, slice(None), fixed=fixed))

    def batch(self, trials: Sequence[Trial], searches: Iterable[Search]) -> list[Trial]:
        """Return the trials of a batch as they ended; with pruning, all of them run some folds, and some the others.

        Args:
            trials: As proposed.
            searches: As they were when the trials were proposed: a trial is measured by the best of earlier batches.
        """
        best = {(search.corpus, search.ranker): search.best for search in searches}
        return self._pruned(trials, best)

    def one(self, trial: Trial, best: Trial | None, number: int) -> Trial:
        """Return one trial as it ended.

        Args:
            trial: As proposed.
            best: What it is measured by.
            number: Of its first call, and the next one is its second; no other trial's.
        """
        return self._pruned([trial], {(trial.corpus, trial.ranker): best}, number)[0]

    def _pruned(
        self, trials: Sequence[Trial], best: Mapping[tuple[str, str], Trial | None], number: int | None = None
    ) -> list[Trial]:
        rule = self.budget.pruning
        if rule is None:
            return self._ended(trials, self._results(trials, slice(None), number=number))
        results = self._results(trials, slice(rule.after_folds), number=number)
        ended: dict[_Key, Trial] = {}
        for partial in self._ended(trials, results):
            has_more = len(self.facts[partial.corpus].folds) > rule.after_folds
            hopeless = pruned(partial, best[partial.corpus, partial.ranker], rule) if has_more else partial
            if hopeless or partial.error:
                ended[_key(partial)] = hopeless or partial
        others = [trial for trial in trials if _key(trial) not in ended]
        second = None if number is None else number + 1
        for key, found in self._results(others, slice(rule.after_folds, None), number=second).items():
            results[key] += found
        ended |= {_key(trial): trial for trial in self._ended(others, results)}
        return [ended[_key(trial)] for trial in trials]

    def _results(
        self, trials: Sequence[Trial], of_folds: slice, *, fixed: bool = False, number: int | None = None
    ) -> dict[_Key, list[FoldResult]]:
        tasks = [
            FoldTask(
                *(staged.names, trial, fold, candidate.ranker, settings),
                on_disk=trial.corpus in self.on_disk,
                n_workers=staged.n_workers,
                rounds_kept=self.budget.rounds_kept,
            )
            for trial in trials
            for staged in [self.corpora[trial.corpus]]
            for candidate in [self._candidate(trial)]
            for settings in [self._settings(candidate, trial, trial.n_rounds if fixed else candidate.n_rounds)]
            for fold in self.facts[trial.corpus].folds[of_folds]
        ]
        found: dict[_Key, list[FoldResult]] = {}
        for result in self.run(tasks, number):
            found.setdefault((result.corpus, result.ranker, result.trial), []).append(result)
        return found

    def _ended(self, trials: Iterable[Trial], results: Mapping[_Key, Sequence[FoldResult]]) -> list[Trial]:
        return [summarise(trial, results[_key(trial)]) for trial in trials]

    def _candidate(self, trial: Trial) -> Candidate:
        return next(found for found in self.of_corpus[trial.corpus] if found.name == trial.ranker)

    def _settings(self, candidate: Candidate, trial: Trial, n_rounds: int | None) -> FitSettings:
        seed = seed_of(self.random_state, trial.corpus)
        settings = self.budget.fit_settings(self.n_threads, seed, candidate.max_rounds)
        return replace(settings, n_rounds=n_rounds, early_stopping_rounds=None) if n_rounds else settings


def _key(trial: Trial) -> _Key:
    return trial.corpus, trial.ranker, trial.number


def summarise(trial: Trial, folds: Sequence[FoldResult]) -> Trial:
    """Turn a trial's folds into its loss; one failed fold fails the trial.

    Args:
        trial: As proposed.
        folds: Its results, one per fold.
    """
    duration_s = sum(fold.duration_s for fold in folds)
    errors = [fold.error for fold in folds if fold.error]
    if errors:
        return replace(trial, duration_s=duration_s, error=errors[0])
    n_rounds = max(1, round(sum(fold.n_rounds for fold in folds) / len(folds)))
    loss = -sum(fold.ndcg for fold in folds) / len(folds)
    return replace(
        trial,
        loss=loss,
        n_rounds=n_rounds,
        duration_s=duration_s,
        groups=tuple(group for fold in folds for group in fold.groups),
        fold_ndcg=tuple(fold.ndcg for fold in folds),
        fold_rounds=tuple(int(fold.n_rounds) for fold in folds),
        curves=tuple(fold.curve for fold in folds),
        model_size=sum(fold.model_size for fold in folds) / len(folds),
    )


def _search(corpus: str, candidate: Candidate, budget: Budget, random_state: int) -> Search:
    defaults = plugins.create("rankers", candidate.ranker).default_params()
    n_trials = _n_trials(candidate, budget)
    options: dict[str, Any] = {"defaults": defaults, "strategy": budget.strategy, "random_state": random_state}
    if budget.strategy.algorithm == "staged" and candidate.space.dimensions:
        options |= {"n_trials": n_trials, "ranker": candidate.name}
        return StagedSearch(corpus, split_space(candidate.space, candidate.groups), **options)
    return HyperparameterSearch(corpus, candidate.space, ranker=candidate.name, n_trials=n_trials, **options)


def _n_trials(candidate: Candidate, budget: Budget) -> int:
    """One trial where there is nothing to search."""
    return (candidate.n_trials or budget.n_trials) if candidate.space.dimensions else 1


def _mark(by_corpus: Mapping[str, Sequence[Search]], choice: RankerChoice, run: _Folds) -> list[Trial]:
    """Choose each corpus's trial; where there are several candidates, by fits like the final one: see ADR 27."""
    trials = {name: [compare(search.trials) for search in searches] for name, searches in by_corpus.items()}
    taken = {name: [choose_trial(of, choice.trial_rule) for of in searches] for name, searches in trials.items()}
    best = {name: [trial for trial in found if trial] for name, found in taken.items()}
    contested = [trial for found in best.values() if len(found) > 1 for trial in found]
    if contested:
        progress.tell("choosing among rankers")
    again = {(trial.corpus, trial.ranker): trial for trial in run(contested, fixed=True)}
    marked = []
    for name, found in best.items():
        fixed = [again.get((name, trial.ranker), trial) for trial in found]
        usable = [trial for trial in fixed if not trial.error] or found
        standings = {one.ranker: one for one in (choose(usable, choice.standard_errors) if usable else ())}
        marked += [
            replace(trial, standing=standings.get(trial.ranker) if any(trial is one for one in found) else None)
            for of_search in trials[name]
            for trial in of_search
            if standings
        ]
    return marked


def _record(searches: Iterable[Search], ended: Iterable[Trial]) -> None:
    found = {(search.corpus, search.ranker): search for search in searches}
    for trial in ended:
        search = found[trial.corpus, trial.ranker]
        search.record(trial)
        warn_of_failure(trial, search.trials)


def _all_failed(searches: Sequence[Search]) -> CorpusFailure:
    trials = [trial for search in searches for trial in search.trials]
    return CorpusFailure(
        trials[0].corpus,
        "training",
        f"all {len(trials)} trials failed, the first with: {one_line(trials[0].error, at_most=MAX_CHARS)}",
        "Correct training.ranker.options or training.search_space.",
    )
