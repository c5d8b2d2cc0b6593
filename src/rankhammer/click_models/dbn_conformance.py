"""The DBN as MjoLniR computed it, to the digit: for checking a migration, not for the best labels.

Notation: a attractiveness, s satisfaction, g continuation, l the position of a page's last click, E_r "position r was
examined", S_l "the last click satisfied".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.click_models import cascade_em, cascade_prediction
from rankhammer.click_models.base import ClusterFit, CorpusFit, CountedSerps, Relevance, log_likelihood
from rankhammer.click_models.counts.sequences import add_up
from rankhammer.click_models.em import attractiveness_variance, product_sd
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.click_models.types import Bools, Floats


def apply_rules(serps: CountedSerps, *, min_docs: int, max_docs: int, drop_without_click: bool) -> CountedSerps:
    """Return the pages that count: merge repeats, drop short pages, cut long ones, drop those without a click.

    The order matters: a page is short or not after merging and before cutting, and a click below the cut is none.

    Args:
        serps: Pages of one corpus.
        min_docs: Distinct documents that a page needs, at least 1.
        max_docs: Positions looked at from the top, at least 1.
        drop_without_click: Whether pages without a click are dropped, as MjoLniR did.

    Returns:
        Pages over the same pairs, with the same weights; maybe no page at all.

    References:
        Wikimedia's search/MjoLniR: the reader of `DBN.scala`.
    """
    merged = merge_repeats(serps)
    cut = _cut(merged.select(merged.length >= min_docs), max_docs)
    return cut.select(cut.last_click > 0) if drop_without_click else cut


def merge_repeats(serps: CountedSerps) -> CountedSerps:
    """Merge a document that a page shows twice: at the mean of its positions, clicked where any of them was.

    Of documents with equal mean positions the one that was shown first stays first.

    Args:
        serps: Pages of one corpus.
    """
    key = serps.cell_serp * max(serps.n_pairs, 1) + serps.pair
    keys, first, place = np.unique(key, return_index=True, return_inverse=True)
    if len(keys) == len(key):
        return serps
    n = len(keys)
    position = add_up(place, serps.position.astype(np.float64), n) / np.bincount(place, minlength=n)
    clicked = add_up(place, serps.clicked.astype(np.float64), n) > 0
    page = serps.cell_serp[first]
    order = np.lexsort((first, position, page))
    length = np.bincount(page, minlength=len(serps.length))
    return CountedSerps(serps.pair[first][order], clicked[order], length, serps.weight, serps.pair_cluster)


def _cut(serps: CountedSerps, max_docs: int) -> CountedSerps:
    keep: Bools = serps.position <= max_docs
    length = np.minimum(serps.length, max_docs)
    return CountedSerps(serps.pair[keep], serps.clicked[keep], length, serps.weight, serps.pair_cluster)


_FOR, _BOTH = 1.0, 2.0
"""What the count for a parameter, and the counts for and against it together, start from in every iteration."""

_STILL = 1e-4
"""A cluster whose last iteration changed no parameter by so much is called converged."""


class DbnMjolnirOptions(StrictModel):
    """Options of MjoLniR's DBN; the defaults are those that its pipeline ran with."""

    continuation: float = Field(default=0.9, gt=0, le=1, description="probability to look further when not satisfied")
    default_relevance: float = Field(
        default=0.5, gt=0, lt=1, description="attractiveness and satisfaction before the first iteration"
    )
    max_iter: int = Field(default=40, ge=1, le=10_000, description="EM iterations: all of them are made")
    min_docs: int = Field(default=10, ge=1, description="pages with fewer distinct documents are not looked at")
    max_docs: int = Field(default=20, ge=1, description="positions of a page that are looked at, from the top")
    drop_without_click: bool = Field(
        default=True, description="do not look at pages without a click; MjoLniR never did"
    )


@dataclass(frozen=True)
class _Data:
    """The pages that count, as the EM needs them, and how often each pair is shown on them, shape (n_pairs,)."""

    counts: cascade_em.CascadeData
    shown: Floats


@dataclass(frozen=True)
class _Expected:
    """P(E_r = 1 | C) of each tail cell, and P(S_l = 1 | C) of each tail, 0 without a click."""

    examined: Floats
    satisfied: Floats


class DbnMjolnir(cascade_prediction.CascadePrediction):
    """DBN as MjoLniR computed it: plain EM, a fixed number of iterations, pages without a click dropped.

    Both parameters of a document begin at `default_relevance`; every iteration counts from (1, 1) again, and takes a
    document that was perhaps not examined for attractive with its present attractiveness. Nothing is shared between
    clusters but the continuation, which is given. Relevance = attractiveness x satisfaction.

    Args:
        options: See DbnMjolnirOptions.

    References:
        Wikimedia's search/MjoLniR, `DBN.scala`, after A. Chuklin's Python library `clickmodels`.
        O. Chapelle, Y. Zhang: A dynamic Bayesian network click model for web search ranking, WWW 2009.
    """

    Options: ClassVar[type[BaseModel]] = DbnMjolnirOptions
    parameter_names: ClassVar[tuple[str, ...]] = ("attractiveness", "satisfaction")

    def __init__(self, options: DbnMjolnirOptions) -> None:
        self.options = options

    def fit_corpus(self, serps: CountedSerps) -> CorpusFit:
        """Take the continuation as given and measure it on the sample; see `ClickModel.fit_corpus`."""
        shared = {"continuation": self.options.continuation, "default_relevance": self.options.default_relevance}
        n_serps = int(serps.weight.sum())
        given = CorpusFit(shared, n_iter=0, converged=True, log_likelihood=0.0, n_serps=n_serps)
        mean = self.fit(serps, given).log_likelihood / max(float(serps.cell_weight.sum()), 1.0)
        return CorpusFit(shared, n_iter=0, converged=True, log_likelihood=mean, n_serps=n_serps)

    def fit(
        self,
        serps: CountedSerps,
        corpus: CorpusFit,
        start: Mapping[str, Floats] | None = None,  # noqa: ARG002 - MjoLniR always began at its default
    ) -> ClusterFit:
        """Run exactly `max_iter` iterations from the default, whatever `start` is; see `ClickModel.fit`.

        A pair on no page that counts keeps `default_relevance`, with `n_examined` 0. The log-likelihood is that of all
        pages, also of those that were not looked at. `converged` says whether a cluster stood still at the end.
        """
        data, options, g = self._prepare(serps), self.options, corpus.parameters["continuation"]
        a = s = before_a = before_s = np.full(serps.n_pairs, options.default_relevance)
        for _ in range(options.max_iter):
            before_a, before_s = a, s
            a, s = _m_step(data, a, s, _expect(data, a, s, g))
        found = {"attractiveness": a, "satisfaction": s}
        evidence = _evidence(data, s, _expect(data, a, s, g))
        change = np.maximum(abs(a - before_a), abs(s - before_s))
        return ClusterFit(
            parameters=found,
            n_examined=evidence.pop("examined"),
            evidence=evidence,
            n_iter=np.full(serps.n_pairs, options.max_iter),
            converged=_stood_still(serps, change),
            log_likelihood=self._log_likelihood(serps, found, corpus),
        )

    def prior_parameters(self, corpus: CorpusFit) -> Mapping[str, float]:
        """Return the default relevance for both parameters; MjoLniR itself gave such a document no label."""
        default = float(corpus.parameters["default_relevance"])
        return dict.fromkeys(self.parameter_names, default)

    def behaviour(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> cascade_prediction.CascadeProbabilities:
        """Look further with g (1 - s) after a click, with g after a skip; pages without a click are foreseen, too."""
        g = corpus.parameters["continuation"]
        a, s = parameters["attractiveness"], parameters["satisfaction"]
        return cascade_prediction.CascadeProbabilities(a[serps.pair], g * (1 - s[serps.pair]), g)

    def predict_relevance(self, fit: ClusterFit, corpus: CorpusFit) -> Relevance:  # noqa: ARG002 - the protocol's
        """Return a x s, which is MjoLniR's label; its spread is ours, as that of the DBN with a prior of (1, 1).

        The spread knows of the pages that count alone. `prior_share` is the mean of the shares of the counts that
        every iteration starts from, in attractiveness and in satisfaction.
        """
        a, s, evidence = fit.parameters["attractiveness"], fit.parameters["satisfaction"], fit.evidence
        a_variance = attractiveness_variance(a, evidence, _BOTH)
        s_variance = s * (1 - s) / (evidence["satisfaction_known"] + _BOTH + 1)
        a_share = _BOTH / (evidence["clicks"] + evidence["skips"] + _BOTH)
        share = (a_share + _BOTH / (evidence["satisfaction_known"] + _BOTH)) / 2
        return Relevance(mean=a * s, sd=product_sd(a, a_variance, s, s_variance), prior_share=share)

    def _prepare(self, serps: CountedSerps) -> _Data:
        options = self.options
        kept = apply_rules(
            serps,
            min_docs=options.min_docs,
            max_docs=options.max_docs,
            drop_without_click=options.drop_without_click,
        )
        return _Data(cascade_em.prepare(kept), kept.per_pair(kept.cell_weight))

    def _log_likelihood(self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit) -> float:
        if not len(serps.pair):
            return 0.0
        conditional = self.predict_conditional_clicks(serps, parameters, corpus)
        return log_likelihood(serps, conditional) * float(serps.cell_weight.sum())


def _expect(data: _Data, a: Floats, s: Floats, g: float) -> _Expected:
    """Exact E-step: that of the cascade family with c_l = g (1 - s_l); P(S_l = 1 | C) = s_l / Z."""
    suffixes = data.counts.suffixes
    last = np.where(suffixes.has_click, s[suffixes.last], 0.0)
    found = cascade_em.e_step(suffixes, a, g * (1 - last), g)
    return _Expected(found.examined, last / found.evidence)


def _m_step(data: _Data, a: Floats, s: Floats, expected: _Expected) -> tuple[Floats, Floats]:
    """Classical M-step: a = (1 + clicks + a sum P(E = 0 | C)) / (2 + shown); s = (1 + satisfied) / (2 + clicks).

    Pairs that were not shown stay as they are.
    """
    counts, shown = data.counts, data.shown > 0
    attractive = counts.clicks + a * counts.sum_cells(1 - expected.examined)
    satisfied = counts.sum_last(expected.satisfied)
    return (
        np.where(shown, (_FOR + attractive) / (_BOTH + data.shown), a),
        np.where(shown, (_FOR + satisfied) / (_BOTH + counts.clicks), s),
    )


def _stood_still(serps: CountedSerps, change: Floats) -> Bools:
    n_clusters = int(serps.pair_cluster[-1]) + 1 if serps.n_pairs else 0
    moved = np.zeros(n_clusters, bool)
    moved[serps.pair_cluster[change >= _STILL]] = True
    return ~moved[serps.pair_cluster]


def _evidence(data: _Data, s: Floats, expected: _Expected) -> dict[str, Floats]:
    """Count what was observed; a last click with P(satisfied) = z is worth 1 - z (1 - z) / (s (1 - s)), or 0."""
    counts, z = data.counts, expected.satisfied
    last = s[counts.suffixes.last]
    missing = counts.sum_last(z * (1 - z) / (last * (1 - last)))
    return {
        **cascade_em.count_evidence(counts, expected.examined),
        "satisfaction_known": np.maximum(counts.clicks - missing, 0.0),
        "prior": np.full(len(s), _FOR / _BOTH),
    }
