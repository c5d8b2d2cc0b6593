from __future__ import annotations

import numpy as np

from rankhammer.click_models.suffixes import find_suffixes


def test_pages_that_agree_from_the_last_click_on_share_a_tail(pages):
    suffixes = find_suffixes(pages([([0, 1, 2, 3], "1100"), ([4, 1, 2, 3], "0100"), ([0, 1, 2, 3], "0000")]))
    assert sorted(zip(suffixes.length, suffixes.last, suffixes.weight, strict=True)) == [(2, 1, 2), (4, -1, 1)]


def test_a_page_without_a_click_is_no_page_with_its_first_document_clicked(pages):
    suffixes = find_suffixes(pages([([0, 1], "10"), ([0, 1], "00")]))
    assert sorted(zip(suffixes.length, suffixes.last, strict=True)) == [(1, 0), (2, -1)]


def test_a_click_on_the_last_position_leaves_nothing_below(pages):
    suffixes = find_suffixes(pages([([0], "1"), ([0, 1], "01")]))
    assert suffixes.length.tolist() == [0, 0]
    assert len(suffixes.pair) == 0


def test_depths_hold_the_longer_tails_only(pages):
    suffixes = find_suffixes(pages([([0, 1, 2], "000"), ([3, 1], "00"), ([2, 0], "10")]))
    assert suffixes.depth_size.tolist() == [3, 2, 1]
    assert [suffixes.pair[cells].tolist() for cells in suffixes.depths()][1:] == [[1, 1], [2]]
    assert suffixes.at_end.tolist() == [False, False, True, False, True, True]


def test_the_order_of_the_log_does_not_change_the_order_of_tails(random_pages):
    serps = random_pages(300, 4, 5, [1, 2, 4], seed=1)
    suffixes = find_suffixes(serps)
    shuffled = np.random.default_rng(0).permutation(len(serps.length))
    cells = np.concatenate([np.arange(serps.start[row], serps.start[row] + serps.length[row]) for row in shuffled])
    other = find_suffixes(
        type(serps)(serps.pair[cells], serps.clicked[cells], serps.length[shuffled], serps.weight, serps.pair_cluster)
    )
    assert suffixes.pair.tolist() == other.pair.tolist()
    assert suffixes.weight.tolist() == other.weight.tolist()


def test_selected_tails_are_renumbered(pages):
    suffixes = find_suffixes(pages([([0, 1], "10"), ([2, 3], "10")], clusters=[0, 0, 1, 1]))
    kept = suffixes.select(suffixes.cluster == 1, np.array([-1, -1, 0, 1]))
    assert (kept.last.tolist(), kept.pair.tolist(), kept.depth_size.tolist()) == ([0], [1], [1])
