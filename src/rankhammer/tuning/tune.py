"""The search over all corpora: each batch of trials, folds and corpora is one Spark job."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rankhammer import plugins, schemas
from rankhammer.errors import CorpusFailure
from rankhammer.rankers.base import FitSettings
from rankhammer.tuning.matrix import read_facts
from rankhammer.tuning.search import Search, Trial, seed_of
from rankhammer.tuning.worker import FoldResult, FoldTask, run_fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark import SparkContext
    from pyspark.sql import DataFrame, SparkSession

    from rankhammer.plugins import Choice
    from rankhammer.tuning.matrix import CorpusFacts
    from rankhammer.tuning.space import SearchSpace
    from rankhammer.tuning.staging import StagedCorpus

MIN_FOLDS = 2
MAX_NAMED = 5
"""Corpora named in one progress line."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Budget:
    """How much the search may try. None of it is derived from the cluster, so results do not depend on its size.

    Args:
        n_trials: Trials a corpus.
        batch_size: Trials a corpus that run together; the estimator learns between batches.
        n_startup_trials: Trials drawn at random before the estimator is used.
        n_rounds: Largest number of boosting rounds.
        early_stopping_rounds: Rounds without a better validation NDCG before a fit stops.
        metric_k: Rank down to which NDCG looks.
    """

    n_trials: int
    batch_size: int
    n_startup_trials: int
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
    ranker: Choice,
    space: SearchSpace,
    budget: Budget,
    random_state: int,
) -> tuple[list[Trial], list[CorpusFailure]]:
    """Search each corpus's parameters; all corpora's batches advance together.

    Args:
        context: The session's.
        corpora: Corpus to its staged training matrix.
        ranker: Registered ranker and its options.
        space: What to vary.
        budget: How much to try.
        random_state: The run's seed.

    Returns:
        Every trial of the corpora that have at least one that succeeded, in (corpus, number) order; and the
        corpora that have none, or too little to train on.
    """
    facts = {name: read_facts(staged.paths) for name, staged in corpora.items()}
    failures = [failure for name, found in facts.items() if (failure := _unfit(name, found))]
    kept = sorted(set(corpora) - {failure.corpus for failure in failures})
    settings = {name: budget.fit_settings(threads_a_task(context), seed_of(random_state, name)) for name in kept}
    searches = [_search(name, ranker, space, budget, random_state) for name in kept]
    for first in range(0, budget.n_trials if searches else 0, budget.batch_size):
        n = min(budget.batch_size, budget.n_trials - first)
        proposed = [trial for search in searches for trial in search.suggest(n)]
        tasks = [
            FoldTask(corpora[trial.corpus].names, trial, fold, ranker, settings[trial.corpus])
            for trial in proposed
            for fold in facts[trial.corpus].folds
        ]
        _record(searches, proposed, run_folds(context, tasks))
        _tell(searches, first + n, budget)
    failures += [_all_failed(search) for search in searches if search.best is None]
    return [trial for search in searches if search.best for trial in search.trials], failures


def run_folds(context: SparkContext, tasks: Iterable[FoldTask]) -> list[FoldResult]:
    """Run every task in a Spark task of its own; neighbours share a matrix, which their worker keeps.

    Args:
        context: The session's.
        tasks: At least one.

    Returns:
        One result a task, in (corpus, trial, fold) order.
    """
    ordered = sorted(tasks, key=lambda task: (task.trial.corpus, task.fold, task.trial.number))
    # An action: a few numbers a task come back, no rows.
    results = context.parallelize(ordered, len(ordered)).map(run_fold).collect()
    return sorted(results, key=lambda result: (result.corpus, result.trial, result.fold))


def threads_a_task(context: SparkContext) -> int:
    """Return the cores that Spark gives to one task."""
    return int(context.getConf().get("spark.task.cpus", "1") or 1)


def summarise(trial: Trial, folds: Sequence[FoldResult]) -> Trial:
    """Turn a trial's folds into its loss; one failed fold fails the trial.

    Args:
        trial: As proposed.
        folds: Its results, one a fold.
    """
    duration_s = sum(fold.duration_s for fold in folds)
    errors = [fold.error for fold in folds if fold.error]
    if errors:
        return replace(trial, duration_s=duration_s, error=errors[0])
    n_rounds = max(1, round(sum(fold.n_rounds for fold in folds) / len(folds)))
    loss = -sum(fold.ndcg for fold in folds) / len(folds)
    return replace(trial, loss=loss, n_rounds=n_rounds, duration_s=duration_s)


def _search(corpus: str, ranker: Choice, space: SearchSpace, budget: Budget, random_state: int) -> Search:
    defaults = plugins.create("rankers", ranker).default_params()
    n_startup_trials = budget.n_startup_trials
    return Search(corpus, space, defaults=defaults, n_startup_trials=n_startup_trials, random_state=random_state)


def trial_table(session: SparkSession, trials: Iterable[Trial]) -> DataFrame:
    """Return trials as schemas.TUNING_TRIALS, in one partition; `params` as JSON with sorted keys."""
    rows = [
        (
            trial.corpus,
            trial.number,
            trial.loss,
            trial.status,
            trial.n_rounds,
            json.dumps(dict(trial.params), sort_keys=True),
            trial.duration_s,
        )
        for trial in trials
    ]
    return session.createDataFrame(rows, schemas.ddl(schemas.TUNING_TRIALS.columns)).coalesce(1)


def _record(searches: Iterable[Search], proposed: Iterable[Trial], results: Sequence[FoldResult]) -> None:
    by_corpus = {search.corpus: search for search in searches}
    by_trial: dict[tuple[str, int], list[FoldResult]] = {}
    for result in results:
        by_trial.setdefault((result.corpus, result.trial), []).append(result)
    for trial in proposed:
        ended = summarise(trial, by_trial[trial.corpus, trial.number])
        by_corpus[trial.corpus].record(ended)
        if ended.error:
            logger.warning("Trial %d of corpus %s failed: %s", ended.number, ended.corpus, ended.error)


def _tell(searches: Sequence[Search], n_done: int, budget: Budget) -> None:
    best = [f"{search.corpus} {_text(search.best)}" for search in searches[:MAX_NAMED]]
    more = f" and {len(searches) - MAX_NAMED} more" if len(searches) > MAX_NAMED else ""
    logger.info(
        "Tuning: %d of %d trials a corpus done; best NDCG@%d over folds: %s%s",
        n_done,
        budget.n_trials,
        budget.metric_k,
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


def _all_failed(search: Search) -> CorpusFailure:
    return CorpusFailure(
        search.corpus,
        "training",
        f"all {len(search.trials)} trials failed, the first with: {search.trials[0].error}",
        "Correct training.ranker.options or training.search_space.",
    )
