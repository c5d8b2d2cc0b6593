"""How long it takes to choose 50 of 245 features over a million rows, beside scikit-learn's mutual information.

    python benchmarks/feature_selection.py              # --rows, --features, --chosen, --threads

The rows are generated: 20 hidden signals, each in a dozen features with noise, some absent values, grades 0 to 4 from
three of the signals. scikit-learn's `mutual_info_classif` estimates the information of each feature with the grade
alone (no redundancy) on 1 % of the rows; its seconds are scaled up to all. One JSON line. No Spark.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from sklearn.feature_selection import mutual_info_classif

from rankhammer.rankers.feature_selection import select

N_SIGNALS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=245)
    parser.add_argument("--chosen", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    features, grades = make_rows(options.rows, options.features)
    names = [f"feature {at}" for at in range(options.features)]
    began, cpu = time.perf_counter(), time.process_time()
    chosen = select(features, grades, names, n_features=options.chosen, n_threads=options.threads)
    ours = {"s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    sample = np.random.default_rng(1).choice(options.rows, options.rows // 100, replace=False)
    began, cpu = time.perf_counter(), time.process_time()
    mutual_info_classif(np.nan_to_num(features[sample]), grades[sample].astype(int), random_state=1)
    theirs = {"s": 100 * (time.perf_counter() - began), "cpu_s": 100 * (time.process_time() - cpu)}
    figures = {"rows": options.rows, "features": options.features, "chosen": len(chosen), "threads": options.threads}
    figures |= {"mrmr": _rounded(ours), "one_pass_scaled_up": _rounded(theirs)}
    figures |= {"first": [one.feature for one in chosen[:5]], "cpu_ratio": round(ours["cpu_s"] / theirs["cpu_s"], 3)}
    print(json.dumps(figures))


def make_rows(n_rows: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features, float32, shape (n_rows, n_features), and grades, shape (n_rows,)."""
    rng = np.random.default_rng(0)
    signals = rng.standard_normal((n_rows, N_SIGNALS), dtype=np.float32)
    features = np.empty((n_rows, n_features), np.float32)
    for at in range(n_features):
        features[:, at] = signals[:, at % N_SIGNALS] * (0.3 + at / n_features)
        features[:, at] += rng.standard_normal(n_rows, dtype=np.float32)
    features[::7, 3] = np.nan
    grades = (signals[:, 0] + signals[:, 1] > 0.5).astype(np.float32) + (signals[:, 2] > 1) + (signals[:, 3] > 1.5)
    return features, grades.astype(np.float32)


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in seconds.items()}


if __name__ == "__main__":
    main()
