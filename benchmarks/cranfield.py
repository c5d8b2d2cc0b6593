"""Run all six stages on the Cranfield collection, and measure the rankers by its human judgments.

    python benchmarks/cranfield.py prepare --data DIR    # writes data/01_raw/cranfield
    python benchmarks/cranfield.py run                   # all stages, then five test splits; prints one JSON line

`ranker / oracle` is how much of the NDCG of a ranker that learned from people one reaches that learned from clicks.

DIR holds cran_docs.json, cran_queries.json and cran_qrels.json. Texts, queries and judgments are real; clicks are
simulated from the judgments by a known DBN over result pages in a noisy BM25 order.

225 queries are too few for one test split: the queries are cut into five parts, and each part is held out in one of
five runs. So every query is ranked once by a ranker that never saw it, and the figures are over all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner

from rankhammer.demo.queries import popularity
from rankhammer.demo.simulate import Pool, Users, impressions, people, search_pages
from rankhammer.demo.truth import TextIndex
from rankhammer.evaluation.bootstrap import Bootstrap, compare_systems, resampled_means
from rankhammer.pipeline_registry import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CORPUS = "cranfield"
N_SERPS, N_SHOWN, N_CANDIDATES, LIST_NOISE = 30_000, 20, 60, 1.0
USERS = Users(
    attractiveness=(0.03, 0.12, 0.30, 0.50, 0.70), satisfaction=(0.02, 0.10, 0.25, 0.45, 0.65), continuation=0.95
)
N_SPLITS = 5
N_RELATED = 10
METRIC = "ndcg@10"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    preparing = commands.add_parser("prepare", help="write the input")
    preparing.add_argument("--data", type=Path, required=True, help="folder with the three JSON files")
    preparing.add_argument("--out", type=Path, default=Path("data/01_raw/cranfield"))
    preparing.add_argument("--random-state", type=int, default=42)
    preparing.set_defaults(command=lambda given: prepare(given.data, given.out, random_state=given.random_state))
    running = commands.add_parser("run", help="run all stages and print the figures")
    running.add_argument("--project", type=Path, default=Path.cwd())
    running.add_argument("--env", default=CORPUS, help="cranfield_opensearch: features from a real engine")
    running.add_argument("--splits", type=int, default=N_SPLITS, help="runs, each holding out one part")
    running.set_defaults(command=lambda given: print(json.dumps(run(given.project, given.splits, given.env))))
    given = parser.parse_args()
    given.command(given)


def prepare(data: Path, out: Path, *, random_state: int = 42, n_serps: int = N_SERPS) -> None:
    """Write documents, the simulated click log and the human judgments as Parquet folders."""
    documents, queries = read_documents(data), read_queries(data)
    grades = read_grades(data, documents["doc_id"].to_pylist(), len(queries))
    rng = np.random.default_rng(random_state)
    pool = make_pool(documents, queries, grades)
    query = rng.choice(len(queries), size=n_serps, p=popularity(len(queries), exponent=0.3))
    pages = search_pages(pool, query, users=USERS, n_shown=N_SHOWN, noise=LIST_NOISE, rng=rng)
    typed = [queries[number] for number in query]
    log = impressions(CORPUS, documents["doc_id"].to_pylist(), [(pages, people(n_serps, rng), typed)])
    tables = {
        "documents": documents,
        "click_log": log,
        "reference_judgments": judgments(documents["doc_id"].to_pylist(), queries, grades),
    }
    for name, table in tables.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        pq.write_table(table, out / name / "part-0.parquet")
        print(f"{out / name}: {table.num_rows} rows", file=sys.stderr)


def read_documents(data: Path) -> pa.Table:
    """Read the abstracts (two of the 1,400 are empty), and set beside each the titles of those most like it."""
    found = json.loads((data / "cran_docs.json").read_text())
    texts = {name: [row[name] for row in found] for name in ("title", "body", "author", "bibliography")}
    texts["related"] = related_titles(texts["body"], texts["title"])
    columns = {"corpus": [CORPUS] * len(found), "doc_id": [str(row["id"]) for row in found], **texts}
    return pa.table({**columns, "body_length": [float(len(text.split())) for text in texts["body"]]})


def related_titles(bodies: Sequence[str], titles: Sequence[str]) -> list[str]:
    """Join the titles of the most similar documents, by cosine of tf-idf; neither queries nor judgments are used.

    References:
        Singhal and Pereira, Document Expansion for Speech Retrieval, SIGIR 1999.
    """
    counts = TextIndex.build(bodies).counts.toarray()
    weights = np.log1p(counts) * np.log(len(bodies) / (counts > 0).sum(axis=0))
    weights /= np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
    similarity = weights @ weights.T
    np.fill_diagonal(similarity, -1.0)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :N_RELATED]
    return [" ".join(titles[row] for row in rows) for rows in nearest]


def read_queries(data: Path) -> list[str]:
    """Read the queries in the order that the judgments number them, from 1."""
    rows = json.loads((data / "cran_queries.json").read_text())
    return [row["query"] for row in sorted(rows, key=lambda row: row["query number"])]


def read_grades(data: Path, doc_ids: Sequence[str], n_queries: int) -> np.ndarray:
    """Read the judgments as grades, 4 for a complete answer to 1 for the least interest, 0 for none.

    Returns:
        int, shape (n_queries, n_documents). The file's own scale runs the other way: 1 is best, 5 and -1 are none.
    """
    row_of = {doc_id: row for row, doc_id in enumerate(doc_ids)}
    grades = np.zeros((n_queries, len(doc_ids)), dtype=np.int64)
    for judged in json.loads((data / "cran_qrels.json").read_text()):
        if judged["id"] in row_of and 1 <= judged["position"] <= 4:
            grades[int(judged["query_num"]) - 1, row_of[judged["id"]]] = 5 - judged["position"]
    return grades


def make_pool(
    documents: pa.Table, queries: Sequence[str], grades: np.ndarray, *, n_candidates: int = N_CANDIDATES
) -> Pool:
    """Let the site's search find candidates by BM25 of the whole abstract."""
    scores = TextIndex.build(documents["body"].to_pylist()).bm25(queries)
    candidates = np.argsort(-scores, axis=1, kind="stable")[:, :n_candidates]
    return Pool(
        candidates, np.take_along_axis(scores, candidates, axis=1), np.take_along_axis(grades, candidates, axis=1)
    )


def judgments(doc_ids: Sequence[str], queries: Sequence[str], grades: np.ndarray) -> pa.Table:
    """Write the documents that people found of some interest; all others count as 0."""
    query, row = np.nonzero(grades)
    columns = {
        "corpus": [CORPUS] * len(query),
        "query": [queries[number] for number in query],
        "doc_id": [doc_ids[number] for number in row],
    }
    return pa.table({**columns, "grade": pa.array(grades[query, row], pa.int32())})


def run(project: Path, n_splits: int, env: str = CORPUS) -> dict[str, Any]:
    """Run the line once for each part of the queries held out, and sum up what the rankers did on them."""
    bootstrap_project(project)
    values: dict[str, dict[str, float]] = {}
    for part, pattern in enumerate(held_out_patterns(project, n_splits)):
        # What does not depend on the split is done in the first run.
        stages = STAGES if part == 0 else STAGES[STAGES.index("folding") :]
        with stdout_to_stderr():
            kedro_run(project, env, pattern, stages)
        for system, of_query in test_values(project, env).items():
            values.setdefault(system, {}).update(of_query)
    return facts(values, n_splits, env)


def held_out_patterns(project: Path, n_splits: int) -> Iterator[str]:
    """Yield, for each part of the queries, the regular expression that matches exactly them."""
    table = pq.read_table(project / "data/01_raw" / CORPUS / "reference_judgments", columns=["query"])
    queries = sorted(table["query"].unique().to_pylist())
    for part in range(n_splits):
        mine = [query for query in queries if zlib.crc32(query.encode()) % n_splits == part]
        yield f"^(?:{'|'.join(re.escape(query) for query in mine)})$"


def kedro_run(project: Path, env: str, pattern: str, stages: Sequence[str]) -> None:
    """Do what `kedro run --env=<env>` does, with the queries that match the pattern held out."""
    held_out = {"folding": {"test_pattern": pattern}}
    with KedroSession.create(project, env=env, runtime_params=held_out) as session:
        session.run(pipeline_names=list(stages), runner=SequentialRunner())


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Keep stdout for the JSON line: whatever else writes there, log handlers and the JVM included, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def test_values(project: Path, env: str) -> Mapping[str, dict[str, float]]:
    """Read the metric of each system and test query by the human judgments; a query without any hit scores 0."""
    table = pq.read_table(project / "data" / env / "07_model_output/evaluation").to_pylist()
    found: dict[str, dict[str, float]] = {}
    for row in table:
        if (row["truth"], row["metric"]) == ("reference", METRIC) and row["value"] is not None:
            found.setdefault(row["system"], {})[row["query"]] = row["value"]
    return found


def facts(values: Mapping[str, Mapping[str, float]], n_splits: int, env: str) -> dict[str, Any]:
    """Average over the queries, with 95 % intervals by resampling them."""
    queries = sorted(values["ranker"])
    arrays = {name: np.array([of_query.get(query, np.nan) for query in queries]) for name, of_query in values.items()}
    bootstrap = Bootstrap(n_resamples=10_000, confidence=0.95, random_state=42)
    rows = compare_systems(arrays, np.arange(len(queries)), bootstrap)
    rounded = [{key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()} for row in rows]
    means = {row["system"]: interval(row) for row in rounded if row["quantity"] == "mean"}
    gains = {f"{row['system']} - {row['against']}": interval(row) for row in rounded if row["quantity"] == "difference"}
    return {
        "benchmark": env,
        "metric": METRIC,
        "truth": "human judgments",
        "n_queries": len(queries),
        "n_splits": n_splits,
        **means,
        "differences": gains,
        "ranker / oracle": ratio(arrays["ranker"], arrays["oracle"], bootstrap),
    }


def ratio(one: np.ndarray, other: np.ndarray, bootstrap: Bootstrap) -> dict[str, float]:
    """Return one system's mean over another's on the same queries, with an interval by resampling queries."""
    both = ~np.isnan(one) & ~np.isnan(other)
    values = np.column_stack([one[both], other[both]])
    means = resampled_means(values, np.arange(len(values)), bootstrap)
    tail = (1.0 - bootstrap.confidence) / 2.0
    lower, upper = np.quantile(means[:, 0] / means[:, 1], [tail, 1.0 - tail])
    found = {"mean": values[:, 0].mean() / values[:, 1].mean(), "lower": lower, "upper": upper}
    return {name: round(float(value), 4) for name, value in found.items()}


def interval(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: row[name] for name in ("mean", "lower", "upper")}


if __name__ == "__main__":
    main()
