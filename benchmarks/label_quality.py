"""How good the labels of each click model are, by human judgments that no model sees.

    python benchmarks/label_quality.py --data DIR [--runs 20]

DIR holds the Cranfield collection (cran_docs.json, cran_queries.json, cran_qrels.json): real texts, queries and
judgments. Simulated people search it in three regimes, and each model labels the documents that they were shown:

- dense: 130 result pages per query; most people click something
- sparse: 1.4 result pages per query, 70 % of the pages without a click
- noisy: 10 result pages per query; people click much that is not relevant, and little that is

The people are no click model's: their patience differs from one to the next. NDCG@10 is that of the shown documents of
each query, ordered by label, against the human judgments; documents with the same label are in random order. `logged`
is the order by mean position shown. One JSON line a regime: the mean over queries and runs (a run is another random
log), how far that is behind the default model, with the standard error over runs, and what was clicked.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cranfield import make_pool, read_documents, read_grades, read_queries
from tqdm import tqdm

from rankhammer import plugins
from rankhammer.click_models import CountedSerps
from rankhammer.click_models.em import count_pairs
from rankhammer.demo.simulate import Pages, Pool, Users, search_pages
from rankhammer.evaluation.metrics import ndcg
from rankhammer.plugins import PluginSpec

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

N_SHOWN, LIST_NOISE = 10, 1.0
PATIENCE = (0.7, 0.85, 0.95)
"""Continuation of a third of the people each."""

DEFAULT = "dbn"
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        name: (name, {})
        for name in ("gctr", "rctr", "dctr", "coec", "cascade", "pbm", "ubm", "dcm", "ccm", "sdbn", "dbn")
    },
    "dctr, prior by position": ("dctr", {"prior": "shown_position"}),
    "sdbn, last click": ("sdbn", {"estimator": "last_click"}),
    "sdbn, last click, flat prior": ("sdbn", {"estimator": "last_click", "prior": "flat"}),
    "sdbn, last click, flat prior, no click ignored": (
        "sdbn",
        {"estimator": "last_click", "prior": "flat", "no_click": "ignored"},
    ),
    "dbn, flat prior": ("dbn", {"prior": "flat"}),
    "dbn, continuation .9": ("dbn", {"continuation": 0.9}),
    "dbn, prior strength 10": ("dbn", {"prior_strength": 10.0}),
}
"""Title to name and options. The classic counts (dctr, coec, cascade) have a flat prior, the others one by position."""


@dataclass(frozen=True)
class Regime:
    """How people use the site.

    Args:
        pages_a_query: Result pages per query, on average.
        attractiveness: Probability of a click by grade.
        satisfaction: Probability that a click ends the search, by grade.
    """

    pages_a_query: float
    attractiveness: tuple[float, ...]
    satisfaction: tuple[float, ...]


REGIMES = {
    "dense": Regime(130, (0.04, 0.15, 0.35, 0.55, 0.75), (0.05, 0.15, 0.30, 0.50, 0.70)),
    "sparse": Regime(1.4, (0.015, 0.05, 0.11, 0.18, 0.26), (0.05, 0.15, 0.30, 0.50, 0.70)),
    "noisy": Regime(10, (0.15, 0.22, 0.30, 0.38, 0.45), (0.10, 0.16, 0.22, 0.28, 0.35)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the three JSON files")
    parser.add_argument("--runs", type=int, default=20, help="logs to simulate a regime; the dense one needs few")
    parser.add_argument("--regimes", default=",".join(REGIMES))
    parser.add_argument("--random-state", type=int, default=42)
    given = parser.parse_args()
    documents, queries = read_documents(given.data), read_queries(given.data)
    pool = make_pool(documents, queries, read_grades(given.data, documents["doc_id"].to_pylist(), len(queries)))
    for name in given.regimes.split(","):
        rng = np.random.default_rng([given.random_state, *name.encode()])
        n_runs = given.runs if REGIMES[name].pages_a_query < 100 else max(given.runs // 5, 2)
        runs = [measure(pool, REGIMES[name], rng) for _ in tqdm(range(n_runs), desc=name)]
        print(json.dumps({"benchmark": "label_quality", "regime": name, "runs": n_runs, **summary(runs)}), flush=True)


def measure(pool: Pool, regime: Regime, rng: Generator) -> dict[str, float]:
    """Simulate a log, label it by every model, and return the mean NDCG@10 of each, and facts of the log."""
    pages = simulate(pool, regime, rng)
    serps, grade = count(pages, pool)
    order = rng.random(serps.n_pairs) * 1e-9  # breaks ties
    facts = {
        "no_click": float((~pages.clicked.any(axis=1)).mean()),
        "clicks_a_page": float(pages.clicked.sum(1).mean()),
    }
    labels = {"logged": -count_pairs(serps).mean_position}
    for title, (name, options) in MODELS.items():
        model = plugins.create("click_models", PluginSpec(name=name, options=options))
        shared = model.fit_corpus(serps)
        labels[title] = model.predict_relevance(model.fit(serps, shared), shared).mean
    scored = {title: quality(grade, label + order, serps.pair_cluster) for title, label in labels.items()}
    return {**facts, **scored}


def simulate(pool: Pool, regime: Regime, rng: Generator) -> Pages:
    """Let a third of the people with each patience search; queries are equally frequent."""
    n_queries = len(pool.candidates)
    groups = []
    for patience in PATIENCE:
        query = rng.integers(0, n_queries, size=round(regime.pages_a_query * n_queries / len(PATIENCE)))
        users = Users(regime.attractiveness, regime.satisfaction, patience)
        groups.append(search_pages(pool, query, users=users, n_shown=N_SHOWN, noise=LIST_NOISE, rng=rng))
    joined = {name: np.concatenate([getattr(group, name) for group in groups]) for name in ("query", "documents")}
    return Pages(**joined, clicked=np.concatenate([group.clicked for group in groups]))


def count(pages: Pages, pool: Pool) -> tuple[CountedSerps, NDArray[np.int64]]:
    """Number the (query, document) pairs that were shown; also the human grade of each."""
    n_docs = int(pool.candidates.max()) + 1
    keys, pair = np.unique(pages.query[:, None] * n_docs + pages.documents, return_inverse=True)
    queries, cluster = np.unique(keys // n_docs, return_inverse=True)
    length = np.full(len(pages.query), N_SHOWN)
    serps = CountedSerps(pair.ravel(), pages.clicked.ravel(), length, np.ones(len(length)), cluster)
    truth = np.zeros((len(pool.candidates), n_docs), np.int64)
    np.put_along_axis(truth, pool.candidates, pool.grades, axis=1)
    return serps, truth[queries[cluster], keys % n_docs]


def quality(grade: NDArray[np.int64], label: NDArray[np.float64], query: NDArray[np.int64]) -> float:
    """Return the mean NDCG@10 over queries with a relevant document among those shown."""
    return float(np.nanmean(ndcg(label, grade, query, k=10)))


def summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Average over runs."""
    means = {name: round(float(np.mean([run[name] for run in runs])), 4) for name in runs[0]}
    facts = {name: means.pop(name) for name in ("no_click", "clicks_a_page")}
    below = {name: np.array([run[DEFAULT] - run[name] for run in runs]) for name in means}
    behind = {
        name: [round(float(gap.mean()), 4), round(float(gap.std(ddof=1) / len(gap) ** 0.5), 4)]
        for name, gap in below.items()
    }
    return {**facts, "ndcg@10": means, "behind_default": behind}


if __name__ == "__main__":
    main()
