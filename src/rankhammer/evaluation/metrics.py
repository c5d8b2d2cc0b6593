"""Ranking metrics over many queries at once, in numpy: the rows of one query stand together.

Ties are broken by row order: hand over the rows of a query by doc_id, and a tie never depends on a grade.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike, NDArray

    JudgedGrades = tuple[ArrayLike, ArrayLike]

Rule = Literal["exponential", "linear"]
Empty = Literal["skip", "one", "zero"]

MAX_CUTOFF = 100
"""Largest k of a named metric, so that no more than 100 ideal grades per query need be kept."""

_EMPTY_VALUES = {"skip": np.nan, "one": 1.0, "zero": 0.0}
MIN_RELEVANT = 1
"""Lowest grade of a relevant document, where a metric knows only relevant ones and others."""
ERR_TOP_GRADE = 4
"""Grade at which ERR takes a user to be satisfied with 15/16; higher grades count as this one."""
_SKIPPED = "queries without a relevant document are skipped and counted"
RULES = {
    "ndcg": f"gain 2^grade - 1, discount log2(1 + rank); {_SKIPPED}",
    "ndcg_linear": f"gain = grade, discount log2(1 + rank); {_SKIPPED}",
    "mrr": f"1 / rank of the first document with grade {MIN_RELEVANT} or higher, else 0; {_SKIPPED}",
    "map": f"average precision: sum of the precisions at relevant documents (grade {MIN_RELEVANT} or higher) among the "
    f"first k, divided by all relevant documents of the query; {_SKIPPED}",
    "err": f"expected reciprocal rank, satisfied with (2^grade - 1) / 2^{ERR_TOP_GRADE}; {_SKIPPED}",
    "precision": f"relevant documents (grade {MIN_RELEVANT} or higher) among the first k, divided by k; {_SKIPPED}",
    "recall": f"relevant documents (grade {MIN_RELEVANT} or higher) among the first k, divided by all relevant ones of "
    f"the query; {_SKIPPED}",
}
"""Metric to how it counts, which differs between tools."""


@dataclass(frozen=True)
class Metric:
    """A metric with its cutoff, as named in the parameters: `ndcg@10`, `ndcg_linear@5`, `mrr@10`, `map@100`.

    Args:
        name: One of RULES.
        k: Cutoff, 1 to MAX_CUTOFF.
    """

    name: str
    k: int

    def values(
        self, scores: ArrayLike, grades: ArrayLike, qid: ArrayLike, *, ideal_grades: JudgedGrades | None = None
    ) -> NDArray[np.float64]:
        """Return one value per query, NaN for a query without a relevant document; see `ndcg` for the arguments."""
        return _COMPUTED_BY[self.name](scores, grades, qid, self.k, ideal_grades=ideal_grades)

    @property
    def rule(self) -> str:
        """Say in one sentence how it counts."""
        return RULES[self.name]


def parse_metric(text: str) -> Metric:
    """Read a metric's name.

    Args:
        text: `<name>@<k>`, for example `ndcg@10`.

    Raises:
        ConfigError: The name is unknown, or k is missing or out of 1 to MAX_CUTOFF.
    """
    name, _, cutoff = text.partition("@")
    if name not in RULES:
        raise ConfigError(f"Unknown metric {text!r}.", hint=did_you_mean(name, tuple(RULES)), metric=text)
    if not re.fullmatch(r"[1-9]\d{0,2}", cutoff) or int(cutoff) > MAX_CUTOFF:
        raise ConfigError(
            f"Metric {text!r} needs a cutoff from 1 to {MAX_CUTOFF}.", hint=f"Write {name}@10.", metric=text
        )
    return Metric(name, int(cutoff))


def ndcg(
    scores: ArrayLike,
    grades: ArrayLike,
    qid: ArrayLike,
    k: int,
    *,
    ideal_grades: JudgedGrades | None = None,
    rule: Rule = "exponential",
    empty: Empty = "skip",
) -> NDArray[np.float64]:
    """Compute NDCG@k = DCG@k / ideal DCG@k of every query, with DCG@k = sum over ranks r <= k of gain / log2(1 + r).

    Args:
        scores: One score per row, higher ranks first; NaN ranks last. Shape (n_rows,).
        grades: One grade a row, 0 or more. Shape (n_rows,).
        qid: Ascending group ids. Shape (n_rows,).
        k: Cutoff, 1 or more.
        ideal_grades: (grades, qid) of all judged documents of the same queries, ascending in qid, where the ranked
            rows are only some of them (the convention of trec_eval); by default the rows' own grades.
        rule: Gain of a grade g: "exponential" is 2^g - 1, "linear" is g.
        empty: Value of a query whose ideal DCG is 0: "skip" is NaN, "one" is what XGBoost and LightGBM
            report, "zero" what scikit-learn reports.

    Returns:
        One value in 0..1 a query, in the order of qid. Shape (n_queries,).

    References:
        Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 2002; the exponential gain:
        Burges et al., Learning to rank using gradient descent, ICML 2005.
    """
    groups = _Groups.of(qid)
    gains = _gains(grades, rule)
    gained = groups.discounted_sum(gains[groups.order(scores)], k)
    ideal_groups, ideal_gains = groups, gains
    if ideal_grades is not None:
        ideal_groups, ideal_gains = _Groups.of(ideal_grades[1], like=groups), _gains(ideal_grades[0], rule)
    ideal = ideal_groups.discounted_sum(ideal_gains[ideal_groups.order(ideal_gains)], k)
    values = np.full(len(ideal), _EMPTY_VALUES[empty])
    np.divide(gained, ideal, out=values, where=ideal > 0)
    return values


def mean_ndcg(
    scores: ArrayLike,
    grades: ArrayLike,
    qid: ArrayLike,
    k: int,
    *,
    rule: Rule = "exponential",
    empty: Empty = "skip",
) -> float:
    """Average NDCG@k over the queries that have one; NaN when none has. Arguments as for `ndcg`."""
    return mean_value(ndcg(scores, grades, qid, k, rule=rule, empty=empty))


def mean_value(values: NDArray[np.float64]) -> float:
    """Average the values that are not NaN; NaN, without a warning, when there are none."""
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if kept.size else float("nan")


def mrr(
    scores: ArrayLike,
    grades: ArrayLike,
    qid: ArrayLike,
    k: int,
    *,
    ideal_grades: JudgedGrades | None = None,
    min_grade: int = 1,
) -> NDArray[np.float64]:
    """Compute 1 / rank of the first relevant document among the first k, else 0; NaN when the query has none at all.

    Args:
        scores: One score per row, higher ranks first; NaN ranks last. Shape (n_rows,).
        grades: One grade a row. Shape (n_rows,).
        qid: Ascending group ids. Shape (n_rows,).
        k: Cutoff, 1 or more.
        ideal_grades: (grades, qid) of all judged documents, which say whether a query has a relevant one.
        min_grade: A document with this grade or a higher one is relevant.

    Returns:
        One value per query, in the order of qid. Shape (n_queries,).
    """
    found = _Relevant.of(scores, grades, qid, ideal_grades, min_grade=min_grade)
    first = found.is_relevant & (found.groups.rank <= k)
    best = np.zeros(found.groups.n_queries)
    np.maximum.at(best, found.groups.group[first], 1.0 / found.groups.rank[first])
    return found.of_queries_with_one(best)


def average_precision(
    scores: ArrayLike, grades: ArrayLike, qid: ArrayLike, k: int, *, ideal_grades: JudgedGrades | None = None
) -> NDArray[np.float64]:
    """Compute average precision at k, as trec_eval's map_cut: NaN when the query has no relevant document at all.

    Each relevant document among the first k adds the precision at its rank; the sum is divided by the number of all
    relevant documents of the query, found or not.

    Args:
        scores: One score per row, higher ranks first; NaN ranks last. Shape (n_rows,).
        grades: One grade a row; relevant: MIN_RELEVANT or higher. Shape (n_rows,).
        qid: Ascending group ids. Shape (n_rows,).
        k: Cutoff, 1 or more.
        ideal_grades: (grades, qid) of all judged documents; by default the rows' own.

    Returns:
        One value in 0..1 a query, in the order of qid. Shape (n_queries,).
    """
    found = _Relevant.of(scores, grades, qid, ideal_grades)
    seen = found.is_relevant & (found.groups.rank <= k)
    # How many relevant documents stand at this rank or above it, in each query by itself.
    running = np.cumsum(found.is_relevant)
    before = np.concatenate([[0], running])[np.flatnonzero(found.groups.rank == 1)]
    so_far = running - before[found.groups.group]
    precisions = np.where(seen, so_far / found.groups.rank, 0.0)
    return found.of_queries_with_one(found.groups.sum(precisions) / np.maximum(found.n_judged, 1.0))


def precision(
    scores: ArrayLike, grades: ArrayLike, qid: ArrayLike, k: int, *, ideal_grades: JudgedGrades | None = None
) -> NDArray[np.float64]:
    """Compute relevant documents among the first k, divided by k; arguments and result as for `average_precision`."""
    found = _Relevant.of(scores, grades, qid, ideal_grades)
    return found.of_queries_with_one(found.n_within(k) / k)


def recall(
    scores: ArrayLike, grades: ArrayLike, qid: ArrayLike, k: int, *, ideal_grades: JudgedGrades | None = None
) -> NDArray[np.float64]:
    """Compute relevant documents among the first k, divided by all of them; otherwise as `average_precision`."""
    found = _Relevant.of(scores, grades, qid, ideal_grades)
    return found.of_queries_with_one(found.n_within(k) / np.maximum(found.n_judged, 1.0))


def expected_reciprocal_rank(
    scores: ArrayLike, grades: ArrayLike, qid: ArrayLike, k: int, *, ideal_grades: JudgedGrades | None = None
) -> NDArray[np.float64]:
    """Compute ERR@k = sum over ranks r <= k of 1/r times the probability that a user is satisfied first at r.

    A document of grade g satisfies with (2^g - 1) / 2^ERR_TOP_GRADE; arguments and result as for `average_precision`.

    References:
        Chapelle et al., Expected reciprocal rank for graded relevance, CIKM 2009.
    """
    found = _Relevant.of(scores, grades, qid, ideal_grades)
    groups = found.groups
    clipped = np.clip(np.asarray(grades, dtype=np.float64)[groups.order(scores)], 0.0, ERR_TOP_GRADE)
    satisfied = (np.exp2(clipped) - 1.0) / 2.0**ERR_TOP_GRADE
    # Nobody above was satisfied: a product within the query, which a sum of logarithms gives for all queries at once.
    left = np.cumsum(np.log1p(-satisfied))
    start = np.concatenate([[0.0], left])[np.flatnonzero(groups.rank == 1)][groups.group]
    goes_on = np.exp(np.concatenate([[0.0], left[:-1]])[: len(left)] - start)
    gained = np.where(groups.rank <= k, goes_on * satisfied / groups.rank, 0.0)
    return found.of_queries_with_one(groups.sum(gained))


_COMPUTED_BY: dict[str, Callable[..., NDArray[np.float64]]] = {
    "ndcg": ndcg,
    "ndcg_linear": partial(ndcg, rule="linear"),
    "mrr": mrr,
    "map": average_precision,
    "err": expected_reciprocal_rank,
    "precision": precision,
    "recall": recall,
}


@dataclass(frozen=True)
class _Relevant:
    """Which documents are relevant: `is_relevant` by rank within each query, `n_judged` of all judged ones a query."""

    groups: _Groups
    is_relevant: NDArray[np.bool_]
    n_judged: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        scores: ArrayLike,
        grades: ArrayLike,
        qid: ArrayLike,
        ideal_grades: JudgedGrades | None,
        *,
        min_grade: int = MIN_RELEVANT,
    ) -> _Relevant:
        groups = _Groups.of(qid)
        judged, judged_groups = np.asarray(grades), groups
        if ideal_grades is not None:
            judged, judged_groups = np.asarray(ideal_grades[0]), _Groups.of(ideal_grades[1], like=groups)
        is_relevant = np.asarray(grades)[groups.order(scores)] >= min_grade
        return cls(groups, is_relevant, judged_groups.sum((judged >= min_grade).astype(np.float64)))

    def n_within(self, k: int) -> NDArray[np.float64]:
        """Count the relevant documents among the first k of each query."""
        return self.groups.sum((self.is_relevant & (self.groups.rank <= k)).astype(np.float64))

    def of_queries_with_one(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values, NaN for queries without a relevant document."""
        return np.where(self.n_judged > 0, values, np.nan)


@dataclass(frozen=True)
class _Groups:
    """Rows grouped by query: `group` is 0, 0, 1, ...; `rank` is the 1-based place within the group; ids once each."""

    ids: NDArray[Any]
    group: NDArray[np.intp]
    rank: NDArray[np.intp]

    @classmethod
    def of(cls, qid: ArrayLike, like: _Groups | None = None) -> _Groups:
        """Number the groups from 0 on, or as in `like`, which must know every id."""
        ids = np.asarray(qid)
        first = np.ones(len(ids), dtype=bool)
        first[1:] = ids[1:] != ids[:-1]
        starts = np.flatnonzero(first)
        group = np.cumsum(first) - 1
        rank = np.arange(len(ids)) - starts[group] + 1
        unique = ids[starts]
        if like is None:
            return cls(unique, group, rank)
        return cls(like.ids, np.searchsorted(like.ids, unique)[group], rank)

    @property
    def n_queries(self) -> int:
        return len(self.ids)

    def order(self, scores: ArrayLike) -> NDArray[np.intp]:
        """Row numbers by descending score within each group; equal scores keep their row order."""
        return np.lexsort((-np.asarray(scores, dtype=np.float64), self.group))

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(self.group, weights=values, minlength=self.n_queries).astype(np.float64, copy=False)

    def discounted_sum(self, gains: NDArray[np.float64], k: int) -> NDArray[np.float64]:
        """DCG@k of gains that already stand in rank order."""
        return self.sum(np.where(self.rank <= k, gains / np.log2(1.0 + self.rank), 0.0))


def _gains(grades: ArrayLike, rule: Rule) -> NDArray[np.float64]:
    values = np.asarray(grades, dtype=np.float64)
    return np.exp2(values) - 1.0 if rule == "exponential" else values


def mean_by_rule(
    scores: ArrayLike, grades: ArrayLike, qid: ArrayLike, cutoffs: Iterable[int]
) -> dict[str, dict[str, float]]:
    """Average NDCG at several cutoffs by the two rules in use, so that a figure can be set beside another tool's.

    Returns:
        {"skip_empty": {"ndcg@1": ...}, "empty_is_one": {...}}: ours, and what XGBoost and LightGBM report.
    """
    cuts = list(cutoffs)
    rules: dict[str, Empty] = {"skip_empty": "skip", "empty_is_one": "one"}
    return {
        name: {f"ndcg@{k}": mean_ndcg(scores, grades, qid, k, empty=empty) for k in cuts}
        for name, empty in rules.items()
    }
