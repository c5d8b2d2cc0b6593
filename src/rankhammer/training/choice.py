"""Which of several rankers a corpus gets: the simplest one that cross-validation cannot tell from the best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.training.search import Group, Standing, standard_error
from rankhammer.training.search_space import SearchSpace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from rankhammer.plugins import PluginSpec
    from rankhammer.training.search import Trial, TrialRule

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
        max_rounds: Largest number of rounds, with early stopping; None: the budget's.
        groups: Names of parameters that a staged search varies one group after the other.
        named: What it is called where `ranker` is around it; empty: by the ranker's name.
    """

    ranker: PluginSpec
    space: SearchSpace = NOTHING
    n_trials: int | None = None
    n_rounds: int | None = None
    max_rounds: int | None = None
    groups: tuple[tuple[str, ...], ...] = ()
    named: str = ""

    @property
    def name(self) -> str:
        """The ranker's registered name; no two candidates of a corpus have the same."""
        return self.named or self.ranker.name


@dataclass(frozen=True)
class SizedSearch:
    """How the parameters of corpora up to a size are searched.

    Args:
        max_rows: Largest number of graded training rows.
        spaces: Name of each candidate to what its search varies.
        n_trials: Trials a corpus; None: the budget's.
        n_rounds: Largest number of rounds, with early stopping; None: the budget's.
    """

    max_rows: int
    spaces: Mapping[str, SearchSpace]
    n_trials: int | None = None
    n_rounds: int | None = None

    def applied(self, candidate: Candidate) -> Candidate:
        """Return a candidate as it is searched for such a corpus; what it says itself goes first."""
        return replace(
            candidate,
            space=self.spaces[candidate.name],
            n_trials=candidate.n_trials or self.n_trials,
            max_rounds=self.n_rounds,
        )


@dataclass(frozen=True)
class RankerChoice:
    """The rankers among which each corpus's is chosen, by how many queries there are to choose by.

    Args:
        candidates: Simplest first, at least one.
        small: The same rankers for corpora with fewer than `small_below` queries.
        below: Corpora with so many graded training queries or more get the last candidate, without a choice.
        small_below: Corpora with fewer are small.
        standard_errors: How many standard errors behind the best a simpler candidate may be.
        trial_rule: Which trial of each candidate is taken, see `search.TrialRule`.
        sizes: Other searches for small corpora, by their sizes in ascending order.
    """

    candidates: tuple[Candidate, ...]
    small: tuple[Candidate, ...] = ()
    below: int = 0
    small_below: int = 0
    standard_errors: float = 1.0
    trial_rule: TrialRule = "mean"
    sizes: tuple[SizedSearch, ...] = ()

    def every(self) -> tuple[Candidate, ...]:
        """Return all that some corpus may get; one with other options stands there twice."""
        return self.candidates + self.small

    def for_queries(self, n_queries: int) -> tuple[Candidate, ...]:
        """Return the candidates of a corpus with so many graded training queries, simplest first."""
        if len(self.candidates) == 1 or n_queries >= self.below:
            return self.candidates[-1:]
        return self.small if self.small and n_queries < self.small_below else self.candidates

    def for_size(self, n_queries: int, n_rows: int) -> tuple[Candidate, ...]:
        """Return the candidates of a corpus as they are searched for its size, simplest first.

        Args:
            n_queries: Graded training queries.
            n_rows: Graded training rows.
        """
        candidates, size = self.for_queries(n_queries), self.size_of(n_queries, n_rows)
        return tuple(map(size.applied, candidates)) if size else candidates

    def size_of(self, n_queries: int, n_rows: int) -> SizedSearch | None:
        """Return the other search that a corpus has for its size; None: it has none, or nothing is searched.

        Args:
            n_queries: Graded training queries.
            n_rows: Graded training rows.
        """
        size = next((size for size in self.sizes if n_rows <= size.max_rows), None)
        if size is None:
            return None
        searched = map(size.applied, self.for_queries(n_queries))
        return size if any(found.space.dimensions and found.n_trials != 1 for found in searched) else None


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
    standings = [Standing(trial.ranker, mean, *behind(leader, trial)) for trial, mean in zip(best, means, strict=True)]
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


@dataclass(frozen=True)
class Lead:
    """How far the best trial of a search is ahead of the second best, paired by fold.

    Args:
        best: Number of the best trial.
        second: Number of the second best.
        ahead: Mean difference of their NDCG over folds, 0 or more.
        standard_error: Of `ahead`.
    """

    best: int
    second: int
    ahead: float
    standard_error: float

    @property
    def is_noise(self) -> bool:
        """Whether more folds may well make the other trial the best."""
        return self.ahead < self.standard_error


def lead_of(trials: Iterable[Trial]) -> Lead | None:
    """Compare the best two trials of one search.

    Args:
        trials: Of one corpus and ranker, in any order.

    Returns:
        None where fewer than two have succeeded on two folds or more.
    """
    usable = (trial for trial in trials if trial.status == "ok" and len(trial.fold_ndcg) > 1)
    ordered = sorted(usable, key=lambda trial: (trial.loss or 0.0, trial.number))[:2]
    if len(ordered) < 2:
        return None
    best, second = ordered
    differences = [ours - theirs for ours, theirs in zip(best.fold_ndcg, second.fold_ndcg, strict=True)]
    ahead = sum(differences) / len(differences)
    return Lead(best.number, second.number, max(ahead, 0.0), standard_error(differences) or 0.0)


def _mean(groups: Sequence[Group]) -> float:
    table = np.array(groups, np.float64).reshape(-1, 2)
    return float(table[:, 0].sum() / max(table[:, 1].sum(), 1.0))


def behind(leader: Trial, trial: Trial) -> tuple[float, float]:
    """Return by how much a trial is behind another one, and the standard error of that, paired over groups of queries.

    Args:
        leader: Has `groups` of the same queries.
        trial: Likewise.
    """
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
