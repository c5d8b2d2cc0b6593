"""Whether documents that no result page ever showed help a ranker that is to order an engine's candidates.

    python benchmarks/negatives.py cranfield --data DIR    # DIR holds the three JSON files of benchmarks/cranfield.py
    python benchmarks/negatives.py demo                    # after `make run`

A ranker learns from documents that were shown, and orders candidates of which many never were. Here some of these,
drawn by a seed, join the training rows with grade 0; the ranker then orders all candidates of queries that it has not
seen, and NDCG@10 by the true grades (0 for a document without one) is compared with that of a ranker without them,
query by query. One JSON line a ranker, log size and number of drawn documents a query.

Cranfield: BM25's first 200 of each query are its candidates, the site shows 20 of its own first 60, clicks are
simulated from people's grades, and labels are read from clicks. Demo: the candidates are the first 100 by the sum of
the text features, the labels those of the run.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ranker_choice import METRIC_K, N_FOLDS, SHALLOW, Rows, click_labels, cranfield_rows

from rankhammer import plugins
from rankhammer.evaluation.bootstrap import Bootstrap, compare_systems
from rankhammer.evaluation.metrics import ndcg
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

N_CANDIDATES, N_SHOWN_OF, N_DEMO = 200, 60, 100
LOG_SIZES = (2_000, 30_000)
DRAWN = (2, 5, 10, 20)
RANKERS = {"linear": ("linear", {}, 1), "xgboost": ("xgboost", SHALLOW, 300)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    collection = commands.add_parser("cranfield")
    collection.add_argument("--data", type=Path, required=True, help="folder with the three JSON files")
    collection.set_defaults(work=lambda given: cranfield(given.data))
    demo_data = commands.add_parser("demo")
    demo_data.add_argument("--project", type=Path, default=Path.cwd())
    demo_data.set_defaults(work=lambda given: demo(given.project))
    given = parser.parse_args()
    for name, rows in given.work(given):
        for ranker in RANKERS:
            for found in compare(rows, ranker):
                print(json.dumps({"log": name, "ranker": ranker, **found}), flush=True)


def cranfield(data: Path) -> Iterator[tuple[str, Rows]]:
    """Yield rows of all candidates; the label is NaN where no page ever showed the document to be examined."""
    rows = cranfield_rows(data, n_candidates=N_CANDIDATES)
    for n_serps in LOG_SIZES:
        shown = click_labels(data, n_serps=n_serps).reshape(-1, N_SHOWN_OF)
        label = np.full((len(shown), N_CANDIDATES), np.nan, np.float32)
        label[:, :N_SHOWN_OF] = shown
        yield f"cranfield, {n_serps} pages", replace(rows, label=label.ravel())


def demo(project: Path) -> Iterator[tuple[str, Rows]]:
    """Yield each corpus of a finished demo with all candidates of its queries."""
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    from rankhammer.feature_sets import FeatureSet

    bootstrap_project(project)
    with KedroSession.create(project) as session:
        catalog = session.load_context().catalog
        tables = {name: catalog.load(name) for name in ("feature_rows", "documents", "reference_judgments")}
        feature_set = FeatureSet.model_validate(catalog.load("params:feature_set"))
        yield from _demo_corpora(tables, feature_set)


def _demo_corpora(tables: dict[str, Any], feature_set: Any) -> Iterator[tuple[str, Rows]]:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    from rankhammer.feature_sets import Match, Phrase
    from rankhammer.feature_sources.base import read_documents, sound_documents

    documents = sound_documents(read_documents(tables["documents"], feature_set))
    asked = tables["feature_rows"].select("corpus", "query", "query_cluster_id").distinct()
    pairs = documents.select("corpus", "doc_id").join(F.broadcast(asked), "corpus")
    source = plugins.create("feature_sources", PluginSpec(name="embedded"))
    found = source.collect(pairs, documents=documents, feature_set=feature_set).where("features IS NOT NULL")
    texts = [f"features.{one.name}" for one in feature_set.features if isinstance(one, Match | Phrase)]
    by_words = sum((F.nanvl(F.col(name), F.lit(0.0)) for name in texts), F.lit(0.0))
    best = Window.partitionBy("corpus", "query").orderBy(by_words.desc(), "doc_id")
    grades = tables["feature_rows"].select("corpus", "query_cluster_id", "doc_id", "grade")
    truth = tables["reference_judgments"].select("corpus", "query", "doc_id", F.col("grade").alias("truth"))
    rows = (
        found.withColumn("place", F.row_number().over(best))
        .where(F.col("place") <= N_DEMO)
        .join(grades, ["corpus", "query_cluster_id", "doc_id"], "left")
        .join(truth, ["corpus", "query", "doc_id"], "left")
        .orderBy("corpus", "query", "place")
        .select("corpus", "query", "grade", "truth", "features.*")
        .toPandas()
    )
    for corpus, table in rows.groupby("corpus"):
        qid = table["query"].astype("category").cat.codes.to_numpy(np.int32)
        features = table[list(feature_set.names)].to_numpy(np.float32)
        label, graded = table["grade"].to_numpy(np.float32), table["truth"].to_numpy(np.float32)
        names = tuple(feature_set.names)
        yield f"demo, {corpus}", Rows(features, qid, label, np.nan_to_num(graded), names, names[0])


def compare(rows: Rows, ranker: str) -> Iterator[dict[str, Any]]:
    """Yield, for each number of drawn documents, the gain over a ranker without them, by query."""
    without = values(rows, ranker, 0)
    for n_drawn in DRAWN:
        found = {"ranker": values(rows, ranker, n_drawn), "baseline": without}
        compared = compare_systems(found, np.arange(len(without)), Bootstrap(2_000, 0.95, 42))
        gain = next(row for row in compared if row["quantity"] == "difference")
        rounded = {name: round(gain[name], 4) for name in ("mean", "lower", "upper")}
        yield {"drawn": n_drawn, "ndcg@10 without": round(float(np.nanmean(without)), 4), "gain": rounded}


def values(rows: Rows, ranker: str, n_drawn: int) -> NDArray[np.float64]:
    """Order the candidates of each query by a ranker that has not seen it, and return NDCG@10 by the true grades."""
    n_queries = int(rows.qid.max()) + 1
    fold_of = np.random.default_rng(7).permutation(n_queries) % N_FOLDS
    drawn = draw(rows, n_drawn)
    label = np.where(drawn, np.float32(0), rows.label)
    of_query = np.full(n_queries, np.nan)
    name, options, n_rounds = RANKERS[ranker]
    algorithm = plugins.create("rankers", PluginSpec(name=name, options=options))
    settings = FitSettings(n_rounds, None, METRIC_K, 1, 42)
    for fold in range(N_FOLDS):
        test = fold_of[rows.qid] == fold
        train = ~test & ~np.isnan(label)
        prepared = algorithm.prepare(replace(rows, label=label).data(train))
        model = algorithm.fit(prepared, None, params=algorithm.default_params(), settings=settings).model
        found = ndcg(algorithm.score(model, rows.features[test]), rows.truth[test], rows.qid[test], METRIC_K)
        of_query[np.unique(rows.qid[test])] = found
    return of_query


def draw(rows: Rows, n_drawn: int) -> NDArray[np.bool_]:
    """Choose documents of each query that have no label: as many as are wanted, or all. Shape (n_rows,)."""
    lottery = np.where(np.isnan(rows.label), np.random.default_rng(11).random(len(rows.label)), 2.0)
    order = np.lexsort((lottery, rows.qid))
    first = np.searchsorted(rows.qid[order], np.arange(int(rows.qid.max()) + 1))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - first[rows.qid[order]]
    return (lottery < 1.0) & (place < n_drawn)


if __name__ == "__main__":
    main()
