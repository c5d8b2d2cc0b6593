"""What the log says of a search while it goes on, and at its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rankhammer import plugins
from rankhammer.errors import one_line
from rankhammer.rankers.blend import BlendRanker
from rankhammer.rankers.selected import learner_of
from rankhammer.training.choice import lead_of
from rankhammer.training.slots import count_slots
from rankhammer.training.trial_choice import choice_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark import SparkContext

    from rankhammer.training.choice import Candidate, SizedSearch
    from rankhammer.training.fold_runs import FoldRuns
    from rankhammer.training.search import HyperparameterSearch, Trial, TrialRule
    from rankhammer.training.staged_search import StagedSearch

    Search = HyperparameterSearch | StagedSearch

MAX_NAMED = 5
"""Corpora named in one line."""
logger = logging.getLogger(__name__)


def warn_of_failure(trial: Trial, earlier: Sequence[Trial]) -> None:
    """Say why a trial failed, if it did; the same words stand there once.

    Args:
        trial: As it ended.
        earlier: The trials of its search so far; it may be among them.
    """
    if not trial.error:
        return
    same = next((one.number for one in earlier if one.error == trial.error and one.number < trial.number), None)
    text = one_line(trial.error, whole="tuning_trials, column error")
    why = text if same is None else f"as trial {same} did"
    logger.warning("Trial %d of %s of corpus %s failed: %s", trial.number, trial.ranker, trial.corpus, why)


def warn_of_equal_models(candidates: Iterable[Candidate]) -> None:
    """Name the members of a blend whose seeds change nothing: they take time, and no score is another one.

    Args:
        candidates: Whose rankers may be blends.
    """
    for candidate in candidates:
        ranker = plugins.create("rankers", learner_of(candidate.ranker))
        searched = {dimension.name for dimension in candidate.space.dimensions}
        for member, parameter in ranker.equal_models(searched).items() if isinstance(ranker, BlendRanker) else ():
            logger.warning(
                "The ranker blend trains the same model of %s with each seed, as nothing of it is drawn by chance: set "
                "its option %s below 1 (0.8), or seeds: 1 in training.ranker.options.",
                *(member, parameter),
            )


def tell_usage(fold_runs: FoldRuns, context: SparkContext) -> None:
    """Say how well the slots were used."""
    if text := fold_runs.usage.text(count_slots(context)):
        logger.info("Tuning: %s", text)


def tell_progress(searches: Sequence[Search], n_done: int, n_trials: int, metric_k: int) -> None:
    """Say how far searches are, and the best of each so far.

    Args:
        searches: Of all corpora and candidates.
        n_done: Trials of a corpus that have ended.
        n_trials: Of all.
        metric_k: NDCG looks down to this rank.
    """
    several = len({search.ranker for search in searches}) > 1
    best = [f"{search.corpus} {search.ranker + ' ' if several else ''}{_text(search.best)}" for search in searches]
    done = "Tuning: %d of %d trials per corpus done; best NDCG@%d over folds: %s"
    logger.info(done, n_done, n_trials, metric_k, _listed(best))


def tell_leads(marked: Sequence[Trial]) -> None:
    """Say where the folds do not tell a corpus's best two trials apart."""
    chosen = {(trial.corpus, trial.ranker) for trial in marked if trial.standing and trial.standing.chosen}
    leads = {key: lead_of(one for one in marked if (one.corpus, one.ranker) == key) for key in sorted(chosen)}
    close = [
        f"{corpus} (trial {lead.best} of {ranker} is {lead.ahead:.4f} ahead of trial {lead.second}, standard error "
        f"{lead.standard_error:.4f})"
        for (corpus, ranker), lead in leads.items()
        if lead and lead.is_noise
    ]
    if close:
        logger.info("Tuning: more folds (folding.n_folds) may choose other parameters for %s", _listed(close))


def _text(best: Trial | None) -> str:
    return "none yet" if best is None or best.loss is None else f"{-best.loss:.4f}"


def tell_trials(marked: Sequence[Trial], rule: TrialRule) -> None:
    """Say where a simpler trial was taken than the best one."""
    for corpus, ranker in sorted({_key(trial) for trial in marked if trial.standing and trial.standing.chosen}):
        taken = choice_of([trial for trial in marked if _key(trial) == (corpus, ranker)], rule)
        if taken and taken.number != taken.best:
            logger.info("Tuning: corpus %s gets trial %d of %s, %s", corpus, taken.number, ranker, taken.reason)


def _key(trial: Trial) -> tuple[str, str]:
    return trial.corpus, trial.ranker


def tell_sizes(sizes: Mapping[str, SizedSearch | None]) -> None:
    """Say which corpora are searched in a space for their size.

    Args:
        sizes: Corpus to the rule that it is searched by; None: by none.
    """
    for max_rows in sorted({found.max_rows for found in sizes.values() if found}):
        corpora = [corpus for corpus, found in sizes.items() if found and found.max_rows == max_rows]
        logger.info("Tuning: searched as corpora of at most %s rows: %s", f"{max_rows:,}", _listed(corpora))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
