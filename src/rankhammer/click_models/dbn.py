"""The dynamic Bayesian network click model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rankhammer.click_models import dbn_em as em
from rankhammer.click_models.base import ClusterFit, CorpusFit, Relevance
from rankhammer.click_models.cascade import conditional_clicks, draw_clicks, marginal_clicks
from rankhammer.click_models.evidence import product_sd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.click_models.base import Bools, CountedSerps, Floats


class DbnOptions(BaseModel):
    """Options of the DBN."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    continuation: float | None = Field(
        default=None, gt=0, lt=1, description="probability to look further when not satisfied; null: estimate it"
    )
    prior_strength: float = Field(
        default=5.0, gt=0, le=1000, description="pseudo-observations that pull an estimate towards the corpus mean"
    )
    satisfaction_floor: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="least prior mean of satisfaction; a log with one click a page says little",
    )
    max_iter: int = Field(default=100, ge=1, le=10_000, description="EM iterations at most")
    tol: float = Field(default=1e-4, gt=0, lt=1, description="largest change of a parameter that counts as none")


class Dbn:
    """DBN (Chapelle & Zhang 2009): people read down, click what attracts, and stop when satisfied or tired.

    E_1 = 1; C_r = 1 iff E_r = 1 and A_r = 1; P(A_r = 1) = attractiveness; P(S_r = 1 | C_r = 1) = satisfaction;
    P(E_{r+1} = 1 | E_r = 1, S_r = 0) = continuation, and 0 after satisfaction.
    Relevance = attractiveness x satisfaction.

    Args:
        options: See DbnOptions.

    References:
        O. Chapelle, Y. Zhang: A dynamic Bayesian network click model for web search ranking, WWW 2009.
    """

    Options: ClassVar[type[BaseModel]] = DbnOptions
    parameter_names: ClassVar[tuple[str, ...]] = ("attractiveness", "satisfaction")

    def __init__(self, options: DbnOptions) -> None:
        self.options = options

    def fit_corpus(self, serps: CountedSerps) -> CorpusFit:
        """Estimate the continuation and the means of both priors; see `ClickModel.fit_corpus`."""
        data, options = em.prepare(serps), self.options
        state, n_iter, converged = self._first_guess(data), 0, False
        while n_iter < options.max_iter and not converged:
            before = _shared(state)
            state = self._update(data, state)
            converged = max(abs(after - old) for after, old in zip(_shared(state), before, strict=True)) < options.tol
            n_iter += 1
        expected = em.expect(data.tails, state)
        return CorpusFit(
            parameters=dict(
                zip(("continuation", "attractiveness_prior", "satisfaction_prior"), _shared(state), strict=True)
            ),
            n_iter=n_iter,
            converged=converged,
            log_likelihood=em.log_likelihood(data, state, expected) / max(data.n_cells, 1.0),
            n_serps=int(serps.weight.sum()),
        )

    def fit(self, serps: CountedSerps, corpus: CorpusFit) -> ClusterFit:
        """Estimate attractiveness and satisfaction of every pair; see `ClickModel.fit`."""
        data, options = em.prepare(serps), self.options
        state, n_iter, converged = em.iterate(
            data,
            _start(data, **corpus.parameters),
            strength=options.prior_strength,
            max_iter=options.max_iter,
            tol=options.tol,
        )
        expected = em.expect(data.tails, state)
        return ClusterFit(
            parameters={"attractiveness": state.attractiveness, "satisfaction": state.satisfaction},
            n_examined=data.examined(expected),
            evidence=_evidence(data, expected),
            n_iter=n_iter[data.pair_cluster],
            converged=converged[data.pair_cluster],
            log_likelihood=em.log_likelihood(data, state, expected),
        )

    def unseen(self, corpus: CorpusFit) -> Mapping[str, float]:
        """Return the prior means; see `ClickModel.unseen`."""
        return {name: corpus.parameters[f"{name}_prior"] for name in self.parameter_names}

    def predict_clicks(self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit) -> Floats:
        """P(C_r = 1) = eps_r a_r with eps_{r+1} = eps_r g (1 - a_r s_r); see `ClickModel.predict_clicks`."""
        return marginal_clicks(serps, *_unpack(parameters, corpus))

    def predict_conditional_clicks(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> Floats:
        """P(C_r = 1 | C_<r) = a_r e_r; see `ClickModel.predict_conditional_clicks`."""
        return conditional_clicks(serps, *_unpack(parameters, corpus))

    def sample(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit, uniform: Floats
    ) -> Bools:
        """Draw each click from P(C_r = 1 | C_<r), top to bottom; see `ClickModel.sample`."""
        return draw_clicks(serps, *_unpack(parameters, corpus), uniform)

    def predict_relevance(self, fit: ClusterFit, corpus: CorpusFit) -> Relevance:
        """Return the posterior of a x s.

        Each variance is 1 / (complete information - missing information) at the estimate, missing being the variance
        of the score over the hidden states: what examinations and satisfactions that are only guessed take away.
        `prior_share` is the mean of the shares of pseudo-observations in attractiveness and in satisfaction.

        References:
            T. A. Louis: Finding the observed information matrix when using the EM algorithm, JRSS B 1982.
        """
        strength = self.options.prior_strength
        a, s = fit.parameters["attractiveness"], fit.parameters["satisfaction"]
        clicks, skips, s_known = (fit.evidence[name] for name in ("clicks", "skips", "satisfaction_known"))
        prior = corpus.parameters["attractiveness_prior"]
        information = (clicks + strength * prior) / a**2 + (skips + strength * (1 - prior)) / (1 - a) ** 2
        a_variance = 1 / (information + 1 / (a * (1 - a)))
        s_variance = s * (1 - s) / (s_known + strength + 1)
        share = strength / (clicks + skips + strength) + strength / (s_known + strength)
        return Relevance(mean=a * s, sd=product_sd(a, a_variance, s, s_variance), prior_share=share / 2)

    def _first_guess(self, data: em.Data) -> em.State:
        """Begin as if every page was examined down to its last click, and every other click satisfied."""
        attractive = float(np.clip(data.clicks.sum() / max(data.n_sure.sum(), 1.0), 0.01, 0.5))
        return _start(data, self.options.continuation or 0.9, attractive, 0.5)

    def _update(self, data: em.Data, state: em.State) -> em.State:
        """Do one EM iteration over everything, what the clusters share included."""
        options = self.options
        expected = em.expect(data.tails, state)
        pairs = em.maximise(data, state, expected, options.prior_strength)
        attractive, satisfying = em.prior_means(data, expected, options.prior_strength)
        return em.State(
            attractiveness=pairs.attractiveness,
            satisfaction=pairs.satisfaction,
            continuation=options.continuation or em.continuation(data, expected),
            attractiveness_prior=attractive,
            satisfaction_prior=max(satisfying, options.satisfaction_floor),
        )


def _start(data: em.Data, continuation: float, attractiveness_prior: float, satisfaction_prior: float) -> em.State:
    n = len(data.clicks)
    attractiveness, satisfaction = np.full(n, attractiveness_prior), np.full(n, satisfaction_prior)
    return em.State(attractiveness, satisfaction, continuation, attractiveness_prior, satisfaction_prior)


def _shared(state: em.State) -> tuple[float, float, float]:
    return state.continuation, state.attractiveness_prior, state.satisfaction_prior


def _unpack(parameters: Mapping[str, Floats], corpus: CorpusFit) -> tuple[Floats, Floats, float]:
    return parameters["attractiveness"], parameters["satisfaction"], corpus.parameters["continuation"]


def _evidence(data: em.Data, expected: em.Expected) -> dict[str, Floats]:
    """Count observations net of what is missing from them.

    A skip with P(examined) = f is worth f^2, for f (1 - f) of its information is missing; a last click with
    P(satisfied) = z is worth 1 - z (1 - z) / (s (1 - s)), and never less than nothing.
    """
    z = expected.satisfied
    s = z * expected.evidence
    missing = np.divide(z * (1 - z), s * (1 - s), out=np.zeros_like(z), where=data.tails.has_click)
    return {
        "clicks": data.clicks,
        "skips": data.n_sure - data.clicks + data.sum_cells(expected.examined**2),
        "satisfaction_known": np.maximum(data.clicks - data.sum_last(missing), 0.0),
    }
