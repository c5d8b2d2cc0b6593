"""Points of three classes: as many as asked for, the same for a seed, and turned by 45 degrees."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer.sweeps.toy import CLASSES, HALF, grid, make_points


def test_classes_share_the_points_evenly():
    points = make_points(100, seed=1)
    assert np.bincount(points.classes).tolist() == [34, 33, 33]
    assert points.xy.shape == (100, 2)


def test_a_seed_says_every_point():
    one, again, other = (make_points(50, seed=seed).xy for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_without_jitter_the_cross_stands_on_the_diagonals():
    points = make_points(90, seed=1, jitter=0.0)
    x, y = points.xy[points.classes == CLASSES.index("cross")].T
    assert np.minimum(abs(x - y), abs(x + y)) == pytest.approx(0.0, abs=1e-12)
    ring = points.xy[points.classes == CLASSES.index("ring")]
    assert np.hypot(*ring.T) == pytest.approx(1.1)


def test_held_out_points_are_not_trained_on():
    points = make_points(1000, seed=1)
    train, held_out = points.split(0.3, seed=2)
    assert (len(train.classes), len(held_out.classes)) == (700, 300)
    together = np.concatenate([train.xy, held_out.xy])
    assert np.array_equal(np.sort(together[:, 0]), np.sort(points.xy[:, 0]))


def test_a_grid_begins_at_the_upper_left():
    points = grid(3)
    assert points[0].tolist() == [-HALF, HALF]
    assert points[1].tolist() == [0.0, HALF]
    assert points[-1].tolist() == [HALF, -HALF]
