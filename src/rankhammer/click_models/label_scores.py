"""How well labels order clicks that they were not made from: what keeps `auto` from models with poor labels.

A model that predicts clicks best need not have the best labels: what all documents share (positions, last clicks)
decides most of a likelihood, and nothing of an order. Here labels from one part of the pages order the documents of
each query, and clicks on the other part say how good that order is. A click counts by the inverse of how often its
position is examined, so an order gains nothing by following positions.

References:
    T. Joachims, A. Swaminathan, T. Schnabel: Unbiased learning-to-rank with biased feedback, WSDM 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.click_models.counts.sequences import add_up
from rankhammer.click_models.examination_em import EXAMINATION
from rankhammer.click_models.pbm import Pbm
from rankhammer.click_models.position_parameters import at_position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rankhammer.click_models.base import ClickModel, CountedSerps
    from rankhammer.click_models.types import Bools, Floats, Ints

CUTOFF = 10
"""Deepest place of a label's order that counts."""

MIN_EXAMINATION = 0.05
"""A click counts 20 times at most."""

N_GROUPS = 64
"""Query clusters are added up in so many groups, between which the standard error is measured."""


SURE = 1.5
"""Standard errors by which labels have to be better: on sparse logs, one let worse models pass (docs/adr/0024)."""


@dataclass(frozen=True)
class LabelGain:
    """How much better the labels of a model are than those of the default one.

    Args:
        mean: Difference of discounted clicks, mean over query clusters.
        standard_error: Of that mean; 0 where there are fewer than two groups of query clusters, and so is the mean.
    """

    mean: float
    standard_error: float

    @property
    def is_sure(self) -> bool:
        """Whether the labels are better by more than chance would have it, by SURE standard errors."""
        return self.mean > SURE * self.standard_error


def score_labels(
    model: ClickModel, splits: Iterable[tuple[CountedSerps, CountedSerps]], random_state: int
) -> dict[str, list[float]]:
    """Score the labels of a model on pages that they were not made from.

    Args:
        model: A click model.
        splits: Pages to fit on and pages to measure on, over the same pairs; an empty part is left out.
        random_state: Seed of the order of equal labels.

    Returns:
        `total`, discounted clicks, and `n`, query clusters with a click, each summed over splits, by group.
    """
    sums = np.zeros((2, N_GROUPS))
    for train, test in splits:
        if len(train.length) and len(test.length):
            shared = model.fit_corpus(train)
            label = model.predict_relevance(model.fit(train, shared), shared).mean
            tie = np.random.default_rng(random_state).permutation(len(label))
            order = np.lexsort((tie, -label, train.pair_cluster))
            seen = train.per_pair(train.cell_weight) > 0
            sums += _by_group(discounted_clicks(test, order, seen, examination(train)))
    return {"total": [round(float(v), 9) for v in sums[0]], "n": sums[1].tolist()}


def examination(serps: CountedSerps) -> Floats:
    """Return how often each position is examined, by the position-based model, shape (n_positions,)."""
    found = Pbm(Pbm.Options()).fit_corpus(serps).parameters[EXAMINATION]
    return np.maximum(np.asarray(found, np.float64), MIN_EXAMINATION)


def discounted_clicks(serps: CountedSerps, order: Ints, seen: Bools, examined: Floats) -> tuple[Floats, Floats]:
    """Return the DCG of each query cluster's documents; the gain of one is its clicks per expected examination.

    Args:
        serps: Pages to measure on.
        order: Pairs by cluster and then from the best label on, shape (n_pairs,).
        seen: Whether a pair has a label that comes from clicks; others are left out, shape (n_pairs,).
        examined: How often each position is examined, shape (n_positions,).

    Returns:
        (DCG, and 1 where the cluster has a click on a labelled document; 0 both elsewhere), of shape (n_clusters,).
    """
    trials = serps.per_pair(serps.cell_weight * at_position(list(examined), serps.position))
    clicks = serps.per_pair(serps.cell_weight * serps.clicked)
    shown = order[(seen & (trials > 0))[order]]
    cluster = serps.pair_cluster[shown]
    place = np.arange(len(shown)) - np.searchsorted(cluster, cluster) + 1
    discount = np.where(place <= CUTOFF, 1 / np.log2(place + 1), 0.0)
    n_clusters = int(serps.pair_cluster[-1]) + 1
    total = add_up(cluster, discount * clicks[shown] / trials[shown], n_clusters)
    return total, (add_up(cluster, clicks[shown], n_clusters) > 0).astype(np.float64)


def _by_group(sums: tuple[Floats, Floats]) -> Floats:
    group = np.arange(len(sums[0])) % N_GROUPS
    return np.array([add_up(group, values, N_GROUPS) for values in sums])


def label_gain(scores: Sequence[Mapping[str, Any]], default_scores: Sequence[Mapping[str, Any]]) -> LabelGain:
    """Compare two models by what `score_labels` returned for them, for each corpus in the same order."""
    n = np.concatenate([score["n"] for score in default_scores])
    totals = [np.concatenate([score["total"] for score in found]) for found in (scores, default_scores)]
    n_groups = int((n > 0).sum())
    if n_groups < 2:
        return LabelGain(0.0, 0.0)
    mean = float((totals[0] - totals[1]).sum() / n.sum())
    spread = float((((totals[0] - totals[1]) - mean * n) ** 2).sum())
    return LabelGain(mean, (spread * n_groups / (n_groups - 1)) ** 0.5 / float(n.sum()))
