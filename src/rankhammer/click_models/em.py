"""Expectation-maximisation on counts: what every iterative click model shares.

What the clusters of a corpus share is estimated together with everything else on a sample, and then fixed; after that
every cluster is fitted on its own.

References:
    A. Dempster, N. Laird, D. Rubin: Maximum likelihood from incomplete data via the EM algorithm, JRSS B 1977.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.click_models.base import ClusterFit, CorpusFit, Relevance
from rankhammer.click_models.evidence import attractiveness_variance
from rankhammer.click_models.priors import PriorOptions, PriorShape, pair_prior

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.click_models.base import Bools, CountedSerps, Floats, Ints, Shared

    Pairs = Mapping[str, Floats]


class EmOptions(PriorOptions):
    """Options of every model that is fitted by EM."""

    prior: PriorShape = Field(
        default="shown_position",
        description="one mean for a corpus, or one a shown position, never rising down the page",
    )

    max_iter: int = Field(default=500, ge=1, le=10_000, description="EM iterations at most")
    tol: float = Field(default=1e-4, gt=0, lt=1, description="largest change of a parameter that counts as none")


class Data(Protocol):
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


D = TypeVar("D", bound=Data)
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
    def first_guess(self, data: D) -> Shared:
        """Return where the shared parameters begin."""

    @abstractmethod
    def expect(self, data: D, pairs: Pairs, shared: Shared) -> E:
        """E-step: what the clicks say of the hidden states."""

    @abstractmethod
    def maximise(self, data: D, pairs: Pairs, shared: Shared, expected: E) -> dict[str, Floats]:
        """M-step of the pairs' parameters."""

    @abstractmethod
    def share(self, data: D, pairs: Pairs, shared: Shared, expected: E) -> Shared:
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
        shared = self.first_guess(data)
        pairs: Pairs = self._start(data, shared, {})
        n_iter, converged = 0, False
        while n_iter < self.options.max_iter and not converged:
            expected = self.expect(data, pairs, shared)
            pairs, before = self.maximise(data, pairs, shared, expected), shared
            shared = self.share(data, pairs, before, expected)
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
            lambda work, at: self.maximise(work, at, shared, self.expect(work, at, shared)),
            max_iter=self.options.max_iter,
            tol=self.options.tol,
        )
        evidence = self.count_evidence(data, pairs, self.expect(data, pairs, shared))
        evidence["prior"] = np.broadcast_to(pair_prior(shared, "attractiveness", data.mean_position), serps.n_pairs)
        return ClusterFit(
            parameters=pairs,
            n_examined=evidence.pop("examined"),
            evidence=evidence,
            n_iter=n_iter[data.pair_cluster],
            converged=converged[data.pair_cluster],
            log_likelihood=self.log_likelihood(data, pairs, shared),
        )

    def unseen(self, corpus: CorpusFit) -> Mapping[str, float]:
        """Return the prior means; see `ClickModel.unseen`."""
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

    So its result is the same in whatever company it is fitted.

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
