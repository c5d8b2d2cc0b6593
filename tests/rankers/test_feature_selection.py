"""Rules of choosing features by mRMR."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer.rankers.feature_selection import bucket, mutual_information, redundancy_map, select, stability


def _data(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    signal, second = rng.standard_normal(n), rng.standard_normal(n)
    grades = ((signal > 0).astype(int) * 2 + (second > 0.5)).astype(np.float32)
    columns = {
        "noise": rng.standard_normal(n),
        "signal": signal,
        "copy": signal * 1e9 - 5,
        "negative": -second,
        "constant": np.ones(n),
        "absent": np.full(n, np.nan),
    }
    features = np.column_stack(list(columns.values())).astype(np.float32)
    features[::5, 3] = np.nan
    return features, grades, list(columns)


def test_what_says_most_comes_first_and_its_copy_after_what_adds_something():
    features, grades, names = _data()
    chosen = [one.feature for one in select(features, grades, names, n_features=6)]
    assert chosen[0] in ("signal", "copy")
    assert chosen[1] == "negative"
    # Of those that say nothing a rounding may put any first; a copy of the best one says much.
    assert chosen.index("noise") > 1
    assert sorted(chosen) == sorted(names)


def test_information_is_that_of_the_tables():
    left = np.array([0, 0, 1, 1] * 5000, dtype=np.uint8)
    assert mutual_information(left, left) == pytest.approx(np.log(2), abs=1e-3)
    right = np.array([0, 1, 0, 1] * 5000, dtype=np.uint8)
    assert mutual_information(left, right) == pytest.approx(0.0, abs=1e-6)
    assert mutual_information(left[:0], left[:0]) == 0.0


def test_information_equals_scikit_learns_but_for_the_correction():
    from sklearn.metrics import mutual_info_score

    rng = np.random.default_rng(4)
    left = rng.integers(0, 20, 50_000).astype(np.uint8)
    right = ((left + rng.integers(0, 5, 50_000)) % 20).astype(np.uint8)
    cells = len(np.unique(left.astype(int) * 20 + right))
    corrected = mutual_info_score(left, right) - (cells - 20 - 20 + 1) / (2 * 50_000)
    assert mutual_information(left, right) == pytest.approx(corrected, abs=1e-12)


def test_buckets_follow_ranks_and_keep_absent_values_apart():
    values = np.array([[1.0], [1e9], [-3.0], [np.nan], [5.0], [1.0]], dtype=np.float32)
    (codes,) = bucket(values, n_buckets=8)
    assert codes[3] == 7
    assert codes[2] < codes[0] < codes[4] < codes[1]
    assert codes[0] == codes[5]
    scaled = bucket((values * 2).astype(np.float32), n_buckets=8)
    assert (codes == scaled[0]).all()


def test_threads_do_not_change_what_is_chosen():
    features, grades, names = _data(2000, 3)
    assert select(features, grades, names, n_features=4) == select(features, grades, names, n_features=4, n_threads=3)


def test_stability_is_the_mean_overlap_of_the_folds():
    assert stability([["a", "b"], ["a", "c"], ["a", "b"]]) == pytest.approx((1 / 3 + 1 + 1 / 3) / 3)
    assert stability([["a"]]) is None


def test_the_redundancy_map_names_copies():
    features, _, names = _data()
    rows = redundancy_map(features, names)
    assert {rows[0]["feature"], rows[0]["other"]} == {"signal", "copy"}
    assert rows[0]["shared"] == pytest.approx(1.0, abs=0.05)
    assert {row["shared"] for row in rows if "constant" in (row["feature"], row["other"])} == {0.0}
    assert len(rows) == 6 * 5 / 2
