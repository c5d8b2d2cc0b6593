"""A sweep on Spark: larger models find more, the smallest good one is chosen, and surfaces have every cell."""

from __future__ import annotations

import pytest

from rankhammer.dashboard.pages.sweep import view
from rankhammer.dashboard.results import Report
from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.sweeps.perceptrons import SweepSettings, sweep
from rankhammer.sweeps.toy import make_points

pytestmark = pytest.mark.slow_start


def test_a_hidden_layer_of_one_neuron_is_too_small_for_a_ring(spark):
    before = set(spark.sparkContext._jsc.getPersistentRDDs())
    settings = SweepSettings(sizes=(12, 1), max_iter=40, n_grid=11, n_parallel=2, seed=3)
    found = sweep(spark, make_points(600, seed=3), settings, Bootstrap(n_resamples=100))
    small, large = found["rows"]
    assert (small["size"], large["size"]) == (1, 12)
    assert large["is_chosen"]
    assert large["lower"] > small["upper"]
    assert found["n_held_out"] == 180
    assert [len(surface["levels"]) for surface in found["surfaces"]] == [11, 11]
    assert set(spark.sparkContext._jsc.getPersistentRDDs()) <= before

    shown = view(Report({"sweeps": {"toy": found}}))["sweeps"][0]
    assert shown["chosen"] == "12 neurons"
    covered = sum(width for _, _, width, _ in shown["surfaces"][1]["cells"])
    assert covered == 11 * 11
    assert len({level for *_, level in shown["surfaces"][1]["cells"]}) == 3
