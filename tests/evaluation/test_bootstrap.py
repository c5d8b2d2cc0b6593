from __future__ import annotations

import numpy as np
import pytest

from rankhammer.evaluation.bootstrap import Bootstrap, clustered_sd, compare_systems, resampled_means

NAN = np.nan


def _by_quantity(rows: list[dict[str, object]]) -> dict[tuple[object, ...], dict[str, object]]:
    return {(row["quantity"], row["system"], row["against"]): row for row in rows}


def test_means_differences_and_share_of_the_oracle() -> None:
    values = {
        "logged": np.array([0.1, 0.1, 0.1, 0.1]),
        "baseline": np.array([0.2, 0.4, 0.2, 0.4]),
        "ranker": np.array([0.4, 0.6, 0.4, 0.6]),
        "oracle": np.array([0.6, 0.8, 0.6, 0.8]),
    }
    found = _by_quantity(compare_systems(values, np.array([0, 0, 1, 2]), Bootstrap(100)))
    assert found["mean", "ranker", None]["mean"] == pytest.approx(0.5)
    assert found["difference", "ranker", "baseline"]["mean"] == pytest.approx(0.2)
    assert found["difference", "ranker", "logged"]["mean"] == pytest.approx(0.4)
    share = found["oracle_share", "ranker", "baseline"]
    assert (share["mean"], share["lower"], share["upper"]) == pytest.approx((0.2 / 0.4, 0.5, 0.5))
    assert {(row["n_queries"], row["n_clusters"]) for row in found.values()} == {(4, 3)}


def test_a_difference_pairs_the_queries_so_common_noise_cancels() -> None:
    noise = np.random.default_rng(1).uniform(0, 0.8, 200)
    values = {"baseline": noise, "ranker": noise + 0.1}
    found = _by_quantity(compare_systems(values, np.arange(200), Bootstrap(200)))
    difference = found["difference", "ranker", "baseline"]
    assert (difference["lower"], difference["upper"]) == pytest.approx((0.1, 0.1))
    assert found["mean", "ranker", None]["upper"] - found["mean", "ranker", None]["lower"] > 0.04


def test_queries_without_a_value_count_nowhere() -> None:
    values = {"baseline": np.array([NAN, 0.2, 0.4]), "ranker": np.array([NAN, 0.6, NAN])}
    found = _by_quantity(compare_systems(values, np.array([0, 1, 2]), Bootstrap(50)))
    assert (found["mean", "baseline", None]["mean"], found["mean", "baseline", None]["n_queries"]) == (
        pytest.approx(0.3),
        2,
    )
    assert found["difference", "ranker", "baseline"]["n_queries"] == 1
    assert found["difference", "ranker", "baseline"]["mean"] == pytest.approx(0.4)


def test_no_interval_below_two_clusters() -> None:
    rows = compare_systems({"ranker": np.array([0.2, 0.6])}, np.array([3, 3]), Bootstrap(50))
    assert [(row["mean"], row["lower"], row["upper"]) for row in rows] == [(pytest.approx(0.4), None, None)]


def test_no_value_at_all_gives_nulls_without_a_warning() -> None:
    rows = compare_systems({"ranker": np.array([NAN, NAN])}, np.array([0, 1]), Bootstrap(50))
    assert rows == [
        {
            "quantity": "mean", "system": "ranker", "against": None, "mean": None, "lower": None, "upper": None,
            "sd": None, "n_queries": 0, "n_clusters": 0,
        }
    ]  # fmt: skip


def test_no_share_of_an_oracle_that_gains_nothing() -> None:
    values = {name: np.array([0.5, 0.5, 0.5]) for name in ("baseline", "ranker", "oracle")}
    found = _by_quantity(compare_systems(values, np.arange(3), Bootstrap(50)))
    assert found["oracle_share", "ranker", "baseline"]["mean"] is None


def test_interval_has_the_width_that_theory_gives() -> None:
    values = np.random.default_rng(2).normal(0.5, 0.1, 400)
    row = compare_systems({"ranker": values}, np.arange(400), Bootstrap(4000))[0]
    width = 2 * 1.96 * values.std() / np.sqrt(400)
    assert row["upper"] - row["lower"] == pytest.approx(width, rel=0.08)


def test_queries_of_one_cluster_do_not_count_as_independent_evidence() -> None:
    values = np.random.default_rng(3).uniform(0, 1, 50)
    alone = compare_systems({"ranker": values}, np.arange(50), Bootstrap(1000))[0]
    copied = compare_systems({"ranker": np.repeat(values, 9)}, np.repeat(np.arange(50), 9), Bootstrap(1000))[0]
    assert (copied["lower"], copied["upper"]) == pytest.approx((alone["lower"], alone["upper"]))


def test_seed_decides_the_draws_and_steps_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(4).uniform(size=(30, 2))
    whole = resampled_means(values, np.arange(30), Bootstrap(40, random_state=5))
    assert not np.allclose(whole, resampled_means(values, np.arange(30), Bootstrap(40, random_state=6)))
    monkeypatch.setattr("rankhammer.evaluation.bootstrap._MAX_DRAWS", 30 * 8)
    assert resampled_means(values, np.arange(30), Bootstrap(40, random_state=5)) == pytest.approx(whole)


def test_the_deviation_of_single_queries_is_the_usual_one_and_copies_add_nothing() -> None:
    values = np.random.default_rng(5).normal(size=40)
    assert clustered_sd(values, np.arange(40)) == pytest.approx(values.std(ddof=1))
    copied = clustered_sd(np.repeat(values, 4), np.repeat(np.arange(40), 4))
    # 160 queries that are 40 clusters have the standard error of 40.
    assert copied / np.sqrt(160) == pytest.approx(values.std(ddof=1) / np.sqrt(40))
    assert clustered_sd(values, np.zeros(40)) is None
