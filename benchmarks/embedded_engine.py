"""Feature values per second through the features stage: judged pairs and documents in, written feature rows out.

Prints one JSON line. `values_per_s` counts everything that the stage's first node and the write of its table do: the
check for missing documents, the index build, scoring, Parquet. `values_per_s_without_index` leaves the check and the
build out. `cold` is the first run of a fresh session, `warm` the same again: in a pipeline, the stages before this one
have warmed the JVM. `max_abs_difference` compares a sample with BM25 computed from the formula in plain Python. `load`
is the machine's load average: above its cores, the figures are too low.

Usage: python benchmarks/embedded_engine.py [--docs 50000] [--queries 60000] [--docs-per-query 100] [--features 10]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rankhammer import feature_sources, spark
from rankhammer.analyzers.porter import porter_stem
from rankhammer.analyzers.stop_words import STOP_WORDS
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources.embedded.bm25 import Bm25, byte_to_length, length_to_byte
from rankhammer.feature_sources.embedded.source import Embedded
from rankhammer.schemas import JUDGMENTS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIELDS = {"title": 6, "summary": 20, "body": 100}
N_TOPICS, TOPIC_WORDS, VOCABULARY = 500, 60, 40_000
FEATURES = [
    *({"name": f"{field}_bm25", "type": "match", "field": field} for field in FIELDS),
    *({"name": f"{field}_exact_bm25", "type": "match", "field": field, "analyzer": "standard"} for field in FIELDS),
    {"name": "title_phrase", "type": "phrase", "field": "title"},
    {"name": "body_phrase", "type": "phrase", "field": "body"},
    {"name": "query_length", "type": "query_length"},
    {"name": "all_bm25", "type": "expression", "expression": "title_bm25 + summary_bm25 + body_bm25"},
]


def main() -> None:
    """Make the data, run the stage, compare a sample, print the line."""
    options = _options()
    spark.configure(lambda: _settings(options.cores))
    session = spark.session()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory(prefix="rankhammer-bench-") as folder:
        documents = _write_documents(Path(folder, "documents"), options.docs, rng)
        _write_judgments(Path(folder, "judgments"), options, rng)
        session.range(1).mapInArrow(lambda batches: batches, "id long").count()  # workers up, as after other stages
        feature_set = FeatureSet.model_validate({"name": "bench", "features": FEATURES[: options.features]})
        cold = _run(session, folder, feature_set)
        warm = _run(session, folder, feature_set)
        facts = {"docs": options.docs, "fields": len(FIELDS), "features": len(feature_set.names)}
        facts |= {"rows": cold["rows"], "cores": options.cores, "load": round(os.getloadavg()[0], 1)}
        facts["max_abs_difference"] = _compare(session, folder, documents)
        print(json.dumps({"benchmark": "embedded_engine", **facts, "cold": cold, "warm": warm}), flush=True)
    session.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=60_000)
    parser.add_argument("--docs-per-query", type=int, default=100)
    parser.add_argument("--features", type=int, default=len(FEATURES), help="how many of the set; 3: BM25 alone")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def _settings(cores: int) -> dict[str, str]:
    return {
        "spark.master": f"local[{cores}]",
        "spark.driver.memory": "3g",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": str(2 * cores),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


def _words() -> np.ndarray:
    """Return pronounceable made-up words, the frequent ones short."""
    rng = np.random.default_rng(1)
    letters = np.array(["".join(pair) for pair in zip("bcdfglmnprst" * 5, "aeiou" * 12, strict=True)])
    n_syllables = np.sort(rng.integers(2, 5, VOCABULARY))
    parts = letters[rng.integers(0, len(letters), (VOCABULARY, 4))]
    return np.array(["".join(row[:n]) for row, n in zip(parts, n_syllables, strict=True)])


def _zipf(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw word numbers by Zipf's law."""
    ranks = np.exp(rng.random(shape) * math.log(VOCABULARY)).astype(np.int64)
    return np.minimum(ranks, VOCABULARY - 1)


def _topic_words(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(200, VOCABULARY, (N_TOPICS, TOPIC_WORDS))


def _write_documents(path: Path, n_docs: int, rng: np.random.Generator) -> pa.Table:
    """Write documents that take a third of their words from their topic and the others by Zipf's law."""
    words, topics = _words(), _topic_words(np.random.default_rng(2))
    columns: dict[str, list[str]] = {"corpus": ["main"] * n_docs, "doc_id": [f"doc-{n}" for n in range(n_docs)]}
    for field, length in FIELDS.items():
        chosen = _zipf(rng, (n_docs, length))
        own = topics[np.arange(n_docs) % N_TOPICS][np.arange(n_docs)[:, None], _pick(rng, (n_docs, length))]
        mixed = np.where(rng.random((n_docs, length)) < 1 / 3, own, chosen)
        n_kept = rng.integers(length // 2, length + 1, n_docs)
        columns[field] = [" ".join(row[:n]) for row, n in zip(words[mixed], n_kept, strict=True)]
    table = pa.table(columns)
    _write(path, table)
    return table


def _pick(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return np.minimum(rng.geometric(0.08, shape) - 1, TOPIC_WORDS - 1)


def _write_judgments(path: Path, options: argparse.Namespace, rng: np.random.Generator) -> None:
    """Write judged pairs: queries of two to four words of a topic, documents of that topic."""
    words, topics = _words(), _topic_words(np.random.default_rng(2))
    topic = rng.integers(0, N_TOPICS, options.queries)
    drawn = words[topics[topic][np.arange(options.queries)[:, None], _pick(rng, (options.queries, 4))]]
    query = [" ".join(row[:n]) for row, n in zip(drawn, rng.integers(2, 5, options.queries), strict=True)]
    n_rows = options.queries * options.docs_per_query
    number = np.repeat(np.arange(options.queries), options.docs_per_query)
    place = np.tile(np.arange(options.docs_per_query), options.queries)
    doc = (topic[number] + place * N_TOPICS) % options.docs
    columns = {
        "corpus": pa.array(["main"]).take(pa.array(np.zeros(n_rows, dtype=np.int64))),
        "query": pa.array(query).take(pa.array(number)),
        "query_cluster_id": pa.array([f"{n:016x}" for n in range(options.queries)]).take(pa.array(number)),
        "doc_id": pa.array([f"doc-{n}" for n in range(options.docs)]).take(pa.array(doc)),
    }
    for name, kind in list(JUDGMENTS.columns.items())[4:]:
        drawn = rng.integers(0, 50, n_rows)
        columns[name] = pa.array(drawn / 49.0 if kind == "double" else drawn.astype("i4" if kind == "int" else "i8"))
    _write(path, pa.table(columns))


def _write(path: Path, table: pa.Table) -> None:
    """Write four files, as a stage before this one would have."""
    path.mkdir()
    step = -(-len(table) // 4)
    for part in range(4):
        pq.write_table(table.slice(part * step, step), path / f"part-{part}.parquet")


def _run(session: SparkSession, folder: str, feature_set: FeatureSet) -> dict[str, object]:
    started = time.perf_counter()
    collected = feature_sources.collect_features(
        Embedded(Bm25()),
        session.read.parquet(f"{folder}/judgments"),
        documents=session.read.parquet(f"{folder}/documents"),
        feature_set=feature_set,
        max_bad_share=0.1,
    )
    built = time.perf_counter()
    collected.rows.write.mode("overwrite").parquet(f"{folder}/feature_rows")
    ended = time.perf_counter()
    n_rows = session.read.parquet(f"{folder}/feature_rows").count()
    n_values = n_rows * len(feature_set.names)
    return {
        "values_per_s": round(n_values / (ended - started)),
        "values_per_s_without_index": round(n_values / (ended - built)),
        "check_and_index_s": round(built - started, 2),
        "score_and_write_s": round(ended - built, 2),
        "rows": n_rows,
    }


def _compare(session: SparkSession, folder: str, documents: pa.Table, n_rows: int = 2000) -> float:
    """Return the largest difference of a sample from BM25 in plain Python."""
    table = session.read.parquet(f"{folder}/feature_rows").select("query", "doc_id", "features.*")
    sample = table.orderBy("query", "doc_id").limit(n_rows).collect()
    worst = 0.0
    for field in FIELDS:
        texts = dict(zip(documents["doc_id"].to_pylist(), documents[field].to_pylist(), strict=True))
        reference = PlainBm25({doc_id: _terms(text) for doc_id, text in texts.items()})
        for row in sample:
            expected = reference.score(_terms(row["query"]), row["doc_id"])
            worst = max(worst, abs(row[f"{field}_bm25"] - expected))
    return worst


def _terms(text: str) -> list[str]:
    return [porter_stem(word) for word in text.split() if word not in STOP_WORDS["english"]]


class PlainBm25:
    """The formula, one document and one term at a time."""

    def __init__(self, docs: dict[str, list[str]]) -> None:
        self._docs = {doc_id: Counter(terms) for doc_id, terms in docs.items()}
        self._df = Counter(term for counts in self._docs.values() for term in counts)
        self._n = sum(1 for counts in self._docs.values() if counts)
        self._average = sum(counts.total() for counts in self._docs.values()) / self._n

    def score(self, query: list[str], doc_id: str) -> float:
        counts = self._docs[doc_id]
        length = int(byte_to_length(length_to_byte(np.array([counts.total()])))[0])
        norm = 1.2 * (1 - 0.75 + 0.75 * length / self._average)
        return sum(
            math.log(1 + (self._n - self._df[term] + 0.5) / (self._df[term] + 0.5))
            * counts[term]
            / (counts[term] + norm)
            for term in query
            if counts[term]
        )


if __name__ == "__main__":
    main()
