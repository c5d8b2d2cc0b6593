"""What a ranker would have gained on the logged clicks: inverse propensity estimates, plain and self-normalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.evaluation.bootstrap import Bootstrap, resampled_means

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

SYSTEMS = ("logged", "ranker")


@dataclass(frozen=True)
class LoggedClicks:
    """Shown documents of the test queries of one corpus, one row per (query, document), a query's rows together.

    Args:
        qid: Ascending number of the query. Shape (n_rows,).
        clusters: Cluster of each row's query. Shape (n_rows,).
        n_clicks: Clicks in the log, 0 or more. Shape (n_rows,).
        n_impressions: How often it was shown, 1 or more. Shape (n_rows,).
        n_examined: How many of these the click model expects to have been examined. Shape (n_rows,).
        mean_position: Mean 1-based place in the log. Shape (n_rows,).
        scores: The ranker's; NaN ranks last. Shape (n_rows,).
    """

    qid: NDArray[Any]
    clusters: NDArray[Any]
    n_clicks: FloatArray
    n_impressions: FloatArray
    n_examined: FloatArray
    mean_position: FloatArray
    scores: FloatArray


@dataclass(frozen=True)
class OffPolicyRule:
    """How estimates are made, and when they are refused.

    Args:
        k: Ranks below this one gain nothing, 1 or more.
        max_weight: Largest weight of a click; larger ones are cut, which trades variance for bias.
        min_effective: Effective number of clicks below which there is no estimate.
    """

    k: int = 10
    max_weight: float = 100.0
    min_effective: float = 200.0


def propensities(log: LoggedClicks) -> FloatArray:
    """Return the chance that a document was examined where it stood: the click model's, averaged by position.

    A document's own examinations depend on its clicks; the mean over all documents near its position hardly does.

    Returns:
        In 0..1. Shape (n_rows,).
    """
    places = np.maximum(np.rint(log.mean_position).astype(int), 1)
    shown = np.bincount(places, weights=log.n_impressions)
    examined = np.bincount(places, weights=log.n_examined)
    share = np.divide(examined, shown, out=np.ones_like(shown), where=shown > 0)
    found: FloatArray = np.clip(share, 0.0, 1.0)[places]
    return found


def estimate(log: LoggedClicks, rule: OffPolicyRule, bootstrap: Bootstrap) -> dict[str, Any]:
    """Estimate what the logged order and the ranker gain, from clicks that are weighted by 1 / propensity.

    A click on document d, examined with chance theta, stands for w = min(1 / theta, max_weight) relevant showings. With
    gain(r) = 1 / log2(1 + r) for ranks r <= k: IPS = sum of w * gain(rank of d) / pages shown, a DCG per page;
    SNIPS = sum of w * gain / sum of w, the mean gain of a relevant document, 0 to 1. Documents that were never shown
    have no clicks: only the order among shown ones is judged.

    Args:
        log: Clicks and scores.
        rule: Cutoff, clipping, and the fewest effective clicks.
        bootstrap: How intervals are made, by query cluster.

    Returns:
        n_clicks, effective_clicks ((sum w)^2 / sum of w^2 over clicks), clipped_share (of the clicks), refused (why
        there is no estimate; empty where there is one), and estimates: estimator ("ips", "snips") to "logged", "ranker"
        and "difference", each with mean, lower, upper; null where refused.

    References:
        Joachims, Swaminathan and Schnabel, Unbiased learning-to-rank with biased feedback, WSDM 2017; Swaminathan and
        Joachims, The self-normalized estimator for counterfactual learning, NIPS 2015; effective sample size: Kong, A
        note on importance sampling using standardized weights, 1992.
    """
    theta = propensities(log)
    raw = 1.0 / np.maximum(theta, 1e-12)
    weight = np.minimum(raw, rule.max_weight)
    n_clicks = float(log.n_clicks.sum())
    total, squares = float((weight * log.n_clicks).sum()), float((weight**2 * log.n_clicks).sum())
    effective = total**2 / squares if squares else 0.0
    facts = {
        "n_clicks": int(n_clicks),
        "effective_clicks": round(effective, 1),
        "clipped_share": float(log.n_clicks[raw > rule.max_weight].sum() / n_clicks) if n_clicks else 0.0,
        "refused": "",
        "estimates": None,
    }
    if effective < rule.min_effective:
        reason = f"{effective:.0f} effective clicks of {n_clicks:.0f}, fewer than {rule.min_effective:.0f}"
        return facts | {"refused": reason}
    if len(np.unique(log.clusters)) < 2:
        return facts | {"refused": "all clicks are of one query cluster"}
    return facts | {"estimates": _estimates(log, weight, rule.k, bootstrap)}


def nothing_shown() -> dict[str, Any]:
    """Return what `estimate` would of a corpus whose test queries have no shown document with features at all."""
    reason = "the log shows no document of its test queries, or none of those shown has features"
    return {"n_clicks": 0, "effective_clicks": 0.0, "clipped_share": 0.0, "refused": reason, "estimates": None}


def _estimates(log: LoggedClicks, weight: FloatArray, k: int, bootstrap: Bootstrap) -> dict[str, Any]:
    gains = {
        "logged": _gain(_ranks(log.qid, -log.mean_position), k),
        "ranker": _gain(_ranks(log.qid, log.scores), k),
    }
    _, first, query = np.unique(log.qid, return_index=True, return_inverse=True)
    clicked = weight * log.n_clicks
    pages = np.zeros(len(first))
    np.maximum.at(pages, query, log.n_impressions)
    columns = [np.bincount(query, weights=clicked * gains[name]) for name in SYSTEMS]
    sums = np.column_stack([*columns, np.bincount(query, weights=clicked), pages])
    # Ratios of sums over clusters: the same draws for numerator and denominator.
    drawn = resampled_means(sums, log.clusters[first], bootstrap)
    whole = sums.mean(axis=0, keepdims=True)
    return {
        "ips": _summary(whole, drawn, bootstrap.confidence, by=3),
        "snips": _summary(whole, drawn, bootstrap.confidence, by=2),
    }


def _summary(whole: FloatArray, drawn: FloatArray, confidence: float, *, by: int) -> dict[str, dict[str, float]]:
    def ratios(sums: FloatArray) -> FloatArray:
        # A draw of clusters without a click has no ratio.
        below = np.where(sums[:, by] > 0, sums[:, by], np.nan)
        logged, ranker = (sums[:, place] / below for place in (0, 1))
        return np.column_stack([logged, ranker, ranker - logged])

    tail = (1.0 - confidence) / 2.0
    lower, upper = np.nanquantile(ratios(drawn), [tail, 1.0 - tail], axis=0)
    means = ratios(whole)[0]
    names: Mapping[str, int] = {"logged": 0, "ranker": 1, "difference": 2}
    return {
        name: {"mean": float(means[at]), "lower": float(lower[at]), "upper": float(upper[at])}
        for name, at in names.items()
    }


def _ranks(qid: NDArray[Any], scores: FloatArray) -> NDArray[np.intp]:
    """1-based rank within each query by descending score; equal ones keep their order, NaN ranks last."""
    order = np.lexsort((-scores, qid))
    starts = np.flatnonzero(np.diff(qid[order], prepend=qid[order][:1] - 1))
    sizes = np.diff(starts, append=len(qid))
    ranks = np.empty(len(qid), dtype=np.intp)
    ranks[order] = np.arange(len(qid)) - np.repeat(starts, sizes) + 1
    return ranks


def _gain(ranks: NDArray[np.intp], k: int) -> FloatArray:
    return np.where(ranks <= k, 1.0 / np.log2(1.0 + ranks), 0.0)
