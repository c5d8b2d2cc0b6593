"""Which trials are given up after some of their folds: those that are surely behind the best one so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rankhammer.training.choice import behind

if TYPE_CHECKING:
    from rankhammer.training.search import Trial


@dataclass(frozen=True)
class Pruning:
    """When a trial is hopeless.

    Args:
        after_folds: Folds, the first ones, that each trial runs; 1 or more. The others it runs if it is not hopeless.
        standard_errors: How many standard errors a hopeless trial is behind the best, paired by query.
    """

    after_folds: int
    standard_errors: float


def pruned(partial: Trial, best: Trial | None, rule: Pruning) -> Trial | None:
    """Return a trial as given up, or None where it may go on.

    Args:
        partial: As its first folds left it.
        best: The best trial of the same search among those of earlier batches, on all folds; None: there is none yet.
        rule: When a trial is hopeless.

    Returns:
        The trial with a loss as far above that of `best` as it is behind on the folds that both ran: folds differ more
        than trials, so that its own mean over some of them would mislead the estimator.
    """
    if best is None or best.loss is None or partial.loss is None:
        return None
    # Groups stand in the order of folds, and those of a fold are the same queries in every trial.
    same_folds = replace(best, groups=best.groups[: len(partial.groups)])
    distance, standard_error = behind(same_folds, partial)
    if not 0 < rule.standard_errors * standard_error < distance:
        return None
    return replace(partial, loss=best.loss + distance, is_pruned=True)
