"""NDCG@10 of the neural ranker beside XGBoost and the linear one, as one JSON line a data set.

    python benchmarks/neural.py --lambdarank DIR    # LightGBM's example: rank.train, rank.test, their .query files
    python benchmarks/neural.py --matrix FILE...    # a corpus of data/05_model_input/training_matrix, each
    python benchmarks/neural.py --speed             # one process and two, and memory while rows are streamed

All rankers have the same folds, the same trials of the same search, and the same largest number of rounds; each is
trained once more with its best trial, and measured on the test queries. --outer 5 holds out a fifth of the queries in
each of five runs instead (for few queries). Intervals are of 2,000 resamples of the query clusters.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from rankhammer import plugins
from rankhammer.evaluation.bootstrap import Bootstrap, resampled_means
from rankhammer.evaluation.metrics import ndcg
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.neural import NeuralOptions, NeuralRanker, new_network
from rankhammer.rankers.neural_batches import QueryStream
from rankhammer.rankers.query_batches import BatchWriter
from rankhammer.training.held_out_rows import read_clusters
from rankhammer.training.matrix import CorpusArrays, read_corpus
from rankhammer.training.search import HyperparameterSearch, Strategy
from rankhammer.training.search_space import parse_space

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parents[1]
RANKERS = ("xgboost", "linear", "neural")
N_TRIALS, N_FOLDS, K, SEED = 8, 5, 10, 42
SETTINGS = FitSettings(n_rounds=150, early_stopping_rounds=15, metric_k=K, n_threads=1, random_state=SEED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lambdarank", type=Path)
    parser.add_argument("--matrix", type=Path, nargs="*", default=[])
    parser.add_argument("--outer", type=int, default=0)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--stream", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.lambdarank:
        print(
            json.dumps({"data": "lambdarank", **compare(lambdarank(given.lambdarank), None, given.outer)}), flush=True
        )
    for file in given.matrix:
        found = compare(read_corpus([str(file)]), read_clusters([str(file)]), given.outer)
        print(json.dumps({"data": file.parent.name, **found}), flush=True)
    if given.stream:
        print(json.dumps(stream(given.stream)))
    if given.speed:
        for n_rows in (1_000_000, 10_000_000):
            subprocess.run([sys.executable, __file__, f"--stream={n_rows}"], check=True)


def lambdarank(folder: Path) -> CorpusArrays:
    """Read LightGBM's example as a training matrix whose folds go by the number of the query."""
    sys.path.insert(0, str(Path(__file__).parent))
    from lambdarank import read_split

    train, test = read_split(folder, "train"), read_split(folder, "test")
    qid = np.concatenate([train.qid, test.qid + train.qid.max()]).astype(np.int32)
    grades = np.concatenate([train.grades, test.grades]).astype(np.float32)
    features = np.concatenate([train.features, test.features])
    n_rows, names = len(qid), tuple(f"feature_{number}" for number in range(1, features.shape[1] + 1))
    in_train = np.arange(n_rows) < len(train.qid)
    none = np.full(n_rows, np.nan, np.float32)
    truths: Any = {"clicks": grades, "reference": none}
    folds = (qid % N_FOLDS).astype(np.int32)
    return CorpusArrays(features, names, qid, folds, in_train, truths, np.ones(n_rows), none.astype(np.float64))


def compare(corpus: CorpusArrays, clusters: np.ndarray | None, n_outer: int) -> dict[str, Any]:
    """Measure each ranker on the queries that it never saw."""
    clusters = np.arange(corpus.qid.max() + 1) if clusters is None else clusters
    truth = "reference" if not np.isnan(corpus.grades["reference"]).all() else "clicks"
    splits = [corpus]
    if n_outer:
        part = clusters[corpus.qid] % n_outer
        splits = [replace(corpus, in_train=part != number) for number in range(n_outer)]
    values, seconds = {name: [] for name in RANKERS}, dict.fromkeys(RANKERS, 0.0)
    whose, chosen = [], {}
    for split in splits:
        test = split.ranking_data(~split.in_train & ~np.isnan(split.grades[truth]), truth)
        whose.append(clusters[test.qid[np.flatnonzero(np.diff(test.qid, prepend=-1))]])
        for name in RANKERS:
            began = time.perf_counter()
            ranker, model, params = tuned(name, split, clusters)
            seconds[name] += time.perf_counter() - began
            values[name].append(ndcg(ranker.score(model, test.features), test.label, test.qid, K))
            chosen[name] = params
    found = {name: np.concatenate(parts) for name, parts in values.items()}
    return {
        "truth": truth,
        "n_train_queries": len(np.unique(corpus.qid[corpus.trainable("clicks")])),
        "n_test_queries": int(np.isfinite(found["neural"]).sum()),
        **intervals(found, np.concatenate(whose)),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "chosen": chosen,
    }


def tuned(name: str, corpus: CorpusArrays, clusters: np.ndarray) -> tuple[Any, bytes, dict[str, Any]]:
    """Search as the training stage does, and train with the best trial on all folds."""
    ranker: Any = plugins.create("rankers", PluginSpec(name=name))
    written = yaml.safe_load((REPOSITORY / "conf/base/parameters/training.yml").read_text())["training"]["search_space"]
    space = parse_space(written[name], known=ranker.default_params())
    # Clusters stay together; the matrix' own folds hold for its own split alone.
    corpus = replace(corpus, fold=(clusters[corpus.qid] // 7 % N_FOLDS).astype(np.int32))
    prepared = []
    for fold in range(N_FOLDS):
        train, valid = (corpus.rows_of(fold, "clicks", is_validation=is_valid) for is_valid in (False, True))
        rows = ranker.prepare(train)
        prepared.append((rows, ranker.prepare(valid, reference=rows), valid))
    search = HyperparameterSearch(
        "main", space, defaults=ranker.default_params(), strategy=Strategy(4), random_state=SEED, n_trials=N_TRIALS
    )
    while trials := search.suggest(1):
        search.record(tried(ranker, trials[0], prepared))
    best = search.best
    n_rounds = best.n_rounds if best and best.n_rounds else 1
    params = dict(best.params) if best else {}
    last = replace(SETTINGS, n_rounds=n_rounds, early_stopping_rounds=None)
    whole = ranker.prepare(corpus.rows_of(None, "clicks", is_validation=False))
    model = ranker.fit(whole, None, params=params, settings=last).model
    return ranker, model, {**params, "n_rounds": n_rounds}


def tried(ranker: Any, trial: Any, prepared: Sequence[tuple[Any, Any, RankingData]]) -> Any:
    values, rounds = [], []
    for train, valid, rows in prepared:
        fitted = ranker.fit(train, valid, params=trial.params, settings=SETTINGS)
        values.append(ndcg(ranker.score(fitted.model, rows.features), rows.label, rows.qid, K))
        rounds.append(fitted.n_rounds)
    return replace(trial, loss=-float(np.nanmean(np.concatenate(values))), n_rounds=round(sum(rounds) / len(rounds)))


def intervals(values: dict[str, np.ndarray], clusters: np.ndarray) -> dict[str, Any]:
    """Return mean and 95 % interval of each ranker, and of the neural one minus each other."""
    known = np.isfinite(values["neural"])
    order = np.argsort(clusters[known], kind="stable")
    columns = {name: found[known][order] for name, found in values.items()}
    columns |= {f"neural - {name}": columns["neural"] - columns[name] for name in RANKERS if name != "neural"}
    table, whose = np.column_stack([*columns.values()]), clusters[known][order]
    drawn = resampled_means(table, whose, Bootstrap(2000, 0.95, SEED))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return {
        name: [round(float(one), 4) for one in (table[:, place].mean(), low[place], high[place])]
        for place, name in enumerate(columns)
    }


def stream(n_rows: int, n_features: int = 20, per_query: int = 25) -> dict[str, Any]:
    """Train one round on rows that lie on disk; say what memory took, and which share of the time were steps."""
    rng = np.random.default_rng(SEED)
    names = tuple(f"feature_{number}" for number in range(1, n_features + 1))
    with tempfile.TemporaryDirectory() as folder:
        writer = BatchWriter(Path(folder))
        for first in range(0, n_rows, 100_000):
            features = rng.random((100_000, n_features), np.float32)
            label = np.digitize(features[:, 0], [0.5, 0.8]).astype(np.float32)
            qid = ((first + np.arange(100_000)) // per_query).astype(np.int32)
            writer.add(RankingData(features, label, qid, np.ones(100_000), names))
        options = NeuralOptions(batch_rows=4096)
        rows = NeuralRanker(options).prepare_batches(writer.finish())
        network = new_network(options, n_features, SEED)
        batches = QueryStream(rows.batches, rows.scaling, options.batch_rows)
        before, stepping, began = _peak_mb(), 0.0, time.perf_counter()
        for batch in batches.round(SEED, 1):
            at = time.perf_counter()
            network.learn(batch).block_until_ready()
            stepping += time.perf_counter() - at
        seconds = time.perf_counter() - began
    return {
        "rows": n_rows,
        "seconds_a_round": round(seconds, 1),
        "share_of_steps": round(stepping / seconds, 3),
        "peak_mb": _peak_mb(),
        "peak_mb_before_the_round": before,
    }


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
