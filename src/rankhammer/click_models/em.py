"""Expectation-maximisation on counts: what every iterative click model shares.

What the clusters of a corpus share is estimated together with everything else on a sample, and then fixed; after that
every cluster is fitted on its own.

References:
    A. Dempster, N. Laird, D. Rubin: Maximum likelihood from incomplete data via the EM algorithm, JRSS B 1977.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.click_models.base import ClusterFit, CorpusFit, Relevance
from rankhammer.click_models.priors import PriorOptions, PriorShape, pair_prior

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.click_models.base import CountedSerps, Shared
    from rankhammer.click_models.types import Bools, Floats, Ints

    Pairs = Mapping[str, Floats]

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


def attractiveness_variance(a: Floats, evidence: Mapping[str, Floats], strength: float) -> Floats:
    """Return the posterior variance of an attractiveness: 1 / (complete - missing information) at the estimate.

    Args:
        a: The estimates.
        evidence: `clicks` and `skips`, net of what is missing, and `prior`, the mean of each pair's prior.
        strength: Pseudo-observations of the prior.

    References:
        T. A. Louis: Finding the observed information matrix when using the EM algorithm, JRSS B 1982.
    """
    prior = evidence["prior"]
    successes, failures = evidence["clicks"] + strength * prior, evidence["skips"] + strength * (1 - prior)
    information = successes / a**2 + failures / (1 - a) ** 2 + 1 / (a * (1 - a))
    return np.asarray(1 / information, np.float64)


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
    from scipy.special import betaincinv  # not for everybody: it takes long to import

    inside = np.clip(mean, 1e-9, 1 - 1e-9)
    size = np.maximum(inside * (1 - inside) / np.maximum(sd, 1e-12) ** 2 - 1, 1e-3)
    # In 32 bits it takes half the time, which is a fifth of a fit, and is 1e-6 off at most.
    a, b = ((part * size).astype(np.float32) for part in (inside, 1 - inside))
    return np.asarray(betaincinv(a, b, np.float32(share)), np.float64)


class EmOptions(PriorOptions):
    """Options of every model that is fitted by EM."""

    prior: PriorShape = Field(
        default="shown_position",
        description="one mean for a corpus, or one a shown position, never rising down the page",
    )

    max_iter: int = Field(default=500, ge=1, le=10_000, description="EM iterations at most")
    tol: float = Field(default=1e-4, gt=0, lt=1, description="largest change of a parameter that counts as none")


class EmData(Protocol):
    """A log as a model's EM needs it."""

    @property
    def pair_cluster(self) -> Ints:
        """Cluster number of each pair, ascending, shape (n_pairs,)."""
        ...

    @property
    def mean_position(self) -> Floats:
        """Mean 1-based position at which each pair was shown, NaN where it never was, shape (n_pairs,)."""
        ...

    def select(self, moving: Bools) -> Self:
        """Keep the clusters that `moving` marks, shape (n_clusters,)."""
        ...


D = TypeVar("D", bound=EmData)
E = TypeVar("E")


class EmModel(ABC, Generic[D, E]):
    """A click model with one attractiveness a pair, fitted by EM. A model says how; this class does the rounds.

    Args:
        options: An `EmOptions` or more.
    """

    Options: ClassVar[type[BaseModel]] = EmOptions
    parameter_names: ClassVar[tuple[str, ...]] = ("attractiveness",)

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def prepare(self, serps: CountedSerps) -> D:
        """Reduce a log to the counts that the EM needs."""

    @abstractmethod
    def initial_parameters(self, data: D) -> Shared:
        """Return where the shared parameters begin."""

    @abstractmethod
    def e_step(self, data: D, pairs: Pairs, shared: Shared) -> E:
        """E-step: what the clicks say of the hidden states."""

    @abstractmethod
    def m_step(self, data: D, pairs: Pairs, shared: Shared, expected: E) -> dict[str, Floats]:
        """M-step of the pairs' parameters."""

    @abstractmethod
    def update_shared(self, data: D, pairs: Pairs, shared: Shared, expected: E) -> Shared:
        """M-step of the shared parameters, means of the priors included."""

    @abstractmethod
    def log_likelihood(self, data: D, pairs: Pairs, shared: Shared) -> float:
        """Return ln P(clicks) of the whole log."""

    @abstractmethod
    def count_evidence(self, data: D, pairs: Pairs, expected: E) -> dict[str, Floats]:
        """Return `examined` (expected examinations), `clicks` and `skips`, the last net of what is only guessed."""

    def fit_corpus(self, serps: CountedSerps) -> CorpusFit:
        """Estimate what all clusters share; see `ClickModel.fit_corpus`."""
        data = self.prepare(serps)
        shared = self.initial_parameters(data)
        pairs: Pairs = self._start(data, shared, {})
        n_iter, converged = 0, False
        while n_iter < self.options.max_iter and not converged:
            expected = self.e_step(data, pairs, shared)
            pairs, before = self.m_step(data, pairs, shared, expected), shared
            shared = self.update_shared(data, pairs, before, expected)
            converged = _distance(before, shared) < self.options.tol
            n_iter += 1
        n_cells = max(float(serps.cell_weight.sum()), 1.0)
        mean = self.log_likelihood(data, pairs, shared) / n_cells
        return CorpusFit(shared, n_iter, converged, mean, int(serps.weight.sum()))

    def fit(self, serps: CountedSerps, corpus: CorpusFit, start: Pairs | None = None) -> ClusterFit:
        """Estimate every pair; see `ClickModel.fit`."""
        data, shared = self.prepare(serps), corpus.parameters
        pairs, n_iter, converged = iterate(
            data,
            self._start(data, shared, start or {}),
            lambda work, at: self.m_step(work, at, shared, self.e_step(work, at, shared)),
            max_iter=self.options.max_iter,
            tol=self.options.tol,
        )
        evidence = self.count_evidence(data, pairs, self.e_step(data, pairs, shared))
        evidence["prior"] = np.broadcast_to(pair_prior(shared, "attractiveness", data.mean_position), serps.n_pairs)
        return ClusterFit(
            parameters=pairs,
            n_examined=evidence.pop("examined"),
            evidence=evidence,
            n_iter=n_iter[data.pair_cluster],
            converged=converged[data.pair_cluster],
            log_likelihood=self.log_likelihood(data, pairs, shared),
        )

    def prior_parameters(self, corpus: CorpusFit) -> Mapping[str, float]:
        """Return the prior means; see `ClickModel.prior_parameters`."""
        return {name: float(corpus.parameters[f"{name}_prior"]) for name in self.parameter_names}

    def predict_relevance(self, fit: ClusterFit, corpus: CorpusFit) -> Relevance:  # noqa: ARG002 - the protocol's
        """Return the posterior of attractiveness."""
        strength, a = self.options.prior_strength, fit.parameters["attractiveness"]
        share = strength / (fit.evidence["clicks"] + fit.evidence["skips"] + strength)
        return Relevance(mean=a, sd=np.sqrt(attractiveness_variance(a, fit.evidence, strength)), prior_share=share)

    def _start(self, data: D, shared: Shared, start: Pairs) -> dict[str, Floats]:
        """Begin at the priors, or where a pair stood before."""
        begun = {}
        for name in self.parameter_names:
            prior = np.broadcast_to(pair_prior(shared, name, data.mean_position), data.mean_position.shape)
            known = start.get(name, prior)
            begun[name] = np.where(np.isnan(known), prior, np.clip(known, 1e-6, 1 - 1e-6))
        return begun


def iterate(
    data: D, pairs: Pairs, update: Callable[[D, Pairs], Pairs], *, max_iter: int, tol: float
) -> tuple[dict[str, Floats], Ints, Bools]:
    """Run the EM until every cluster stands still; one that does is left alone from then on.

    So its result is independent of the other clusters in the batch.

    Args:
        data: The counts.
        pairs: Where to begin: parameters by name, each of shape (n_pairs,).
        update: One E-step and M-step over some of the clusters.
        max_iter: Iterations at most.
        tol: Largest change of a parameter that counts as none.

    Returns:
        (the parameters, iterations of each cluster, whether each cluster met `tol`).
    """
    cluster = data.pair_cluster
    n_clusters = int(cluster[-1]) + 1 if len(cluster) else 0
    found = {name: values.copy() for name, values in pairs.items()}
    n_iter, moving = np.zeros(n_clusters, np.int64), np.ones(n_clusters, bool)
    places, work = np.arange(len(cluster)), data
    for _ in range(max_iter):
        before = {name: values[places] for name, values in found.items()}
        after = update(work, before)
        for name, values in after.items():
            found[name][places] = values
        n_iter[moving] += 1
        moving = _clusters_that_moved(work.pair_cluster, before, after, tol, n_clusters)
        if not moving.any():
            break
        places = places[moving[work.pair_cluster]]
        work = work.select(moving)
    return found, n_iter, ~moving


def _clusters_that_moved(cluster: Ints, before: Pairs, after: Pairs, tol: float, n_clusters: int) -> Bools:
    change = np.max([abs(after[name] - before[name]) for name in before], axis=0)
    moved = np.zeros(n_clusters, bool)
    moved[cluster[change >= tol]] = True
    return moved


def _distance(before: Shared, after: Shared) -> float:
    """Return the largest change of a shared parameter; infinite while one is new."""
    if before.keys() != after.keys():
        return float("inf")
    return max(float(np.max(np.abs(np.subtract(after[name], before[name])))) for name in before)
