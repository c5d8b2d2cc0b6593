"""The EM of models in which a position is examined by chance, whatever the user thought of the documents above.

A click is an examination and an attraction: P(C = 1) = gamma_x a. What decides the examination gamma is called the
context x: the position, or the position and the last click above it. The log collapses to counts by (pair, context).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.base import bounded_probability
from rankhammer.click_models.counts.sequences import add_up
from rankhammer.click_models.em import EmModel, count_pairs
from rankhammer.click_models.position_parameters import smoothed_shares
from rankhammer.click_models.priors import pair_prior, pooled_prior

if TYPE_CHECKING:
    from rankhammer.click_models.base import CountedSerps, Shared
    from rankhammer.click_models.em import Pairs
    from rankhammer.click_models.types import Bools, Floats, Ints

EXAMINATION = "examination"


@dataclass(frozen=True)
class ContextData:
    """A log counted by (pair, context); a row is one such combination.

    Args:
        pair: Pair of each row, shape (n_rows,).
        context: Context of each row, from 0, shape (n_rows,).
        shown: Times shown, shape (n_rows,).
        clicked: Times clicked, shape (n_rows,).
        clicks: Times clicked in any context, shape (n_pairs,).
        mean_position: Mean position shown, NaN where never, shape (n_pairs,).
        pair_cluster: Cluster number of each pair, ascending, shape (n_pairs,).
    """

    pair: Ints
    context: Ints
    shown: Floats
    clicked: Floats
    clicks: Floats
    mean_position: Floats
    pair_cluster: Ints

    def select(self, moving: Bools) -> ContextData:
        """Keep some clusters; see `em.EmData.select`."""
        keep = moving[self.pair_cluster]
        rows = keep[self.pair]
        return replace(
            self,
            pair=(np.cumsum(keep) - 1)[self.pair[rows]],
            context=self.context[rows],
            shown=self.shown[rows],
            clicked=self.clicked[rows],
            clicks=self.clicks[keep],
            mean_position=self.mean_position[keep],
            pair_cluster=self.pair_cluster[keep],
        )

    def sum_rows(self, values: Floats) -> Floats:
        """Add up one value per row by pair."""
        return add_up(self.pair, values, len(self.clicks))


class ExaminationModel(EmModel[ContextData, "Floats"]):
    """A model with P(C = 1) = gamma_x a; it says what contexts are. Its E-step gives P(E = 1 | C = 0) of each row."""

    @abstractmethod
    def contexts(self, position: Ints, previous_click: Ints) -> Ints:
        """Number the context of each cell from its position and the last click above it (0: none)."""

    @abstractmethod
    def guess_examination(self, n_contexts: int) -> Floats:
        """Return examinations to begin at, shape (n_contexts,)."""

    def prepare(self, serps: CountedSerps) -> ContextData:
        """Count by (pair, context), in the order of both: it does not depend on that of the log."""
        context = self.contexts(serps.position, serps.previous_click)
        n = int(context.max(initial=0)) + 1
        keys, row = np.unique(serps.pair * n + context, return_inverse=True)
        counts = count_pairs(serps)
        return ContextData(
            pair=keys // n,
            context=keys % n,
            shown=add_up(row, serps.cell_weight, len(keys)),
            clicked=add_up(row, serps.cell_weight * serps.clicked, len(keys)),
            clicks=counts.clicks,
            mean_position=counts.mean_position,
            pair_cluster=serps.pair_cluster,
        )

    def initial_parameters(self, data: ContextData) -> Shared:
        """Begin with examinations that fall down the page."""
        gamma = self.guess_examination(int(data.context.max(initial=0)) + 1)
        expected = float((data.shown * gamma[data.context]).sum())
        return {
            "attractiveness_prior": float(np.clip(data.clicks.sum() / max(expected, 1.0), 0.01, 0.5)),
            EXAMINATION: gamma.tolist(),
        }

    def e_step(self, data: ContextData, pairs: Pairs, shared: Shared) -> Floats:
        """E-step: P(E = 1 | C = 0) = gamma (1 - a) / (1 - gamma a)."""
        gamma, a = np.asarray(shared[EXAMINATION])[data.context], pairs["attractiveness"][data.pair]
        return np.asarray(gamma * (1 - a) / (1 - gamma * a), np.float64)

    def m_step(self, data: ContextData, pairs: Pairs, shared: Shared, expected: Floats) -> dict[str, Floats]:  # noqa: ARG002
        """Compact M-step, over examined documents only: a = (clicks + k m) / (examinations + k)."""
        k, examined = self.options.prior_strength, data.sum_rows(_examined(data, expected))
        prior = pair_prior(shared, "attractiveness", data.mean_position)
        return {"attractiveness": (data.clicks + k * prior) / (examined + k)}

    def update_shared(self, data: ContextData, pairs: Pairs, shared: Shared, expected: Floats) -> Shared:  # noqa: ARG002
        """Estimate gamma of each context as examined / shown."""
        n, examined = len(shared[EXAMINATION]), _examined(data, expected)
        shares = smoothed_shares(add_up(data.context, examined, n), add_up(data.context, data.shown, n))
        trials = data.sum_rows(examined)
        return {
            **pooled_prior("attractiveness", data.clicks, trials, data.mean_position, self.options),
            EXAMINATION: shares,
        }

    def log_likelihood(self, data: ContextData, pairs: Pairs, shared: Shared) -> float:
        """Return ln P(clicks) of the whole log."""
        p = np.asarray(shared[EXAMINATION])[data.context] * pairs["attractiveness"][data.pair]
        p = bounded_probability(p)
        return float((data.clicked * np.log(p) + (data.shown - data.clicked) * np.log1p(-p)).sum())

    def count_evidence(self, data: ContextData, pairs: Pairs, expected: Floats) -> dict[str, Floats]:  # noqa: ARG002
        """Count what was observed; a skip with P(examined) = f is worth f^2 (Louis 1982)."""
        return {
            "examined": data.sum_rows(_examined(data, expected)),
            "clicks": data.clicks,
            "skips": data.sum_rows((data.shown - data.clicked) * expected**2),
        }


def _examined(data: ContextData, expected: Floats) -> Floats:
    """Return the expected examinations of each row: every click is one."""
    return data.clicked + (data.shown - data.clicked) * expected
