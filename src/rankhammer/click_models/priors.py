"""Empirical-Bayes priors: what a pair is taken for before its own evidence is seen.

A prior is a Beta distribution of one strength around a mean that all pairs of a corpus agree on, or around one that
falls with the position at which a pair was shown: the old ranker's opinion, which fades as evidence comes in.

References:
    C. N. Morris: Parametric empirical Bayes inference, JASA 1983.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from rankhammer.click_models.counts.sequences import add_up
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from rankhammer.click_models.base import Shared
    from rankhammer.click_models.types import Floats

MAX_POSITIONS = 100
"""Deeper positions share one prior."""

PriorShape = Literal["flat", "shown_position"]
_NEVER, _ALWAYS = 1e-4, 1 - 1e-4


class PriorOptions(StrictModel):
    """Options of every model whose estimates are pulled towards a prior."""

    prior_strength: float = Field(
        default=5.0, gt=0, le=1000, description="pseudo-observations that pull an estimate towards the prior's mean"
    )
    prior: PriorShape = Field(
        default="flat", description="one mean for a corpus, or one a shown position, never rising down the page"
    )


def pooled_mean(successes: Floats, trials: Floats, strength: float) -> float:
    """Return the mean of a Beta prior of known strength that many small samples agree on.

    Each pair counts by its trials, but never more than `strength` of them, so that a few head documents do not speak
    for all: m solves sum_i (k_i - m n_i) / (n_i + strength) = 0.

    Args:
        successes: k_i, shape (n_pairs,).
        trials: n_i, shape (n_pairs,).
        strength: Pseudo-observations of the prior, above 0.
    """
    shrink = 1 / (trials + strength)
    return float((successes * shrink).sum() / max((trials * shrink).sum(), 1e-12))


def clipped_mean(successes: Floats, trials: Floats, strength: float) -> float:
    """Return `pooled_mean`, kept off 0 and 1."""
    return float(np.clip(pooled_mean(successes, trials, strength), _NEVER, _ALWAYS))


def pooled_prior(
    name: str, successes: Floats, trials: Floats, mean_position: Floats, options: PriorOptions
) -> dict[str, float | list[float]]:
    """Estimate the mean of a parameter's prior from all pairs of a corpus.

    Args:
        name: Of the parameter.
        successes: k of each pair, shape (n_pairs,).
        trials: n of each pair, shape (n_pairs,).
        mean_position: Mean position shown, NaN for a pair that never was, shape (n_pairs,).
        options: Strength and shape of the prior.

    Returns:
        `<name>_prior`, and with shape shown_position `<name>_prior_by_position`, from position 1 on.
    """
    flat = clipped_mean(successes, trials, options.prior_strength)
    prior: dict[str, float | list[float]] = {f"{name}_prior": flat}
    if options.prior == "shown_position":
        shown, shrink = ~np.isnan(mean_position), 1 / (trials + options.prior_strength)
        means = _falling_means((successes * shrink)[shown], (trials * shrink)[shown], mean_position[shown], flat)
        prior[f"{name}_prior_by_position"] = means.tolist()
    return prior


def pair_prior(shared: Shared, name: str, mean_position: Floats) -> Floats:
    """Return the mean of each pair's prior: by its shown position where the corpus has such a prior.

    Args:
        shared: What `pooled_prior` returned, among others.
        name: Of the parameter.
        mean_position: Mean position shown, NaN for a pair that never was, shape (n_pairs,).

    Returns:
        Shape (n_pairs,), or () where all pairs have the same.
    """
    flat = np.asarray(shared[f"{name}_prior"], np.float64)
    means = shared.get(f"{name}_prior_by_position")
    if means is None:
        return flat
    found = np.interp(mean_position, np.arange(1, np.size(means) + 1), means)
    return np.where(np.isnan(mean_position), flat, found)


def _falling_means(successes: Floats, trials: Floats, position: Floats, flat: float) -> Floats:
    """Return one mean per position, the best fit that never rises.

    Positions that had to be pooled are one block; between the centres of blocks the means fall evenly, so that no two
    positions are called equal only because the data are thin.

    References:
        R. Barlow et al.: Statistical Inference under Order Restrictions, 1972 (pool adjacent violators).
    """
    from scipy.optimize import isotonic_regression  # not for everybody: it takes long to import

    place = np.minimum(np.rint(position).astype(np.int64), MAX_POSITIONS) - 1
    n = int(place.max(initial=0)) + 1
    weight = add_up(place, trials, n)
    seen = np.flatnonzero(weight > 0)
    if not len(seen):
        return np.full(1, flat)
    rates = add_up(place, successes, n)[seen] / weight[seen]
    fitted = isotonic_regression(rates, weights=weight[seen], increasing=False)
    begin = fitted.blocks[:-1]
    centres = np.add.reduceat(weight[seen] * seen, begin) / np.add.reduceat(weight[seen], begin)
    means: Floats = np.clip(np.interp(np.arange(n), centres, fitted.x[begin]), _NEVER, _ALWAYS)
    return means
