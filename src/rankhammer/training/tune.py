"""The search over all corpora: each batch of trials, folds and corpora is one Spark job."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rankhammer import plugins, progress, schemas
from rankhammer.canonical_json import to_text
from rankhammer.errors import CorpusFailure
from rankhammer.rankers.base import FitSettings
from rankhammer.training.choice import choose
from rankhammer.training.matrix import read_facts
from rankhammer.training.search import HyperparameterSearch, Standing, Strategy, Trial, seed_of
from rankhammer.training.worker import FoldResult, FoldTask, run_fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark import SparkContext
    from pyspark.sql import DataFrame, SparkSession

    from rankhammer.training.choice import Candidate, RankerChoice
    from rankhammer.training.matrix import CorpusFacts
    from rankhammer.training.staging import StagedCorpus

MIN_FOLDS = 2
MAX_NAMED = 5
"""Corpora named in one progress line."""

_ARROW = {"string": pa.string(), "int": pa.int32(), "double": pa.float64(), "boolean": pa.bool_()}
_TRIALS = pa.schema([(name, _ARROW[kind]) for name, kind in schemas.TUNING_TRIALS.columns.items()])
logger = logging.getLogger(__name__)


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
    """

    n_trials: int
    batch_size: int
    strategy: Strategy
    n_rounds: int
    early_stopping_rounds: int
    metric_k: int

    def fit_settings(self, n_threads: int, seed: int) -> FitSettings:
        """Return the settings of one fit of the search."""
        return FitSettings(
            n_rounds=self.n_rounds,
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
) -> tuple[list[Trial], list[CorpusFailure]]:
    """Search each corpus's parameters, those of all its candidates; all searches' batches advance together.

    Args:
        context: The session's.
        corpora: Corpus to its staged training matrix.
        choice: The rankers among which each corpus's is chosen; often one.
        budget: How much to try.
        random_state: The run's seed.

    Returns:
        Every trial of the corpora that have at least one that succeeded, by corpus, candidate and number, one of them
        chosen; and the corpora that have none, or too little to train on.
    """
    facts = {name: read_facts(staged.paths) for name, staged in corpora.items()}
    failures = [failure for name, found in facts.items() if (failure := _unfit(name, found))]
    kept = sorted(set(corpora) - {failure.corpus for failure in failures})
    of_corpus = {name: choice.for_queries(facts[name].n_graded_queries) for name in kept}
    run = _Folds(context, corpora, facts, of_corpus, budget, random_state)
    searches = [_search(name, candidate, budget, random_state) for name in kept for candidate in of_corpus[name]]
    n_trials = max((_n_trials(candidate, budget) for name in kept for candidate in of_corpus[name]), default=0)
    for first in range(0, n_trials, budget.batch_size):
        n = min(budget.batch_size, n_trials - first)
        progress.tell(f"trials {first + 1} to {first + n} of {n_trials}")
        _record(searches, run([trial for search in searches for trial in search.suggest(n)]))
        _tell(searches, first + n, n_trials, budget.metric_k)
    by_corpus = {name: [search for search in searches if search.corpus == name] for name in kept}
    failures += [_all_failed(found) for found in by_corpus.values() if not any(search.best for search in found)]
    return _mark(by_corpus, choice.standard_errors, run), failures


@dataclass(frozen=True)
class _Folds:
    """Runs trials on all folds of their corpora, one Spark job for all of them."""

    context: SparkContext
    corpora: Mapping[str, StagedCorpus]
    facts: Mapping[str, CorpusFacts]
    of_corpus: Mapping[str, Sequence[Candidate]]
    budget: Budget
    random_state: int

    def __call__(self, trials: Sequence[Trial], *, fixed: bool = False) -> list[Trial]:
        """Return the trials as they ended.

        Args:
            trials: As proposed.
            fixed: Train each for its own number of rounds, as the final fit will, and stop none early.
        """
        tasks = [
            FoldTask(self.corpora[trial.corpus].names, trial, fold, candidate.ranker, settings)
            for trial in trials
            for candidate in [self._candidate(trial)]
            for settings in [self._settings(trial, trial.n_rounds if fixed else candidate.n_rounds)]
            for fold in self.facts[trial.corpus].folds
        ]
        by_trial: dict[tuple[str, str, int], list[FoldResult]] = {}
        for result in run_folds(self.context, tasks) if tasks else ():
            by_trial.setdefault((result.corpus, result.ranker, result.trial), []).append(result)
        return [summarise(trial, by_trial[trial.corpus, trial.ranker, trial.number]) for trial in trials]

    def _candidate(self, trial: Trial) -> Candidate:
        return next(found for found in self.of_corpus[trial.corpus] if found.name == trial.ranker)

    def _settings(self, trial: Trial, n_rounds: int | None) -> FitSettings:
        threads, seed = threads_a_task(self.context), seed_of(self.random_state, trial.corpus)
        settings = self.budget.fit_settings(threads, seed)
        return replace(settings, n_rounds=n_rounds, early_stopping_rounds=None) if n_rounds else settings


def run_folds(context: SparkContext, tasks: Iterable[FoldTask]) -> list[FoldResult]:
    """Run every task in a Spark task of its own; neighbours share a matrix, which their worker keeps.

    Args:
        context: The session's.
        tasks: At least one.

    Returns:
        One result per task, in (corpus, ranker, trial, fold) order.
    """
    ordered = sorted(tasks, key=lambda task: (task.trial.corpus, task.fold, task.trial.ranker, task.trial.number))
    # An action: a few numbers per task come back, no rows.
    results = context.parallelize(ordered, len(ordered)).map(run_fold).collect()
    return sorted(results, key=lambda result: (result.corpus, result.ranker, result.trial, result.fold))


def threads_a_task(context: SparkContext) -> int:
    """Return the cores that Spark gives to one task."""
    return int(context.getConf().get("spark.task.cpus", "1") or 1)


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
    groups = tuple(group for fold in folds for group in fold.groups)
    return replace(trial, loss=loss, n_rounds=n_rounds, duration_s=duration_s, groups=groups)


def _search(corpus: str, candidate: Candidate, budget: Budget, random_state: int) -> HyperparameterSearch:
    return HyperparameterSearch(
        corpus,
        candidate.space,
        defaults=plugins.create("rankers", candidate.ranker).default_params(),
        strategy=budget.strategy,
        random_state=random_state,
        ranker=candidate.name,
        n_trials=_n_trials(candidate, budget),
    )


def _n_trials(candidate: Candidate, budget: Budget) -> int:
    """One trial where there is nothing to search."""
    return (candidate.n_trials or budget.n_trials) if candidate.space.dimensions else 1


def _mark(by_corpus: Mapping[str, Sequence[HyperparameterSearch]], standard_errors: float, run: _Folds) -> list[Trial]:
    """Choose each corpus's trial; where there are several candidates, by fits like the final one: see ADR 27."""
    best = {name: [search.best for search in searches if search.best] for name, searches in by_corpus.items()}
    contested = [trial for found in best.values() if len(found) > 1 for trial in found]
    if contested:
        progress.tell("choosing among rankers")
    again = {(trial.corpus, trial.ranker): trial for trial in run(contested, fixed=True)}
    marked = []
    for name, found in best.items():
        fixed = [again.get((name, trial.ranker), trial) for trial in found]
        usable = [trial for trial in fixed if not trial.error] or found
        standings = {one.ranker: one for one in (choose(usable, standard_errors) if usable else ())}
        marked += [
            replace(trial, standing=standings.get(trial.ranker) if trial is search.best else None)
            for search in by_corpus[name]
            for trial in search.trials
            if standings
        ]
    return marked


def trial_table(session: SparkSession, trials: Iterable[Trial]) -> DataFrame:
    """Return trials as schemas.TUNING_TRIALS, in one partition; `params` as JSON with sorted keys."""
    rows = [
        {
            "corpus": trial.corpus,
            "trial": trial.number,
            "loss": trial.loss,
            "status": trial.status,
            "n_rounds": trial.n_rounds,
            "params": to_text(dict(trial.params)),
            "duration_s": trial.duration_s,
            "ranker": trial.ranker,
            **_standing(trial.standing),
        }
        for trial in trials
    ]
    # As a table of Arrow it goes to the JVM; plain rows would go there by Python workers.
    table = pa.Table.from_pylist(rows, schema=_TRIALS)
    return session.createDataFrame(table, schemas.ddl(schemas.TUNING_TRIALS.columns)).coalesce(1)


def _standing(found: Standing | None) -> dict[str, Any]:
    if found is None:
        return {"ndcg": None, "behind": None, "behind_se": None, "chosen": False}
    return {
        "ndcg": found.ndcg,
        "behind": found.behind,
        "behind_se": found.standard_error,
        "chosen": found.chosen,
    }


def _record(searches: Iterable[HyperparameterSearch], ended: Iterable[Trial]) -> None:
    found = {(search.corpus, search.ranker): search for search in searches}
    for trial in ended:
        found[trial.corpus, trial.ranker].record(trial)
        if trial.error:
            logger.warning(
                "Trial %d of %s of corpus %s failed: %s", trial.number, trial.ranker, trial.corpus, trial.error
            )


def _tell(searches: Sequence[HyperparameterSearch], n_done: int, n_trials: int, metric_k: int) -> None:
    several = len({search.ranker for search in searches}) > 1
    best = [
        f"{search.corpus} {search.ranker + ' ' if several else ''}{_text(search.best)}"
        for search in searches[:MAX_NAMED]
    ]
    more = f" and {len(searches) - MAX_NAMED} more" if len(searches) > MAX_NAMED else ""
    logger.info(
        "Tuning: %d of %d trials per corpus done; best NDCG@%d over folds: %s%s",
        n_done,
        n_trials,
        metric_k,
        ", ".join(best),
        more,
    )


def _text(best: Trial | None) -> str:
    return "none yet" if best is None or best.loss is None else f"{-best.loss:.4f}"


def _unfit(corpus: str, facts: CorpusFacts) -> CorpusFailure | None:
    if len(facts.folds) >= MIN_FOLDS:
        return None
    return CorpusFailure(
        corpus,
        "training",
        f"{len(facts.folds)} of its folds have a document of grade 1 or more; expected at least {MIN_FOLDS} "
        f"({facts.n_rows['train']} training rows, {facts.n_graded_rows} of them graded).",
        "Bring a log with more clicks of this corpus, or lower labeling's min_examined.",
    )


def _all_failed(searches: Sequence[HyperparameterSearch]) -> CorpusFailure:
    trials = [trial for search in searches for trial in search.trials]
    return CorpusFailure(
        trials[0].corpus,
        "training",
        f"all {len(trials)} trials failed, the first with: {trials[0].error}",
        "Correct training.ranker.options or training.search_space.",
    )
