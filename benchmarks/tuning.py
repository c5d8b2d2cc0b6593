"""The product's search beside libraries that are tuned one trial after the other, with the same budget, in one run.

    python benchmarks/tuning.py --data DIR              # LightGBM's lambdarank example: rank.train, rank.test, .query
    python benchmarks/tuning.py --rows 200000           # generated rows: --features, --queries follow from the rows
    python benchmarks/tuning.py --data DIR --peers xgboost lightgbm catboost --trials 40

The product searches on Spark (`local[threads]`, the JVM is started before the clock) with the space, early stopping and
folds of conf/base; a peer is `hyperopt.fmin` over its library's own `cv`, whole queries a fold, with the same number of
trials, folds, rounds and threads and the space of conf/base for that library. Then each trains once on all rows with
what it found. One JSON line: seconds of each search, NDCG@10 in cross-validation and on the test rows, with our own
metric (queries without a relevant document are skipped), the interval of each paired difference on test queries, and
`ratio`, the product's seconds over those of xgboost.cv with fmin.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hyperopt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from rankhammer import plugins, schemas, spark
from rankhammer.evaluation.bootstrap import Bootstrap, resampled_means
from rankhammer.evaluation.metrics import ndcg
from rankhammer.plugins import PluginSpec
from rankhammer.training import final
from rankhammer.training.choice import Candidate, RankerChoice
from rankhammer.training.search import Strategy
from rankhammer.training.search_space import parse_space
from rankhammer.training.staging import stage_matrix
from rankhammer.training.tune import Budget, tune_corpora

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[1]
SPACES = yaml.safe_load((REPOSITORY / "conf/base/parameters/training.yml").read_text())["training"]["search_space"]
K, SEED, N_FOLDS, CORPUS, ROWS_A_QUERY = 10, 42, 5, "main", 20


@dataclass(frozen=True)
class Rows:
    """Whole queries: features (n, n_features) float32, grades (n,), query numbers (n,) ascending from 0."""

    features: np.ndarray
    grades: np.ndarray
    qid: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        return np.bincount(self.qid)


@dataclass(frozen=True)
class Found:
    """What a search gave: seconds, NDCG in its cross-validation, and the test rows' scores."""

    seconds: float
    validated: float
    scores: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--stop", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ranker", default="xgboost", help="the product's")
    parser.add_argument("--peers", nargs="*", default=["xgboost"], choices=sorted(PEERS))
    given = parser.parse_args()
    train, test = read_example(given.data) if given.data else generated(given.rows, given.features)
    found = {"rankhammer": own_search(train, test, given)}
    print(f"rankhammer: {found['rankhammer'].seconds:.1f} s", file=sys.stderr)
    for name in given.peers:
        found[name] = PEERS[name](train, test, given)
        print(f"{name}: {found[name].seconds:.1f} s", file=sys.stderr)
    print(json.dumps(facts(found, test, given)))


def read_example(folder: Path) -> tuple[Rows, Rows]:
    """Read LightGBM's example."""
    from lambdarank import read_split

    return tuple(
        Rows(one.features, one.grades, one.qid - 1) for one in (read_split(folder, n) for n in ("train", "test"))
    )


def generated(n_rows: int, n_features: int) -> tuple[Rows, Rows]:
    """Make grades 0 to 4 that follow some features, most of them not."""
    rng = np.random.default_rng(SEED)
    features = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    weights = rng.normal(size=n_features) * (np.arange(n_features) < 10)
    signal = features @ weights + np.abs(features[:, 0] * features[:, 1]) + rng.normal(size=n_rows) * 4
    grades = np.digitize(signal, np.quantile(signal, [0.6, 0.8, 0.92, 0.98])).astype(np.int32)
    qid = np.arange(n_rows) // ROWS_A_QUERY
    cut = int(qid[-1] * 0.8)
    return tuple(Rows(features[at], grades[at], qid[at] - qid[at][0]) for at in (qid < cut, qid >= cut))


def own_search(train: Rows, test: Rows, given: argparse.Namespace) -> Found:
    """Search as the training stage does, and score the test rows with the ranker that it makes."""
    ranker = PluginSpec(name=given.ranker)
    options = plugins.create("rankers", ranker).default_params()
    space = parse_space(SPACES[given.ranker], known=options)
    choice = RankerChoice((Candidate(ranker, space),))
    strategy = Strategy(n_startup_trials=max(4, given.trials // 4))
    budget = Budget(given.trials, given.batch, strategy, given.rounds, given.stop, K, rolling_from_rows=100_000)
    settings = {"spark.master": f"local[{given.threads}]", "spark.driver.memory": "2g", "spark.ui.enabled": "false"}
    spark.configure(lambda: settings)
    session = spark.session()
    session.range(1000).repartition(given.threads).mapInArrow(lambda batches: batches, "id long").count()
    with tempfile.TemporaryDirectory() as folder:
        write_matrix(Path(folder), train)
        matrix = session.read.parquet(folder).select(*schemas.TRAINING_MATRIX.columns)
        began = time.perf_counter()
        corpora = stage_matrix(matrix)
        trials, failures = tune_corpora(session.sparkContext, corpora, choice=choice, budget=budget, random_state=SEED)
        seconds = time.perf_counter() - began
        best = {trial.corpus: trial for trial in trials if trial.standing and trial.standing.chosen}
        fits = final.Trainer(choice, budget, 0, SEED).fit(session.sparkContext, corpora, best)
    if failures or fits.failures:
        raise SystemExit(str(failures or fits.failures))
    made = plugins.create("rankers", ranker)
    scores = made.score(fits.rankers[CORPUS].fitted.model, test.features)
    return Found(seconds, -best[CORPUS].loss, scores)


def write_matrix(folder: Path, rows: Rows) -> None:
    """Write `schemas.TRAINING_MATRIX` as the stage does: one file, sorted; whole queries a fold."""
    n, kinds = len(rows.qid), {"string": pa.string(), "int": pa.int32(), "double": pa.float64()}
    text = pa.array([f"q{number:07}" for number in range(rows.qid[-1] + 1)])
    place = np.arange(n) - np.searchsorted(rows.qid, rows.qid)
    values = {
        "qid": rows.qid,
        "query": text.take(pa.array(rows.qid)),
        "query_cluster_id": text.take(pa.array(rows.qid)),
        "doc_id": [f"d{number:06}" for number in place],
        "split": ["train"] * n,
        "fold": folds_of(rows)[rows.qid],
        "grade": rows.grades,
        "weight": np.ones(n),
        "reference_grade": [None] * n,
        "mean_position": 1.0 + place,
    }
    columns = {
        name: pa.array(values[name], kinds[kind]) if not isinstance(values[name], pa.Array) else values[name]
        for name, kind in schemas.TRAINING_MATRIX.columns.items()
        if name in values
    }
    names = [f"f{number}" for number in range(rows.features.shape[1])]
    columns["features"] = pa.StructArray.from_arrays([pa.array(one) for one in rows.features.T], names)
    (folder / f"corpus={CORPUS}").mkdir()
    pq.write_table(pa.table(columns), folder / f"corpus={CORPUS}" / "part-0.parquet")


def folds_of(rows: Rows) -> np.ndarray:
    """Return the fold of each query."""
    return np.random.default_rng(SEED).permutation(rows.qid[-1] + 1) % N_FOLDS


def minimise(loss: Callable[[dict[str, Any]], tuple[float, int]], name: str, given: argparse.Namespace) -> Any:
    """Run hyperopt as its documentation does; return (parameters, rounds, loss, seconds)."""
    space = parse_space(SPACES[name], known=SPACES[name])
    seen: list[tuple[float, dict[str, Any], int]] = []

    def objective(point: dict[str, Any]) -> float:
        params = space.to_python(point)
        value, rounds = loss(params)
        seen.append((value, params, rounds))
        return value

    began = time.perf_counter()
    hyperopt.fmin(
        objective, space.expressions(), algo=hyperopt.tpe.suggest, max_evals=given.trials,
        rstate=np.random.default_rng(SEED), show_progressbar=False, verbose=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    value, params, rounds = min(seen, key=lambda one: one[0])
    return params, rounds, value, seconds


def tune_xgboost(train: Rows, test: Rows, given: argparse.Namespace) -> Found:
    import xgboost

    fixed = {"objective": "rank:ndcg", "eval_metric": f"ndcg@{K}-", "nthread": given.threads, "seed": SEED}
    data = xgboost.DMatrix(train.features, train.grades, qid=train.qid, nthread=given.threads)

    def loss(params: dict[str, Any]) -> tuple[float, int]:
        table = xgboost.cv(
            {**fixed, **params}, data, given.rounds, nfold=N_FOLDS, early_stopping_rounds=given.stop,
            maximize=True, seed=SEED,
        )  # fmt: skip
        column = table[f"test-ndcg@{K}--mean"]
        return -float(column.max()), int(column.argmax()) + 1

    params, rounds, value, seconds = minimise(loss, "xgboost", given)
    model = xgboost.train({**fixed, **params}, data, rounds)
    return Found(seconds, -value, model.inplace_predict(test.features))


def tune_lightgbm(train: Rows, test: Rows, given: argparse.Namespace) -> Found:
    import lightgbm

    fixed = {
        "objective": "lambdarank", "metric": "ndcg", "eval_at": [K], "verbosity": -1, "num_threads": given.threads,
        "seed": SEED, "bagging_freq": 1, "feature_pre_filter": False, "deterministic": True,
    }  # fmt: skip

    def data() -> Any:
        return lightgbm.Dataset(train.features, train.grades, group=train.sizes, free_raw_data=False)

    def loss(params: dict[str, Any]) -> tuple[float, int]:
        found = lightgbm.cv(
            {**fixed, **params}, data(), given.rounds, nfold=N_FOLDS, stratified=False, seed=SEED,
            callbacks=[lightgbm.early_stopping(given.stop, verbose=False)],
        )  # fmt: skip
        values = found[f"valid ndcg@{K}-mean"]
        return -max(values), int(np.argmax(values)) + 1

    params, rounds, value, seconds = minimise(loss, "lightgbm", given)
    return Found(seconds, -value, lightgbm.train({**fixed, **params}, data(), rounds).predict(test.features))


def tune_catboost(train: Rows, test: Rows, given: argparse.Namespace) -> Found:
    import catboost

    metric = f"NDCG:top={K};type=Exp"
    fixed = {
        "loss_function": "YetiRank", "eval_metric": metric, "thread_count": given.threads, "random_seed": SEED,
        "allow_writing_files": False, "logging_level": "Silent",
    }  # fmt: skip
    folds = folds_of(train)

    def pool(marked: np.ndarray) -> Any:
        return catboost.Pool(train.features[marked], train.grades[marked], group_id=train.qid[marked])

    parts = [(pool(folds[train.qid] != fold), pool(folds[train.qid] == fold)) for fold in range(N_FOLDS)]

    def loss(params: dict[str, Any]) -> tuple[float, int]:
        values, rounds = [], []
        for of_train, of_valid in parts:
            model = catboost.CatBoost({**fixed, **params, "iterations": given.rounds})
            model.fit(of_train, eval_set=of_valid, early_stopping_rounds=given.stop)
            values.append(max(model.get_evals_result()["validation"][metric]))
            rounds.append(model.get_best_iteration() + 1)
        return -float(np.mean(values)), round(float(np.mean(rounds)))

    params, rounds, value, seconds = minimise(loss, "catboost", given)
    model = catboost.CatBoost({**fixed, **params, "iterations": rounds}).fit(pool(np.ones(len(train.qid), bool)))
    return Found(seconds, -value, model.predict(test.features))


PEERS = {"xgboost": tune_xgboost, "lightgbm": tune_lightgbm, "catboost": tune_catboost}


def facts(found: dict[str, Found], test: Rows, given: argparse.Namespace) -> dict[str, Any]:
    """Say what each reached, and how far the product is from each peer on the same test queries."""
    values = {
        name: ndcg(np.asarray(one.scores, float), test.grades.astype(float), test.qid, K) for name, one in found.items()
    }
    kept = ~np.isnan(values["rankhammer"])
    result: dict[str, Any] = {
        "benchmark": "tuning",
        "data": str(given.data or f"{given.rows} x {given.features} generated"),
        "trials": given.trials,
        "folds": N_FOLDS,
        "threads": given.threads,
        "ranker": given.ranker,
    }
    for name, one in found.items():
        result[name] = {
            "seconds": round(one.seconds, 1),
            "ndcg@10 validated, own rule": round(one.validated, 4),
            "ndcg@10": round(float(values[name][kept].mean()), 4),
        }
    for name in [name for name in found if name != "rankhammer"]:
        difference = (values["rankhammer"] - values[name])[kept]
        means = resampled_means(difference[:, None], np.arange(len(difference)), Bootstrap(2000, 0.95, SEED))
        lower, upper = np.quantile(means, [0.025, 0.975])
        result[f"rankhammer - {name}"] = [round(float(one), 4) for one in (difference.mean(), lower, upper)]
    if "xgboost" in found:
        result["ratio"] = round(found["rankhammer"].seconds / found["xgboost"].seconds, 3)
    return result


if __name__ == "__main__":
    main()
