"""Which trial of a ranker's search is taken: the best, or the simplest that cross-validation cannot tell from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from rankhammer.training.choice import behind
from rankhammer.training.search import best_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.training.search import Trial, TrialRule


def compare(trials: Sequence[Trial]) -> list[Trial]:
    """Say of each trial how far it is behind the best one of its search, and how surely.

    Args:
        trials: Of one search, with the same validation queries in `groups`.

    Returns:
        The same trials; those that failed or were pruned are as they were.
    """
    best = best_of(trials)
    return [_compared(trial, best) if best and trial.status == "ok" else trial for trial in trials]


def _compared(trial: Trial, best: Trial) -> Trial:
    distance, standard_error = behind(best, trial)
    return replace(trial, behind_best=distance, behind_best_se=standard_error)


def choose_trial(trials: Sequence[Trial], rule: TrialRule) -> Trial | None:
    """Choose a trial of one search.

    Simple is what has a small model (`model_size`: leaves of all trees, so depth times rounds; or weights), then few
    rounds; of equals the better mean, then the earlier trial is taken.

    Args:
        trials: What `compare` returned.
        rule: By which.

    Returns:
        None where none succeeded on all folds.

    References:
        Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984, section 3.4.3.
    """
    best = best_of(trials)
    if best is None or rule == "mean":
        return best
    close = [trial for trial in trials if trial is best or _is_close(trial)]
    return min(close, key=_complexity)


def _is_close(trial: Trial) -> bool:
    if trial.status != "ok" or trial.behind_best is None or trial.behind_best_se is None:
        return False
    return trial.behind_best <= trial.behind_best_se


def _complexity(trial: Trial) -> tuple[float, int, float, int]:
    return trial.model_size or 0.0, trial.n_rounds or 0, trial.loss or 0.0, trial.number


@dataclass(frozen=True)
class TrialChoice:
    """Which trial was taken, and why.

    Args:
        rule: By which.
        number: Of the trial that was taken.
        best: Number of the one with the highest mean NDCG over folds.
        behind: By how much the taken one is behind it, paired by query.
        standard_error: Of that.
        size: Mean size of the taken trial's models over folds.
        best_size: Of the best one's.
    """

    rule: TrialRule
    number: int
    best: int
    behind: float
    standard_error: float
    size: float | None
    best_size: float | None

    @property
    def reason(self) -> str:
        """Why, in words."""
        if self.rule == "mean":
            return "the highest mean NDCG over folds"
        if self.number == self.best:
            return "the highest mean NDCG over folds; none that is simpler is within one standard error"
        return (
            f"the simplest that is at most one standard error behind trial {self.best}: by {self.behind:.4f}, standard "
            f"error {self.standard_error:.4f}, size {self.size or 0:,.0f} instead of {self.best_size or 0:,.0f}"
        )

    def facts(self) -> dict[str, Any]:
        """Return it for a report."""
        return {**asdict(self), "reason": self.reason}


def choice_of(trials: Sequence[Trial], rule: TrialRule) -> TrialChoice | None:
    """Say which trial of the chosen ranker was taken.

    Args:
        trials: Of one corpus and ranker, one of them marked as chosen.
        rule: By which.

    Returns:
        None where none is marked.
    """
    taken = next((trial for trial in trials if trial.standing and trial.standing.chosen), None)
    best = best_of(trials)
    if taken is None or best is None:
        return None
    distance = (taken.behind_best or 0.0, taken.behind_best_se or 0.0)
    return TrialChoice(rule, taken.number, best.number, *distance, taken.model_size, best.model_size)
