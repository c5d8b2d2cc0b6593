"""Which pages MjoLniR's DBN looked at, and what it made of them: the rules of its reader, on counted pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.base import CountedSerps
from rankhammer.click_models.sequences import add_up

if TYPE_CHECKING:
    from rankhammer.click_models.base import Bools


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
