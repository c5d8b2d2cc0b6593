"""NDCG on LightGBM's lambdarank example (graded features), beside LightGBM's and XGBoost's defaults, as one JSON line.

    python benchmarks/lambdarank.py --data <folder with rank.train, rank.test and their .query files>

The two files become one table of feature rows. `kedro run --pipelines=folding,training,export --env=lambdarank` trains
on it; the queries of rank.test are its test split by name. What such files do not have is filled with what is true of
them: nothing was shown or clicked, so impressions, examinations and clicks are 0 and the position is null; a grade is
a person's, so its relevance is grade / 4 with no spread and no prior. A feature that a line leaves out is 0.0.
Needs LightGBM: `pip install lightgbm`, or the environment that `make test` sets up.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rankhammer import schemas
from rankhammer.evaluation.metrics import mean_by_rule

REPOSITORY = Path(__file__).resolve().parents[1]
RUN = ("kedro", "run", "--pipelines=folding,training,export", "--env=lambdarank")
WORK = Path("data/lambdarank")
CORPUS = "main"
N_FEATURES = 300
MAX_GRADE = 4
CUTOFFS = (1, 3, 5, 10)
N_ROUNDS = 100
RULES = {
    "skip_empty": "gain 2^grade - 1, discount log2(1 + rank); queries without a relevant document are skipped",
    "empty_is_one": "the same, but such queries count as 1, as in XGBoost's and LightGBM's own figures",
}
ARROW_TYPES = {"string": pa.string(), "double": pa.float64(), "int": pa.int32(), "bigint": pa.int64()}


class Split(NamedTuple):
    """Graded rows: features (n_rows, n_features) float32, grades (n_rows,), 1-based query numbers (n_rows,)."""

    features: np.ndarray
    grades: np.ndarray
    qid: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared/data/lightgbm_lambdarank")
    data = parser.parse_args().data
    train, test = read_split(data, "train"), read_split(data, "test")
    table = pa.concat_tables([to_feature_rows(train, "train"), to_feature_rows(test, "test")])
    path = REPOSITORY / WORK / "04_feature" / "feature_rows.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", *RUN], cwd=REPOSITORY, stdout=sys.stderr, check=True)
    seconds = time.perf_counter() - began
    scores = {
        "rankhammer": own_scores(test),
        "lightgbm": lightgbm_scores(train, test),
        "xgboost": xgboost_scores(train, test),
    }
    print(json.dumps({"benchmark": "lambdarank", "seconds": round(seconds, 1), "rules": RULES} | measure(scores, test)))


def read_split(folder: Path, name: str) -> Split:
    """Read one libsvm file and the row counts of its queries."""
    lines = [line.split() for line in (folder / f"rank.{name}").read_text().splitlines()]
    features = np.zeros((len(lines), N_FEATURES), np.float32)
    for row, (_, *pairs) in enumerate(lines):
        places, values = zip(*(pair.split(":") for pair in pairs), strict=True)
        features[row, np.array(places, int) - 1] = np.array(values, np.float32)
    grades = np.array([line[0] for line in lines], np.int32)
    sizes = np.loadtxt(folder / f"rank.{name}.query", dtype=int)
    qid = np.repeat(np.arange(1, len(sizes) + 1), sizes)
    return Split(features, grades, qid)


def to_feature_rows(split: Split, name: str) -> pa.Table:
    """Lay a split out as the `feature_rows` hand-off: query and cluster "<name> 0001", documents by their line."""
    n_rows = len(split.qid)
    query = [f"{name} {number:04}" for number in split.qid]
    relevance = split.grades / MAX_GRADE
    columns: dict[str, Any] = {
        "corpus": [CORPUS] * n_rows,
        "query": query,
        "query_cluster_id": query,
        "doc_id": [f"{name}:{line:05}" for line in range(1, n_rows + 1)],
        "relevance": relevance,
        "grade": split.grades,
        "weight": np.ones(n_rows),
        "mean_position": [None] * n_rows,
        "relevance_lower": relevance,
    }
    arrays = {
        column: pa.array(columns.get(column, np.zeros(n_rows, np.int64)), ARROW_TYPES[kind])
        for column, kind in schemas.JUDGMENTS.columns.items()
    }
    names = [f"feature_{number}" for number in range(1, N_FEATURES + 1)]
    arrays["features"] = pa.StructArray.from_arrays([pa.array(values) for values in split.features.T], names)
    return pa.table(arrays)


def own_scores(test: Split) -> np.ndarray:
    """Score with the ranker that the run trained."""
    import xgboost

    model = REPOSITORY / WORK / "06_models" / "ranker" / CORPUS / "model.ubj"
    return xgboost.Booster(model_file=str(model)).inplace_predict(test.features)


def lightgbm_scores(train: Split, test: Split) -> np.ndarray:
    """Train with LightGBM's defaults: objective lambdarank, 100 rounds."""
    data = lightgbm.Dataset(train.features, train.grades, group=np.bincount(train.qid)[1:])
    model = lightgbm.train({"objective": "lambdarank", "verbosity": -1}, data, num_boost_round=N_ROUNDS)
    return model.predict(test.features)


def xgboost_scores(train: Split, test: Split) -> np.ndarray:
    """Train with XGBoost's defaults: objective rank:ndcg, 100 rounds."""
    import xgboost

    data = xgboost.DMatrix(train.features, train.grades, qid=train.qid)
    return xgboost.train({"objective": "rank:ndcg"}, data, N_ROUNDS).inplace_predict(test.features)


def measure(scores: dict[str, np.ndarray], test: Split) -> dict[str, Any]:
    return {name: _rounded(mean_by_rule(found, test.grades, test.qid, CUTOFFS)) for name, found in scores.items()}


def _rounded(rules: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {rule: {metric: round(value, 4) for metric, value in found.items()} for rule, found in rules.items()}


if __name__ == "__main__":
    main()
