"""Which of several rankers a corpus gets: the simplest one that cross-validation cannot tell from the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.training.search import Group, Standing
from rankhammer.training.search_space import SearchSpace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from rankhammer.plugins import PluginSpec
    from rankhammer.training.search import Trial

N_GROUPS = 64
"""Groups of a fold's queries that come back from a worker: one query each up to so many, and no more than so many."""


NOTHING = SearchSpace(())
"""To search."""


@dataclass(frozen=True)
class Candidate:
    """A ranker that a corpus may get, and how its parameters are searched.

    Args:
        ranker: Registered ranker and its options.
        space: What the search varies.
        n_trials: Trials a corpus where there is something to search; None: as many as the budget has.
        n_rounds: Rounds of each fit, without early stopping; None: the budget's, with it.
    """

    ranker: PluginSpec
    space: SearchSpace = NOTHING
    n_trials: int | None = None
    n_rounds: int | None = None

    @property
    def name(self) -> str:
        """The ranker's registered name; no two candidates of a corpus have the same."""
        return self.ranker.name


@dataclass(frozen=True)
class RankerChoice:
    """The rankers among which each corpus's is chosen, by how many queries there are to choose by.

    Args:
        candidates: Simplest first, at least one.
        small: The same rankers for corpora with fewer than `small_below` queries.
        below: Corpora with so many graded training queries or more get the last candidate, without a choice.
        small_below: Corpora with fewer are small.
        standard_errors: How many standard errors behind the best a simpler candidate may be.
    """

    candidates: tuple[Candidate, ...]
    small: tuple[Candidate, ...] = ()
    below: int = 0
    small_below: int = 0
    standard_errors: float = 1.0

    def every(self) -> tuple[Candidate, ...]:
        """Return all that some corpus may get; one with other options stands there twice."""
        return self.candidates + self.small

    def for_queries(self, n_queries: int) -> tuple[Candidate, ...]:
        """Return the candidates of a corpus with so many graded training queries, simplest first."""
        if len(self.candidates) == 1 or n_queries >= self.below:
            return self.candidates[-1:]
        return self.small if self.small and n_queries < self.small_below else self.candidates


def group_sums(values: NDArray[np.float64]) -> tuple[Group, ...]:
    """Sum up a fold's values in N_GROUPS groups, the query at place i in group i mod N_GROUPS.

    Args:
        values: One per query in the fold's order, NaN where it has none. Shape (n_queries,).

    Returns:
        One per group; fewer than N_GROUPS where there are fewer queries.
    """
    group = np.arange(len(values)) % N_GROUPS
    kept = ~np.isnan(values)
    sums = np.bincount(group, weights=np.where(kept, values, 0.0))
    return tuple(zip(sums.tolist(), np.bincount(group, weights=kept).astype(int).tolist(), strict=True))


def choose(best: Sequence[Trial], standard_errors: float) -> list[Standing]:
    """Choose by the rule of so many standard errors: the simplest candidate that is not further behind the best.

    The differences are paired by query: their standard error is far smaller than that of either mean.

    Args:
        best: Each candidate's best trial, simplest first, with the same queries in `groups`; at least one.
        standard_errors: 0 takes the best; more favours simple ones.

    Returns:
        One per candidate in the same order, of which one is chosen.

    References:
        Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984, section 3.4.3 (the rule); the
        standard error as in `evaluation.bootstrap.clustered_sd`, over groups of queries.
    """
    means = [_mean(trial.groups) for trial in best]
    # The first of equals: the simplest.
    leader = best[int(np.argmax(means))]
    standings = [Standing(trial.ranker, mean, *_behind(leader, trial)) for trial, mean in zip(best, means, strict=True)]
    place = next(n for n, found in enumerate(standings) if found.behind <= standard_errors * found.standard_error)
    return [Standing(**{**vars(found), "chosen": n == place}) for n, found in enumerate(standings)]


def reason(standings: Sequence[Standing], standard_errors: float) -> str:
    """Say why a ranker was chosen, in one sentence.

    Args:
        standings: One per candidate, one of them chosen.
        standard_errors: Of the rule.
    """
    if len(standings) == 1:
        return "the only candidate"
    chosen = next(found for found in standings if found.chosen)
    if not chosen.behind:
        return "the highest NDCG in cross-validation; none that is simpler is within the margin"
    best = max(standings, key=lambda found: found.ndcg)
    return (
        f"the simplest that is at most {standard_errors:g} standard errors behind {best.ranker}: "
        f"by {chosen.behind:.4f}, standard error {chosen.standard_error:.4f}"
    )


def _mean(groups: Sequence[Group]) -> float:
    table = np.array(groups, np.float64).reshape(-1, 2)
    return float(table[:, 0].sum() / max(table[:, 1].sum(), 1.0))


def _behind(leader: Trial, trial: Trial) -> tuple[float, float]:
    """Mean paired difference and its standard error over groups of queries."""
    ours, theirs = (np.array(found.groups, np.float64).reshape(-1, 2) for found in (leader, trial))
    n_queries = ours[:, 1].sum()
    differences = ours[:, 0] - theirs[:, 0]
    return float(differences.sum() / max(n_queries, 1.0)), _standard_error(differences, ours[:, 1])


def _standard_error(sums: ArrayLike, counts: NDArray[np.float64]) -> float:
    """Standard error of sum / count, the groups being independent: 0 below two groups."""
    used = counts > 0
    n_groups, n_queries = int(used.sum()), float(counts.sum())
    if n_groups < 2:
        return 0.0
    deviations = np.asarray(sums)[used] - counts[used] * np.asarray(sums).sum() / n_queries
    return float(np.sqrt(n_groups / (n_groups - 1) * np.square(deviations).sum()) / n_queries)
