"""The EM of the cascade family, on counts: everything down to the last click is known, the tail below is not.

Notation: a attractiveness, c_l probability to look further after the last click, g after a skip, l the position of the
last click, E_r "position r was examined".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.counts.sequences import add_up
from rankhammer.click_models.em import count_pairs
from rankhammer.click_models.suffixes import Suffixes, find_suffixes

if TYPE_CHECKING:
    from rankhammer.click_models.base import CountedSerps
    from rankhammer.click_models.types import Bools, Floats, Ints


@dataclass(frozen=True)
class CascadeData:
    """A log as the EM of a cascade needs it.

    Args:
        clicks: Times clicked, shape (n_pairs,).
        n_sure: Times shown at or above the last click, so certainly examined, shape (n_pairs,).
        n_last: Times clicked last, shape (n_pairs,).
        mean_position: Mean position shown, NaN where never, shape (n_pairs,).
        pair_cluster: Cluster number of each pair, ascending, shape (n_pairs,).
        suffixes: What is below the last clicks.
        n_skip_steps: Steps from a skipped position to the next above the last clicks: all of them were taken.
        n_continued: Steps from a clicked position to the next above the last clicks, by position, shape (n_positions,).
    """

    clicks: Floats
    n_sure: Floats
    n_last: Floats
    mean_position: Floats
    pair_cluster: Ints
    suffixes: Suffixes
    n_skip_steps: float
    n_continued: Floats

    def select(self, moving: Bools) -> CascadeData:
        """Keep some clusters; see `em.EmData.select`."""
        keep = moving[self.pair_cluster]
        return replace(
            self,
            clicks=self.clicks[keep],
            n_sure=self.n_sure[keep],
            n_last=self.n_last[keep],
            mean_position=self.mean_position[keep],
            pair_cluster=self.pair_cluster[keep],
            suffixes=self.suffixes.select(moving[self.suffixes.cluster], np.cumsum(keep) - 1),
        )

    def sum_cells(self, values: Floats) -> Floats:
        """Add up one value a tail cell by pair."""
        return add_up(self.suffixes.pair, self.suffixes.cell_weight * values, len(self.clicks))

    def sum_last(self, values: Floats) -> Floats:
        """Add up one value a tail by the pair of its last click."""
        clicked = self.suffixes.has_click
        return add_up(self.suffixes.last[clicked], (self.suffixes.weight * values)[clicked], len(self.clicks))


@dataclass(frozen=True)
class CascadeExpectations:
    """What the E-step says of the hidden states, given the clicks.

    Args:
        examined: P(E_r = 1 | C) of each tail cell, shape (n_cells,).
        evidence: Z, the probability of no click below the last one, or of none at all, shape (n_tails,).
    """

    examined: Floats
    evidence: Floats

    def looked_further(self, suffixes: Suffixes) -> Floats:
        """Return P(E_{l+1} = 1 | C) of each tail with a position below its last click, shape (depth_size[0],)."""
        return self.examined[: int(suffixes.depth_size[0]) if len(suffixes.depth_size) else 0]


def prepare(serps: CountedSerps, *, by_position: bool = False) -> CascadeData:
    """Reduce a log to the counts that the EM needs.

    Args:
        serps: Pages of one corpus.
        by_position: Whether looking further after a click depends on the position of the click.
    """
    last_here = serps.last_click[serps.cell_serp]
    above = serps.position < last_here
    n_positions = int(serps.length.max(initial=1))
    counts = count_pairs(serps)
    return CascadeData(
        clicks=counts.clicks,
        n_sure=serps.per_pair(serps.cell_weight * (serps.position <= last_here)),
        n_last=serps.per_pair(serps.cell_weight * (serps.position == last_here)),
        mean_position=counts.mean_position,
        pair_cluster=serps.pair_cluster,
        suffixes=find_suffixes(serps, by_position=by_position),
        n_skip_steps=float((serps.cell_weight * (above & ~serps.clicked)).sum()),
        n_continued=add_up(serps.position - 1, serps.cell_weight * (above & serps.clicked), n_positions),
    )


def e_step(suffixes: Suffixes, attractiveness: Floats, after_click: Floats, after_skip: float) -> CascadeExpectations:
    """Exact E-step: one walk up and one down the tails, depth by depth.

    B_r = P(no click from r on | E_r = 1) = (1 - a_r)(g B_{r+1} + 1 - g), 1 below the page;
    Z = 1 - c_l (1 - B_{l+1}) after a click, 1 where that was the last position, B_1 without a click;
    f_{l+1} = c_l B_{l+1} / Z, or f_1 = 1; f_{r+1} = f_r g B_{r+1} / (g B_{r+1} + 1 - g).

    Args:
        suffixes: The distinct tails.
        attractiveness: a of each pair, shape (n_pairs,).
        after_click: c_l of each tail, not looked at where the page has no click, shape (n_tails,).
        after_skip: g.
    """
    no_click, onward = _walk_up(suffixes, attractiveness, after_skip)
    reached = np.where(suffixes.has_click, after_click, 1.0)
    z = np.where(suffixes.has_click, 1 - reached * (1 - no_click), no_click)
    examined = np.empty(len(suffixes.pair))
    at = reached * no_click / z
    for cells in suffixes.depths():
        examined[cells] = at[: cells.stop - cells.start]
        at = examined[cells] * onward[cells]
    return CascadeExpectations(examined, z)


def _walk_up(suffixes: Suffixes, attractiveness: Floats, g: float) -> tuple[Floats, Floats]:
    """Return B below the last click of each tail, and P(E_{r+1} = 1 | E_r = 1, no click from r on) of each cell."""
    skipped = 1 - attractiveness[suffixes.pair]
    onward = np.empty(len(suffixes.pair))
    below = np.ones(0)
    for cells in reversed(suffixes.depths()):
        go_on = np.full(cells.stop - cells.start, g)
        go_on[: len(below)] *= below
        go_on_or_stop = go_on + (1 - g)
        onward[cells] = go_on / go_on_or_stop
        below = skipped[cells] * go_on_or_stop
    no_click = np.ones(len(suffixes.last))
    no_click[: len(below)] = below
    return no_click, onward


def log_likelihood(
    data: CascadeData, attractiveness: Floats, evidence: Floats, *, continued: float, after_skip: float
) -> float:
    """Return ln P(clicks) of the whole log: known terms down to the last clicks, and Z below.

    Args:
        data: The counts.
        attractiveness: a of each pair.
        evidence: Z of each tail.
        continued: Sum of ln c over the clicks that another one followed.
        after_skip: g.
    """
    a = attractiveness
    above = float((data.clicks * np.log(a) + (data.n_sure - data.clicks) * np.log1p(-a)).sum())
    suffixes = float((data.suffixes.weight * np.log(evidence)).sum())
    return above + continued + data.n_skip_steps * float(np.log(after_skip)) + suffixes


def count_evidence(data: CascadeData, examined: Floats) -> dict[str, Floats]:
    """Count what was observed of each pair's attractiveness.

    Args:
        data: The counts.
        examined: P(E_r = 1 | C) of each tail cell.

    Returns:
        `examined`: expected examinations. `clicks`. `skips`: a skip with P(examined) = f is worth f^2, for f (1 - f) of
        its information is missing (Louis 1982).
    """
    return {
        "examined": data.n_sure + data.sum_cells(examined),
        "clicks": data.clicks,
        "skips": data.n_sure - data.clicks + data.sum_cells(examined**2),
    }
