"""What every click model offers, and the counted log that it works on.

A click model is plain numpy: it never sees Spark. `fitting` runs one over tables of any size; it gives every model
the same verbs there (fit, predict_clicks, predict_conditional_clicks, predict_relevance, sample).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from rankhammer.click_models.counts.sequences import add_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from rankhammer.click_models.types import Bools, Floats, Ints

    Shared = Mapping[str, Any]
    """Parameters that clusters share: numbers, or lists of numbers by position."""


@dataclass(frozen=True)
class CountedSerps:
    """Result pages of one corpus, each distinct one once, flattened position by position.

    A *pair* is one (query cluster, document); pairs are numbered by cluster, then by the document id's text, so
    that numbers do not depend on the order of the log. A *cell* is one position of one page.

    Args:
        pair: Which pair each cell shows, shape (n_cells,).
        clicked: Whether each cell was clicked, shape (n_cells,).
        length: Positions on each page, at least 1, shape (n_serps,).
        weight: How often each page was seen, shape (n_serps,).
        pair_cluster: Cluster number of each pair, ascending, shape (n_pairs,).
        gain: What each cell's click is worth, 0 to 1, 0 where it was not clicked, shape (n_cells,); None: equal.
    """

    pair: Ints
    clicked: Bools
    length: Ints
    weight: Floats
    pair_cluster: Ints
    gain: Floats | None = None

    @property
    def worth(self) -> Floats:
        """What each cell's click is worth, 0 to 1: 1 for every click where they have no weights, shape (n_cells,)."""
        return self.clicked.astype(np.float64) if self.gain is None else self.gain

    @property
    def n_pairs(self) -> int:
        """How many (cluster, document) pairs there are, those that no page shows included."""
        return len(self.pair_cluster)

    @cached_property
    def start(self) -> Ints:
        """First cell of each page, shape (n_serps,)."""
        return np.cumsum(self.length) - self.length

    @cached_property
    def cell_serp(self) -> Ints:
        """Page of each cell, shape (n_cells,)."""
        return np.repeat(np.arange(len(self.length)), self.length)

    @cached_property
    def position(self) -> Ints:
        """1-based position of each cell, shape (n_cells,)."""
        return np.arange(len(self.pair)) - self.start[self.cell_serp] + 1

    @cached_property
    def cell_weight(self) -> Floats:
        """How often each cell was seen, shape (n_cells,)."""
        return self.weight[self.cell_serp]

    @cached_property
    def previous_click(self) -> Ints:
        """1-based position of the last click above each cell, 0 when there is none, shape (n_cells,)."""
        if not len(self.pair):
            return np.zeros(0, np.int64)
        page = self.cell_serp * (int(self.length.max()) + 1)
        so_far = np.maximum.accumulate(page + np.where(self.clicked, self.position, 0)) - page
        return np.where(self.position == 1, 0, np.roll(so_far, 1))

    @cached_property
    def last_click(self) -> Ints:
        """1-based position of each page's last click, 0 when it has none, shape (n_serps,)."""
        if not len(self.length):
            return np.zeros(0, np.int64)
        return np.maximum.reduceat(np.where(self.clicked, self.position, 0), self.start)

    def select(self, keep: Bools) -> CountedSerps:
        """Return the pages that `keep` marks, shape (n_serps,), over the same pairs."""
        cells = keep[self.cell_serp]
        gain = None if self.gain is None else self.gain[cells]
        return CountedSerps(
            self.pair[cells], self.clicked[cells], self.length[keep], self.weight[keep], self.pair_cluster, gain
        )

    def per_pair(self, values: Floats) -> Floats:
        """Add up one value per cell by pair: shape (n_cells,) to (n_pairs,)."""
        return add_up(self.pair, values, self.n_pairs)


@dataclass(frozen=True)
class CorpusFit:
    """What a model shares between all clusters of a corpus, fitted on a sample of them and then fixed.

    Args:
        parameters: Name to a number, or to a list of numbers by position; e.g. `continuation`, and the means of the
            priors. JSON can hold them.
        n_iter: Iterations used.
        converged: False when max_iter stopped it.
        log_likelihood: Mean natural log-likelihood per document on the sample it was fitted on.
        n_serps: Pages in that sample.
    """

    parameters: Shared
    n_iter: int
    converged: bool
    log_likelihood: float
    n_serps: int


@dataclass(frozen=True)
class ClusterFit:
    """What a model found for every (cluster, document) pair; all arrays have shape (n_pairs,).

    Args:
        parameters: The model's own parameters by name, each in [0, 1].
        n_examined: Expected number of times that the document was examined.
        evidence: Further columns that `predict_relevance` needs, by name.
        n_iter: Iterations that the pair's cluster took.
        converged: Whether the pair's cluster met the tolerance within max_iter.
        log_likelihood: Natural log-likelihood of all the pages, summed by weight.
    """

    parameters: Mapping[str, Floats]
    n_examined: Floats
    evidence: Mapping[str, Floats]
    n_iter: Ints
    converged: Bools
    log_likelihood: float


@dataclass(frozen=True)
class Relevance:
    """A posterior of relevance for every pair; all arrays have shape (n_pairs,).

    Args:
        mean: Posterior mean, 0 to 1.
        sd: Posterior standard deviation.
        prior_share: How much of the estimate is prior: 1 without any evidence, towards 0 with much.
    """

    mean: Floats
    sd: Floats
    prior_share: Floats


class ClickModel(Protocol):
    """A model of how people click on a result page. Arrays in, arrays out; no state is kept between calls."""

    Options: ClassVar[type[BaseModel]]
    parameter_names: ClassVar[tuple[str, ...]]

    def __init__(self, options: BaseModel) -> None: ...

    def fit_corpus(self, serps: CountedSerps) -> CorpusFit:
        """Estimate what all clusters share, from a sample of whole clusters."""
        ...

    def fit(self, serps: CountedSerps, corpus: CorpusFit, start: Mapping[str, Floats] | None = None) -> ClusterFit:
        """Estimate every cluster on its own, given what they share.

        A cluster's result does not depend on which other clusters are fitted in the same call.

        Args:
            serps: Pages.
            corpus: What all clusters share.
            start: Parameters of an earlier fit to begin at, by name, NaN for a pair that it did not have, each of shape
                (n_pairs,). A model with a closed form has no use for them.
        """
        ...

    def prior_parameters(self, corpus: CorpusFit) -> Mapping[str, float]:
        """Return the parameters of a document that was never shown for a query."""
        ...

    def predict_clicks(self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit) -> Floats:
        """Return P(C_r = 1) of every cell, before any click of the page is known.

        Args:
            serps: Pages; their clicks are not looked at.
            parameters: The model's parameters, one value per pair.
            corpus: What all clusters share.
        """
        ...

    def predict_conditional_clicks(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> Floats:
        """Return P(C_r = 1 | C_1 .. C_{r-1}) of every cell, given the clicks above it on its page."""
        ...

    def predict_relevance(self, fit: ClusterFit, corpus: CorpusFit) -> Relevance:
        """Return the posterior of relevance of every pair."""
        ...

    def sample(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit, uniform: Floats
    ) -> Bools:
        """Draw clicks for every cell.

        Args:
            serps: Pages; their clicks are not looked at.
            parameters: The model's parameters, one value per pair.
            corpus: What all clusters share.
            uniform: One number in [0, 1) for every cell: the only source of chance.
        """
        ...


def bounded_probability(values: Floats) -> Floats:
    """Keep probabilities off 0 and 1, where a log-likelihood would be infinite."""
    return np.clip(values, 1e-9, 1 - 1e-9)


def log_likelihood(serps: CountedSerps, conditional: Floats) -> float:
    """Return the mean of ln P(C_r | C_<r) per document, to 12 digits: the order of pages decides those after.

    Where clicks have weights, what a click is worth is the share of it that is one.

    Args:
        serps: Pages with their clicks.
        conditional: What `predict_conditional_clicks` returned for them.
    """
    probability = bounded_probability(conditional)
    if serps.gain is None:
        logs = np.log(np.where(serps.clicked, probability, 1 - probability))
    else:
        logs = serps.gain * np.log(probability) + (1 - serps.gain) * np.log(1 - probability)
    return round(float((logs * serps.cell_weight).sum() / serps.cell_weight.sum()), 12)


def closed_form_fit(
    serps: CountedSerps, parameters: Mapping[str, Floats], n_examined: Floats, conditional: Floats
) -> ClusterFit:
    """Return the fit of a model that is estimated in one step.

    Args:
        serps: Pages with their clicks.
        parameters: One value per pair.
        n_examined: Trials of each pair.
        conditional: What `predict_conditional_clicks` returns for these parameters.
    """
    return ClusterFit(
        parameters=dict(parameters),
        n_examined=n_examined,
        evidence={},
        n_iter=np.ones(serps.n_pairs, np.int64),
        converged=np.ones(serps.n_pairs, bool),
        log_likelihood=log_likelihood(serps, conditional) * float(serps.cell_weight.sum()),
    )
