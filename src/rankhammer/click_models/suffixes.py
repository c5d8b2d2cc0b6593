"""The part of a result page whose examination is unknown: its last clicked document and those below it.

In a cascade every document down to the last click was examined, so pages that agree from the last click on need the
same arithmetic: counting them once makes an iteration independent of the log's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.click_models.counts.sequences import add_up, distinct, take_ragged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rankhammer.click_models.base import CountedSerps
    from rankhammer.click_models.types import Bools, Floats, Ints


@dataclass(frozen=True)
class Suffixes:
    """The distinct tails of a log, longest first, stored depth by depth: depth d holds those longer than d.

    Args:
        pair: Pair at each (depth, tail), depth by depth, shape (n_cells,).
        depth_size: How many tails reach each depth, descending, shape (max_length,).
        last: Pair of the last click; -1 where the page has no click, shape (n_tails,).
        last_position: 1-based position of the last click, 0 where the page has none, shape (n_tails,). Where tails are
            not told apart by it, 1 stands for every position.
        length: Documents below the last click, shape (n_tails,).
        weight: Pages with this tail, shape (n_tails,).
        cluster: Cluster number, shape (n_tails,).
    """

    pair: Ints
    depth_size: Ints
    last: Ints
    last_position: Ints
    length: Ints
    weight: Floats
    cluster: Ints

    @cached_property
    def depth_start(self) -> Ints:
        """First cell of each depth."""
        return np.cumsum(self.depth_size) - self.depth_size

    @cached_property
    def cell_weight(self) -> Floats:
        """Weight of each cell, shape (n_cells,)."""
        return self.spread(self.weight)

    @cached_property
    def at_end(self) -> Bools:
        """Whether a cell is the last of its page, shape (n_cells,)."""
        depth = np.repeat(np.arange(len(self.depth_size)), self.depth_size)
        end: Bools = self.spread(self.length) == depth + 1
        return end

    @cached_property
    def has_click(self) -> Bools:
        """Whether the page has a click, shape (n_tails,)."""
        return self.last >= 0

    def depths(self) -> list[slice]:
        """Return the cells of each depth, from the last click down."""
        return [slice(start, start + size) for start, size in zip(self.depth_start, self.depth_size, strict=True)]

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Repeat one value a tail at every depth that it reaches: shape (n_tails,) to (n_cells,)."""
        return np.concatenate([values[:0], *(values[:size] for size in self.depth_size)])

    def select(self, keep: Bools, pair_number: Ints) -> Suffixes:
        """Return the tails that `keep` marks, with pairs renumbered.

        Args:
            keep: Shape (n_tails,).
            pair_number: New number of each old pair.
        """
        cells = self.spread(keep)
        sizes = np.array([np.count_nonzero(keep[:size]) for size in self.depth_size], np.int64)
        last = self.last[keep]
        return Suffixes(
            pair=pair_number[self.pair[cells]],
            depth_size=sizes[sizes > 0],
            last=np.where(last >= 0, pair_number[last], -1),
            last_position=self.last_position[keep],
            length=self.length[keep],
            weight=self.weight[keep],
            cluster=self.cluster[keep],
        )


def find_suffixes(serps: CountedSerps, *, by_position: bool = False) -> Suffixes:
    """Collect the distinct tails of a log.

    Their order within a cluster depends on their content alone, so that sums over them come out the same to the
    last bit however the log was cut or ordered.

    Args:
        serps: Pages of one corpus.
        by_position: Whether tails whose last clicks stand at different positions are different.
    """
    last, cluster = serps.last_click, serps.pair_cluster[serps.pair[serps.start]]
    skipped = np.maximum(last - 1, 0)
    pair = serps.pair[serps.position > skipped[serps.cell_serp]]
    first_pair = np.searchsorted(serps.pair_cluster, cluster)
    length = serps.length - skipped
    local = pair - np.repeat(first_pair, length)
    position = last if by_position else np.minimum(last, 1)
    kinds = distinct(local, length, cluster * (int(position.max(initial=0)) + 1) + position)
    n_below = (length - (last > 0))[kinds.first]
    order = np.lexsort((kinds.hash, position[kinds.first], cluster[kinds.first], -n_below))
    chosen = kinds.first[order]
    weight = add_up(kinds.inverse, serps.weight, len(order))[order]
    return _by_depth(take_ragged(pair, length, chosen), length[chosen], position[chosen], weight, cluster[chosen])


def _by_depth(pair: Ints, length: Ints, position: Ints, weight: Floats, cluster: Ints) -> Suffixes:
    """Turn sequences (the last clicked pair first, where there is one) into depths."""
    has_click = position > 0
    start = np.cumsum(length) - length
    below = start + has_click
    n_below = length - has_click
    deepest = int(n_below.max()) if len(n_below) else 0
    sizes = np.searchsorted(-n_below, -np.arange(deepest), side="left").astype(np.int64)
    cells = [pair[below[:size] + depth] for depth, size in enumerate(sizes)]
    return Suffixes(
        pair=np.concatenate(cells or [np.zeros(0, np.int64)]),
        depth_size=sizes,
        last=np.where(has_click, pair[start], -1),
        last_position=position,
        length=n_below,
        weight=weight,
        cluster=cluster,
    )
