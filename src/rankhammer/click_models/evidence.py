"""What the data say about an estimate: counts, pooled priors, and the spread of a posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rankhammer.click_models.base import CountedSerps

    Floats = NDArray[np.float64]

LOWER = 0.025
"""Share of a posterior below its lower bound."""


@dataclass(frozen=True)
class Counts:
    """What can be counted for every pair without a model; all arrays have shape (n_pairs,).

    Args:
        impressions: Times shown.
        clicks: Times clicked.
        mean_position: Mean 1-based position shown; NaN for a pair that was never shown.
    """

    impressions: Floats
    clicks: Floats
    mean_position: Floats


def count_pairs(serps: CountedSerps) -> Counts:
    """Count impressions, clicks and positions of every pair."""
    impressions = serps.per_pair(serps.cell_weight)
    positions = serps.per_pair(serps.cell_weight * serps.position)
    mean = np.divide(positions, impressions, out=np.full(serps.n_pairs, np.nan), where=impressions > 0)
    return Counts(impressions, serps.per_pair(serps.cell_weight * serps.clicked), mean)


def pooled_mean(successes: Floats, trials: Floats, strength: float) -> float:
    """Return the mean of a Beta prior of known strength that many small samples agree on.

    Each pair counts by its trials, but never more than `strength` of them, so that a few head documents do not speak
    for all: m solves sum_i (k_i - m n_i) / (n_i + strength) = 0.

    Args:
        successes: k_i, shape (n_pairs,).
        trials: n_i, shape (n_pairs,).
        strength: Pseudo-observations of the prior, above 0.

    References:
        C. N. Morris: Parametric empirical Bayes inference, JASA 1983.
    """
    shrink = 1 / (trials + strength)
    return float((successes * shrink).sum() / max((trials * shrink).sum(), 1e-12))


def product_sd(first: Floats, first_variance: Floats, second: Floats, second_variance: Floats) -> Floats:
    """Return the standard deviation of the product of two independent quantities, given means and variances."""
    variance = first**2 * second_variance + second**2 * first_variance + first_variance * second_variance
    return np.sqrt(variance)


def lower_bound(mean: Floats, sd: Floats) -> Floats:
    """Return the 2.5 % quantile of a posterior on (0, 1): the lower end of its 95 % interval.

    The posterior is taken as the Beta distribution with the given mean and standard deviation.

    Args:
        mean: Posterior mean, between 0 and 1.
        sd: Posterior standard deviation, below sqrt(mean (1 - mean)).
    """
    return _beta_quantile(mean, sd, LOWER)


def upper_bound(mean: Floats, sd: Floats) -> Floats:
    """Return the 97.5 % quantile, by the rule of `lower_bound`."""
    return _beta_quantile(mean, sd, 1 - LOWER)


def _beta_quantile(mean: Floats, sd: Floats, share: float) -> Floats:
    inside = np.clip(mean, 1e-9, 1 - 1e-9)
    size = np.maximum(inside * (1 - inside) / np.maximum(sd, 1e-12) ** 2 - 1, 1e-3)
    quantile: Floats = betaincinv(inside * size, (1 - inside) * size, share)
    return quantile
