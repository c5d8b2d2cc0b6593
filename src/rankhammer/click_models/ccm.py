"""The click chain model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models import cascade_em, cascade_prediction
from rankhammer.click_models.cascade_em import CascadeData
from rankhammer.click_models.em import EmModel
from rankhammer.click_models.priors import pair_prior, pooled_prior

if TYPE_CHECKING:
    from rankhammer.click_models.base import CorpusFit, CountedSerps, Shared
    from rankhammer.click_models.em import Pairs
    from rankhammer.click_models.types import Floats

SKIP, IRRELEVANT, RELEVANT = "continuation_after_skip", "continuation_after_irrelevant", "continuation_after_relevant"
"""alpha_1, alpha_2 and alpha_3 of the paper."""


@dataclass(frozen=True)
class CcmExpectations(cascade_em.CascadeExpectations):
    """What the E-step says of the hidden states.

    Args:
        relevant_going_on: P(R = 1 | clicked, looked further) of each pair, shape (n_pairs,).
        relevant_stopping: P(R = 1 | clicked, looked no further) of each pair, shape (n_pairs,).
        going_on: Clicks after which people looked further, expected, shape (n_pairs,).
        stopping: Clicks with something below them after which people stopped, expected, shape (n_pairs,).
    """

    relevant_going_on: Floats
    relevant_stopping: Floats
    going_on: Floats
    stopping: Floats

    @property
    def relevant(self) -> Floats:
        """Expected number of clicks that found the document relevant, of those that something stands below."""
        return self.going_on * self.relevant_going_on + self.stopping * self.relevant_stopping


class Ccm(cascade_prediction.CascadePrediction, EmModel[CascadeData, CcmExpectations]):
    """CCM (Guo et al. 2009): whether people look further after a click depends on whether the document was relevant.

    E_1 = 1; P(C_r = 1 | E_r = 1) = attractiveness a; after a click the document proves relevant with the same
    probability; people look further with alpha_1 after a skip, alpha_2 after an irrelevant and alpha_3 after a
    relevant click.
    Relevance = attractiveness.

    Args:
        options: See EmOptions.

    References:
        F. Guo, C. Liu, A. Kannan, T. Minka, M. Taylor, Y. M. Wang, C. Faloutsos: Click chain model in web search,
        WWW 2009.
    """

    def prepare(self, serps: CountedSerps) -> CascadeData:
        """Count pages; see `EmModel.prepare`."""
        return cascade_em.prepare(serps)

    def initial_parameters(self, data: CascadeData) -> Shared:
        """Begin as if every page was examined down to its last click."""
        attractive = float(np.clip(data.clicks.sum() / max(data.n_sure.sum(), 1.0), 0.01, 0.5))
        return {"attractiveness_prior": attractive, SKIP: 0.9, IRRELEVANT: 0.8, RELEVANT: 0.4}

    def e_step(self, data: CascadeData, pairs: Pairs, shared: Shared) -> CcmExpectations:
        """Exact E-step with c_l = alpha_2 (1 - a_l) + alpha_3 a_l, then Bayes' rule for the relevance of clicks."""
        a, suffixes = pairs["attractiveness"], data.suffixes
        onward = _onward(a, shared)
        found = cascade_em.e_step(suffixes, a, onward[suffixes.last], shared[SKIP])
        looked, last = np.zeros(len(suffixes.last)), np.zeros(len(suffixes.last))
        below = found.looked_further(suffixes)
        looked[: len(below)], last[: len(below)] = below, 1.0
        return CcmExpectations(
            found.examined,
            found.evidence,
            relevant_going_on=a * shared[RELEVANT] / onward,
            relevant_stopping=a * (1 - shared[RELEVANT]) / (1 - onward),
            going_on=data.clicks - data.n_last + data.sum_last(looked),
            stopping=data.sum_last(last - looked),
        )

    def m_step(self, data: CascadeData, pairs: Pairs, shared: Shared, expected: CcmExpectations) -> dict[str, Floats]:  # noqa: ARG002
        """a = (clicks + relevant + k m) / (examinations + clicks with something below + k)."""
        k, examined = self.options.prior_strength, data.n_sure + data.sum_cells(expected.examined)
        prior = pair_prior(shared, "attractiveness", data.mean_position)
        trials = examined + expected.going_on + expected.stopping
        return {"attractiveness": (data.clicks + expected.relevant + k * prior) / (trials + k)}

    def update_shared(self, data: CascadeData, pairs: Pairs, shared: Shared, expected: CcmExpectations) -> Shared:  # noqa: ARG002
        """Estimate each alpha as looked further / could look further; what is below the page is left out."""
        suffixes, going_on, relevant = data.suffixes, expected.going_on, expected.relevant_going_on
        cells = suffixes.cell_weight * expected.examined
        first = len(expected.looked_further(suffixes))
        trials = data.n_sure + data.sum_cells(expected.examined) + going_on + expected.stopping
        return {
            **pooled_prior("attractiveness", data.clicks + expected.relevant, trials, data.mean_position, self.options),
            SKIP: _share(data.n_skip_steps + cells[first:].sum(), data.n_skip_steps + cells[~suffixes.at_end].sum()),
            IRRELEVANT: _share(
                (going_on * (1 - relevant)).sum(), (going_on + expected.stopping - expected.relevant).sum()
            ),
            RELEVANT: _share((going_on * relevant).sum(), expected.relevant.sum()),
        }

    def log_likelihood(self, data: CascadeData, pairs: Pairs, shared: Shared) -> float:
        """Return ln P(clicks) of the whole log."""
        a = pairs["attractiveness"]
        onward = _onward(a, shared)
        found = cascade_em.e_step(data.suffixes, a, onward[data.suffixes.last], shared[SKIP])
        continued = float(((data.clicks - data.n_last) * np.log(onward)).sum())
        return cascade_em.log_likelihood(data, a, found.evidence, continued=continued, after_skip=shared[SKIP])

    def count_evidence(self, data: CascadeData, pairs: Pairs, expected: CcmExpectations) -> dict[str, Floats]:
        """Count what was observed; a click that proved relevant with probability p is worth (p - a)^2 / (a (1 - a))."""
        a = pairs["attractiveness"]
        counted = cascade_em.count_evidence(data, expected.examined)
        going_on = expected.going_on * (expected.relevant_going_on - a) ** 2
        known = (going_on + expected.stopping * (expected.relevant_stopping - a) ** 2) / (a * (1 - a))
        return {**counted, "clicks": counted["clicks"] + known * a, "skips": counted["skips"] + known * (1 - a)}

    def behaviour(
        self, serps: CountedSerps, parameters: Pairs, corpus: CorpusFit
    ) -> cascade_prediction.CascadeProbabilities:
        """Look further with alpha_2 (1 - a) + alpha_3 a after a click, with alpha_1 after a skip."""
        a = parameters["attractiveness"][serps.pair]
        return cascade_prediction.CascadeProbabilities(a, _onward(a, corpus.parameters), corpus.parameters[SKIP])


def _onward(a: Floats, shared: Shared) -> Floats:
    return np.asarray(shared[IRRELEVANT] * (1 - a) + shared[RELEVANT] * a, np.float64)


def _share(successes: float, trials: float) -> float:
    """Keep a share off 0 and 1 by half an observation of each."""
    return float((successes + 0.5) / (trials + 1.0))
