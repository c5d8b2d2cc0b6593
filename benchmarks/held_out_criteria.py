"""Criteria for choosing a click model that are computed from clicks alone: higher is better.

Each is a mean over held-out clicks, documents or queries, kept as sums by query cluster, so that two models can be
compared with a standard error: queries are independent, clicks of one query are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.stats import rankdata

from rankhammer.click_models.base import bounded_probability
from rankhammer.click_models.counts.sequences import add_up
from rankhammer.click_models.evaluation import label_splits, measure
from rankhammer.click_models.label_scores import discounted_clicks, examination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.click_models import ClickModel, CountedSerps

    Floats, Ints = NDArray[np.float64], NDArray[np.int64]

CRITERIA = (
    "perplexity",
    "log_likelihood",
    "skipped_above",
    "neighbours",
    "same_position",
    "softmax",
    "discounted",
    "new_position",
    "halves",
)
NEW_POSITION_SHARE = 0.05


@dataclass(frozen=True)
class Score:
    """A mean by query cluster: `total` and what it is divided by, `weight`, both of shape (n_clusters,)."""

    total: Floats
    weight: Floats


def better_by(first: Score, second: Score) -> tuple[float, float]:
    """Return how far the first mean is above the second, and the standard error of that over query clusters."""
    weight = max(float(first.weight.sum()), 1e-12)
    other = max(float(second.weight.sum()), 1e-12)
    means = float(first.total.sum()) / weight, float(second.total.sum()) / other
    left = (first.total - means[0] * first.weight) / weight - (second.total - means[1] * second.weight) / other
    return means[0] - means[1], float(np.sqrt((left**2).sum()))


def held_out_scores(
    model: ClickModel, serps: CountedSerps, folds: Sequence[Fold], *, ties: Floats, random_state: int
) -> dict[str, Score]:
    """Score a model by every criterion of CRITERIA.

    Args:
        model: A click model that judges documents.
        serps: Pages, each seen once.
        folds: What `make_folds` returned for them.
        ties: What is added to a label, so that equal ones are in random order, shape (n_pairs,).
        random_state: Seed of all splits.
    """
    found: dict[str, list[Score]] = {name: [] for name in CRITERIA}
    for fold in folds:
        train, test = fold.train, fold.test
        shared = model.fit_corpus(train)
        fitted = model.fit(train, shared)
        conditional = model.predict_conditional_clicks(test, fitted.parameters, shared)
        label = model.predict_relevance(fitted, shared).mean
        if fold is folds[0]:
            found["perplexity"].append(perplexity(test, conditional))
        found["log_likelihood"].append(log_likelihood(test, conditional))
        pairs_seen = train.per_pair(train.cell_weight) > 0
        judged = Judged(test, label, ties, pairs_seen[test.pair])
        found["skipped_above"].append(skipped_above(judged))
        found["neighbours"].append(neighbours(judged))
        found["same_position"].append(same_position(judged))
        found["softmax"].append(softmax(judged))
        found["discounted"].append(discounted(judged, pairs_seen, fold.examined))
    found["new_position"] = [new_position(model, serps, random_state)]
    found["halves"] = [halves(model, serps, random_state)]
    return {
        name: Score(sum(score.total for score in scores), sum(score.weight for score in scores))  # type: ignore[arg-type]
        for name, scores in found.items()
    }


@dataclass(frozen=True)
class Judged:
    """Held-out pages with labels that were made from other pages.

    Args:
        serps: The pages.
        value: Label of each pair, shape (n_pairs,).
        ties: What is added to a label so that equal ones are in random order, shape (n_pairs,).
        seen: Whether the document of a cell was shown on the other pages, shape (n_cells,): of others a label says
            nothing, and nothing is counted.
    """

    serps: CountedSerps
    value: Floats
    ties: Floats
    seen: NDArray[np.bool_]

    @property
    def label(self) -> Floats:
        """Label of each cell, without ties."""
        return (self.value + self.ties)[self.serps.pair]


@dataclass(frozen=True)
class Fold:
    """Pages to fit on and pages to measure on.

    Args:
        train: The former.
        test: The latter, over the same pairs.
        examined: How often each position is examined, by the position-based model of `train`, shape (n_positions,).
    """

    train: CountedSerps
    test: CountedSerps
    examined: Floats


def make_folds(serps: CountedSerps, random_state: int) -> list[Fold]:
    """Split as `auto` does."""
    splits = label_splits(serps, test_share=0.25, random_state=random_state)
    return [Fold(train, test, examination(train)) for train, test in splits]


def by_cluster(serps: CountedSerps, cells: Ints, total: Floats, weight: Floats) -> Score:
    """Add up values of cells by the query cluster of the cell."""
    cluster = serps.pair_cluster[serps.pair[cells]]
    n_clusters = int(serps.pair_cluster[-1]) + 1
    return Score(add_up(cluster, total, n_clusters), add_up(cluster, weight, n_clusters))


def perplexity(serps: CountedSerps, conditional: Floats) -> Score:
    """Minus the conditional perplexity of the first split; as a ratio of sums it has no standard error."""
    value = -measure(serps, conditional, conditional)["conditional_perplexity"]
    n_clusters = int(serps.pair_cluster[-1]) + 1
    weight = np.full(n_clusters, len(serps.pair) / n_clusters)
    return Score(value * weight, weight)


def log_likelihood(serps: CountedSerps, conditional: Floats) -> Score:
    """Mean ln P(C_r | C_<r) of a document."""
    cells = np.arange(len(serps.pair))
    return by_cluster(serps, cells, log_probability(serps, conditional), np.ones(len(cells)))


def log_probability(serps: CountedSerps, conditional: Floats) -> Floats:
    bounded = bounded_probability(conditional)
    return np.log(np.where(serps.clicked, bounded, 1 - bounded))


def skipped_above(judged: Judged) -> Score:
    """Share of (clicked, skipped above it on the page) with the clicked one's label above; a click counts once.

    References:
        T. Joachims: Optimizing search engines using clickthrough data, KDD 2002.
    """
    serps, label = judged.serps, judged.label
    clicks = np.flatnonzero(serps.clicked & judged.seen)
    right, total = np.zeros(len(clicks)), np.zeros(len(clicks))
    for distance in range(1, int(serps.length.max())):
        there = serps.position[clicks] > distance
        above = np.where(there, clicks - distance, clicks)
        skipped = there & ~serps.clicked[above] & judged.seen[above]
        right += skipped & (label[clicks] > label[above])
        total += skipped
    some = total > 0
    return by_cluster(serps, clicks[some], right[some] / total[some], np.ones(int(some.sum())))


def neighbours(judged: Judged) -> Score:
    """Share of neighbours, one clicked, with the clicked one's label above.

    At each position, those with the upper clicked and those with the lower clicked count alike in sum, so that an
    order by position gets 1/2.
    """
    serps, label = judged.serps, judged.label
    both_seen = judged.seen[:-1] & judged.seen[1:] & (serps.position[:-1] + 1 == serps.position[1:])
    upper = np.flatnonzero(both_seen & (serps.clicked[:-1] != serps.clicked[1:]))
    first = serps.clicked[upper]
    side = serps.position[upper] * 2 + first
    n = np.bincount(side, minlength=2 * int(serps.length.max()) + 2).astype(float)
    both = n[0::2] * n[1::2] / np.maximum(n[0::2] + n[1::2], 1)
    weight = both[serps.position[upper]] / n[side]
    right = first == (label[upper] > label[upper + 1])
    return by_cluster(serps, upper, weight * right, weight)


def same_position(judged: Judged) -> Score:
    """Share of (clicked, not clicked) documents, shown at one position for one query, with the clicked label above."""
    serps, cells = judged.serps, np.flatnonzero(judged.seen)
    group = serps.pair_cluster[serps.pair] * (int(serps.length.max()) + 1) + serps.position
    keys, cell = np.unique(np.column_stack([group, serps.pair])[cells], axis=0, return_inverse=True)
    clicks = np.bincount(cell.ravel(), serps.clicked[cells], minlength=len(keys))
    skips = np.bincount(cell.ravel(), ~serps.clicked[cells], minlength=len(keys))
    order = np.lexsort(((judged.value + judged.ties)[keys[:, 1]], keys[:, 0]))
    keys, clicks, skips = keys[order], clicks[order], skips[order]
    begins = np.r_[True, np.diff(keys[:, 0]) > 0][: len(keys)]
    number = np.cumsum(begins) - 1
    so_far = np.cumsum(skips) - skips
    below = so_far - so_far[np.flatnonzero(begins)][number] if len(keys) else so_far
    total = np.bincount(number, skips)[number] - skips if len(keys) else so_far
    some = (total > 0) & (clicks > 0)
    n_clusters = int(serps.pair_cluster[-1]) + 1
    of = serps.pair_cluster[keys[some, 1]]
    share = clicks[some] * below[some] / total[some]
    return Score(add_up(of, share, n_clusters), add_up(of, clicks[some], n_clusters))


def discounted(judged: Judged, pairs_seen: NDArray[np.bool_], examined: Floats) -> Score:
    """DCG of the documents of a query in the order of their labels; see `rankhammer.click_models.label_scores`."""
    order = np.lexsort((-(judged.value + judged.ties), judged.serps.pair_cluster))
    return Score(*discounted_clicks(judged.serps, order, pairs_seen, examined))


def softmax(judged: Judged) -> Score:
    """Mean ln-probability that a click is on this document and not on another one of the page.

    It is proportional to the position's effect times a power of the label; effects and power are fitted to these pages.
    """
    serps = judged.serps
    kept = add_up(serps.cell_serp, (serps.clicked & judged.seen).astype(float), len(serps.length)) > 0
    pages, seen = serps.select(kept), judged.seen[kept[serps.cell_serp]]
    n = int(serps.length.max())
    if not len(pages.pair):
        return Score(*np.zeros((2, int(serps.pair_cluster[-1]) + 1)))
    logit = np.log(np.clip(judged.value, 1e-6, 1))[pages.pair]
    logit = logit - logit.mean()
    loss = partial(_softmax_loss, pages=pages, seen=seen, logit=logit, n=n)
    best = minimize(loss, np.r_[np.zeros(n), 1.0], jac=True, method="L-BFGS-B").x
    value = _softmax_logs(best, pages, seen, logit, n)
    cells = np.flatnonzero(pages.clicked & seen)
    return by_cluster(pages, cells, value[cells], np.ones(len(cells)))


def _softmax_logs(x: Floats, pages: CountedSerps, seen: NDArray[np.bool_], logit: Floats, n: int) -> Floats:
    score = x[:n][pages.position - 1] + x[n] * logit
    norm = np.log(np.add.reduceat(np.where(seen, np.exp(score), 0.0), pages.start))
    return score - norm[pages.cell_serp]


def _softmax_loss(
    x: Floats, pages: CountedSerps, seen: NDArray[np.bool_], logit: Floats, n: int
) -> tuple[float, Floats]:
    logs = _softmax_logs(x, pages, seen, logit, n)
    clicks = add_up(pages.cell_serp, (pages.clicked & seen).astype(float), len(pages.length))
    left = np.where(seen, np.exp(logs) * clicks[pages.cell_serp] - pages.clicked, 0.0)
    slope = np.r_[np.bincount(pages.position - 1, left, minlength=n), (left * logit).sum()]
    ridge = 0.01 * x
    ridge[n] = 0
    return float(-logs[pages.clicked & seen].sum() + 0.5 * (ridge * x).sum()), slope + ridge


def new_position(model: ClickModel, serps: CountedSerps, random_state: int) -> Score:
    """Mean ln P(C_r | C_<r) of documents at a position where they were not shown for the query while fitting."""
    group = serps.pair * (int(serps.length.max()) + 1) + serps.position
    groups, cell = np.unique(group, return_inverse=True)
    out = (np.random.default_rng([random_state, 2]).random(len(groups)) < NEW_POSITION_SHARE)[cell.ravel()]
    held = add_up(serps.cell_serp, out.astype(float), len(serps.length)) > 0
    train, test = serps.select(~held), serps.select(held)
    shared = model.fit_corpus(train)
    fitted = model.fit(train, shared)
    value = log_probability(test, model.predict_conditional_clicks(test, fitted.parameters, shared))
    seen = train.per_pair(np.ones(len(train.pair)))[test.pair] > 0
    cells = np.flatnonzero(out[held[serps.cell_serp]] & seen)
    return by_cluster(test, cells, value[cells], np.ones(len(cells)))


def halves(model: ClickModel, serps: CountedSerps, random_state: int) -> Score:
    """Rank correlation, within each query, of the labels of two halves of the pages."""
    half = np.random.default_rng([random_state, 3]).random(len(serps.length)) < 0.5
    labels = []
    for pages in (serps.select(half), serps.select(~half)):
        shared = model.fit_corpus(pages)
        labels.append(model.predict_relevance(model.fit(pages, shared), shared).mean)
    edges = np.flatnonzero(np.diff(serps.pair_cluster)) + 1
    agreed = [spearman(*both) for both in zip(*(np.split(label, edges) for label in labels), strict=True)]
    known = ~np.isnan(agreed)
    return Score(np.where(known, agreed, 0.0), known.astype(float))


def spearman(first: Floats, second: Floats) -> float:
    """Rank correlation; labels that are all alike order nothing and count as 0."""
    if len(first) < 2:
        return np.nan
    ranks = [rankdata(np.round(label, 9)) for label in (first, second)]
    spread = [rank - rank.mean() for rank in ranks]
    norm = float(np.sqrt((spread[0] ** 2).sum() * (spread[1] ** 2).sum()))
    return float(spread[0] @ spread[1]) / norm if norm > 0 else 0.0
