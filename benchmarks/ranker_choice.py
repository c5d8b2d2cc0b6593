"""Which ranker to take where queries are few: BM25, linear, xgboost, and what `training.ranker.name: auto` chooses.

    python benchmarks/ranker_choice.py cranfield --data DIR    # 30, 60, 90 and 180 training queries
    python benchmarks/ranker_choice.py demo --matrix data/05_model_input/training_matrix    # after `make run`

One JSON line a cut and seed, then a table. No Spark: each search, fold and choice is the product's own code on a matrix
of features that is made once. Cranfield's are BM25 of title, abstract and the titles of like abstracts, of the 60
documents that BM25 finds; a cut takes so many of the 225 queries to train on, and measures on all others by people's
grades. Rankers are trained on people's grades (`people`), or on labels that a simplified DBN reads from clicks that a
DBN simulated on noisy BM25 pages (`clicks`). Differences are paired by query; their standard errors are over seeds,
whose cuts overlap.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import plugins
from rankhammer.demo.simulate import search_pages
from rankhammer.demo.truth import TextIndex
from rankhammer.evaluation.metrics import mean_value, ndcg
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.training.choice import Candidate, choose, group_sums
from rankhammer.training.matrix import read_corpus
from rankhammer.training.search import HyperparameterSearch, Strategy, Trial, seed_of
from rankhammer.training.search_space import parse_space

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

N_FOLDS, METRIC_K, BATCH, N_STARTUP = 5, 10, 4, 4
CUTS = (30, 60, 90, 180)
CLICK_GRADES = (0.2, 0.5, 0.8, 0.95)
SPACES: dict[str, Any] = {
    "xgboost": {
        "learning_rate": {"loguniform": [0.05, 0.3]},
        "max_depth": {"quniform": [2, 7, 1]},
        "min_child_weight": {"loguniform": [0.1, 30.0]},
        "subsample": {"uniform": [0.6, 1.0]},
        "colsample_bytree": {"uniform": [0.6, 1.0]},
        "reg_lambda": {"loguniform": [0.1, 30.0]},
    },
    "linear": {"reg_lambda": {"loguniform": [0.0001, 1.0]}},
}
SHALLOW = {"learning_rate": 0.05, "max_depth": 2, "subsample": 0.5, "colsample_bytree": 0.5, "reg_lambda": 10.0}
MATCHES = ("bm25", "blend", "phrase")
"""Parts of the names of features that say how well a text matches."""


@dataclass(frozen=True)
class Rows:
    """Features (n_rows, n_features); qid, labels to train on and true grades (n_rows,); names of the columns."""

    features: NDArray[np.float32]
    qid: NDArray[np.int32]
    label: NDArray[np.float32]
    truth: NDArray[np.float32]
    names: tuple[str, ...]
    baseline: str

    def data(self, rows: NDArray[np.bool_]) -> RankingData:
        return RankingData(self.features[rows], self.label[rows], self.qid[rows], np.ones(int(rows.sum())), self.names)


@dataclass(frozen=True)
class Contender:
    """A candidate with the rounds that its fits may take."""

    candidate: Candidate
    n_rounds: int = 150
    patience: int | None = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    collection = commands.add_parser("cranfield")
    collection.add_argument("--data", type=Path, required=True, help="folder with the three JSON files")
    collection.add_argument("--truths", nargs="+", default=["people", "clicks"])
    collection.add_argument("--cuts", nargs="+", type=int, default=CUTS)
    collection.add_argument("--seeds", nargs="+", type=int, default=range(10))
    collection.set_defaults(work=cranfield_cuts)
    demo = commands.add_parser("demo")
    demo.add_argument("--matrix", type=Path, default=Path("data/05_model_input/training_matrix"))
    demo.set_defaults(work=demo_cuts)
    for command in (collection, demo):
        command.add_argument(
            "--only-auto", action="store_true", help="train what `auto` chooses among, and nothing else"
        )
    given = parser.parse_args()
    found = []
    for name, rows, train, seed in given.work(given):
        found.append({"cut": name, "seed": seed, **compete(rows, train, seed, only_auto=given.only_auto)})
        print(json.dumps(found[-1]), flush=True)
    print(table(found), file=sys.stderr)


def cranfield_cuts(given: argparse.Namespace) -> Iterator[tuple[str, Rows, NDArray[np.bool_], int]]:
    """Yield each cut's name, all rows, which of them are trained on, and its seed."""
    rows = cranfield_rows(given.data)
    for truth in given.truths:
        of_truth = rows if truth == "people" else replace(rows, label=click_labels(given.data))
        for n_queries in given.cuts:
            for seed in given.seeds:
                order = np.random.default_rng(seed).permutation(int(rows.qid.max()) + 1)
                yield f"{truth} {n_queries}", of_truth, np.isin(rows.qid, order[:n_queries]), seed


def demo_cuts(given: argparse.Namespace) -> Iterator[tuple[str, Rows, NDArray[np.bool_], int]]:
    """Yield the demo's corpora, trained on clicks, with their own train split, whole and cut to 30, 60, 90 queries."""
    for folder in sorted(given.matrix.glob("corpus=*")):
        arrays = read_corpus([str(path) for path in sorted(folder.glob("*.parquet"))])
        kept = arrays.trainable("clicks") | ~arrays.in_train
        rows = Rows(
            arrays.features[kept],
            arrays.qid[kept],
            arrays.grades["clicks"][kept],
            np.nan_to_num(arrays.grades["reference"][kept]),
            arrays.feature_names,
            "body_bm25",
        )
        train = arrays.in_train[kept]
        queries = np.unique(rows.qid[train])
        for n_queries in (*CUTS[:3], len(queries)):
            for seed in range(5 if n_queries < len(queries) else 1):
                chosen = np.random.default_rng(seed).permutation(queries)[:n_queries]
                yield f"{folder.name[7:]} {n_queries}", *_cut(rows, train, chosen), seed


def _cut(rows: Rows, train: NDArray[np.bool_], chosen: NDArray[np.int32]) -> tuple[Rows, NDArray[np.bool_]]:
    """Leave out training queries that are not chosen."""
    kept = ~train | np.isin(rows.qid, chosen)
    fewer = replace(rows, **{name: getattr(rows, name)[kept] for name in ("features", "qid", "label", "truth")})
    return fewer, train[kept]


def cranfield_rows(data: Path, *, n_candidates: int = 60) -> Rows:
    """Make the features of every query's best documents by BM25 of the abstract."""
    from cranfield import make_pool, read_documents, read_grades, read_queries

    documents, queries = read_documents(data), read_queries(data)
    grades = read_grades(data, documents["doc_id"].to_pylist(), len(queries))
    pool = make_pool(documents, queries, grades, n_candidates=n_candidates)
    of_query = np.repeat(np.arange(len(queries), dtype=np.int32), pool.candidates.shape[1])
    of_document = pool.candidates.ravel()
    fields = {"title": "title", "body": "body", "related": "related"}
    found = {
        f"{name}_bm25": TextIndex.build(documents[field].to_pylist()).bm25(queries)[of_query, of_document]
        for name, field in fields.items()
    }
    n_words = np.array([len(query.split()) for query in queries], np.float64)[of_query]
    found["body_length"] = np.log1p(documents["body_length"].to_numpy()[of_document])
    found["query_length"] = n_words
    found["title_blend"] = (found["body_bm25"] + 0.5 * found["title_bm25"]) / n_words
    found["related_blend"] = (found["body_bm25"] + 0.5 * found["related_bm25"]) / n_words
    truth = pool.grades.ravel().astype(np.float32)
    features = np.column_stack(list(found.values())).astype(np.float32)
    return Rows(features, of_query, truth, truth, tuple(found), "body_bm25")


def click_labels(data: Path, *, n_serps: int = 30_000) -> NDArray[np.float32]:
    """Simulate clicks and read grades 0 to 4 from them; NaN for what was never examined. Shape (n_rows,).

    References:
        Chapelle and Zhang, A Dynamic Bayesian Network Click Model for Web Search Ranking, WWW 2009, section 5 (the
        simplified DBN).
    """
    from cranfield import LIST_NOISE, N_SHOWN, USERS, make_pool, popularity, read_documents, read_grades, read_queries

    documents, queries = read_documents(data), read_queries(data)
    pool = make_pool(documents, queries, read_grades(data, documents["doc_id"].to_pylist(), len(queries)))
    rng = np.random.default_rng(42)
    query = rng.choice(len(queries), size=n_serps, p=popularity(len(queries), exponent=0.3))
    pages = search_pages(pool, query, users=USERS, n_shown=N_SHOWN, noise=LIST_NOISE, rng=rng)
    places = np.arange(N_SHOWN)
    last = np.where(pages.clicked, places, -1).max(axis=1)
    examined = places <= np.where(last < 0, N_SHOWN, last)[:, None]
    shape = (len(queries), documents.num_rows)
    counts = [np.zeros(shape) for _ in range(3)]
    for count, seen in zip(counts, (examined, pages.clicked, places == last[:, None]), strict=True):
        rows, columns = np.nonzero(seen & (pages.documents >= 0))
        np.add.at(count, (pages.query[rows], pages.documents[rows, columns]), 1.0)
    looked, clicks, ends = counts
    share = clicks.sum() / looked.sum(), ends.sum() / clicks.sum()
    relevance = (clicks + 5 * share[0]) / (looked + 5) * (ends + 8 * share[1]) / (clicks + 8)
    cuts = np.quantile(relevance[clicks > 0], CLICK_GRADES)
    grades = np.where(looked >= 1, np.searchsorted(cuts, relevance, side="right"), np.nan)
    return np.take_along_axis(grades, pool.candidates, axis=1).ravel().astype(np.float32)


def contenders(baseline: str, names: Sequence[str]) -> dict[str, Contender]:
    """Return every way to train that is compared."""
    plain = {name: Candidate(PluginSpec(name=name), _space(name), 8) for name in ("linear", "xgboost")}
    monotone = {"monotone": [name for name in names if any(part in name for part in MATCHES)]}
    shallow = PluginSpec(name="xgboost", options=SHALLOW)
    return {
        "bm25": Contender(Candidate(PluginSpec(name="baseline", options={"feature": baseline}))),
        "linear": Contender(plain["linear"]),
        "linear, no search": Contender(Candidate(PluginSpec(name="linear"))),
        "linear >= 0": Contender(Candidate(PluginSpec(name="linear", options={"non_negative": True}))),
        "xgboost": Contender(plain["xgboost"]),
        "xgboost, no search": Contender(Candidate(PluginSpec(name="xgboost"))),
        "shallow": Contender(Candidate(shallow)),
        "shallow, 300": Contender(Candidate(shallow), 300, 300),
        "monotone": Contender(Candidate(PluginSpec(name="xgboost", options=monotone), _space("xgboost"), 8)),
        "shallow monotone": Contender(Candidate(PluginSpec(name="xgboost", options=SHALLOW | monotone))),
    }


SMALL_BELOW = 300
ERRORS = (0.0, 1.0, 2.0)


def _space(name: str) -> Any:
    return parse_space(SPACES[name], known=plugins.create("rankers", PluginSpec(name=name)).default_params())


def compete(rows: Rows, train: NDArray[np.bool_], seed: int, *, only_auto: bool = False) -> dict[str, Any]:
    """Train each contender, let each rule choose among them, and measure all on the other queries.

    Returns:
        Contender or rule to its mean NDCG@10; `chosen`: rule to contender; `cv`: contender to NDCG in cross-validation.
    """
    known = train & ~np.isnan(rows.label)
    # As conf/base has it: trees that can hardly overfit where queries are few.
    trees = "shallow, 300" if len(np.unique(rows.qid[known])) < SMALL_BELOW else "xgboost"
    names = ("bm25", "linear, no search", trees)
    values, best, again = {}, {}, {}
    for name, contender in contenders(rows.baseline, rows.names).items():
        if only_auto and name not in names:
            continue
        folds = make_folds(rows, known, contender, seed)
        best[name] = search(folds, contender, name, seed)
        again[name] = validate(folds, best[name], replace(contender, n_rounds=best[name].n_rounds, patience=None), seed)
        values[name] = measure(rows, known, ~train, contender, best[name])
    chosen = {
        f"auto, {errors:g} se, {how}": next(
            name
            for name, standing in zip(names, choose([found[one] for one in names], errors), strict=True)
            if standing.chosen
        )
        for how, found in (("early stopped", best), ("fixed rounds", again))
        for errors in ERRORS
    }
    values |= {rule: values[name] for rule, name in chosen.items()}
    return {
        "values": {name: round(value, 5) for name, value in values.items()},
        "chosen": chosen,
        "cv": {name: round(-(trial.loss or 0.0), 4) for name, trial in best.items()},
        "cv_fixed": {name: round(-(trial.loss or 0.0), 4) for name, trial in again.items()},
    }


def make_folds(rows: Rows, known: NDArray[np.bool_], contender: Contender, seed: int) -> list[tuple[Any, Any, Any]]:
    """Cut the queries into folds; return what to train on, and to validate on as prepared and as plain rows."""
    ranker = plugins.create("rankers", contender.candidate.ranker)
    queries = np.unique(rows.qid[known])
    fold_of = np.zeros(int(rows.qid.max()) + 1, np.int64)
    fold_of[np.random.default_rng([seed, 1]).permutation(queries)] = np.arange(len(queries)) % N_FOLDS
    folds = []
    for fold in range(N_FOLDS):
        valid = known & (fold_of[rows.qid] == fold)
        prepared = ranker.prepare(rows.data(known & ~valid))
        folds.append((prepared, ranker.prepare(rows.data(valid), reference=prepared), rows.data(valid)))
    return folds


def search(folds: Sequence[Any], contender: Contender, name: str, seed: int) -> Trial:
    """Search a contender's parameters by cross-validation over queries, as the training stage does."""
    candidate = contender.candidate
    defaults = plugins.create("rankers", candidate.ranker).default_params()
    looking = HyperparameterSearch(
        name, candidate.space, defaults=defaults, strategy=Strategy(N_STARTUP), random_state=seed
    )
    n_trials = candidate.n_trials or 1
    for first in range(0, n_trials, BATCH):
        for trial in looking.suggest(min(BATCH, n_trials - first)):
            looking.record(validate(folds, trial, contender, seed))
    if looking.best is None:
        raise RuntimeError(f"All trials of {name} failed.")
    return looking.best


def validate(folds: Sequence[Any], trial: Trial, contender: Contender, seed: int) -> Trial:
    """Train on all folds but one, and measure on that one."""
    ranker = plugins.create("rankers", contender.candidate.ranker)
    settings = FitSettings(contender.n_rounds, contender.patience, METRIC_K, 1, seed_of(seed, "fit"))
    means, groups, n_rounds = [], [], []
    for train, valid, data in folds:
        fitted = ranker.fit(train, valid, params=trial.params, settings=settings)
        found = ndcg(ranker.score(fitted.model, data.features), data.label, data.qid, METRIC_K)
        means.append(mean_value(found))
        groups.extend(group_sums(found))
        n_rounds.append(fitted.n_rounds)
    n_mean = max(1, round(float(np.mean(n_rounds))))
    return replace(trial, loss=-float(np.mean(means)), n_rounds=n_mean, groups=tuple(groups), ranker=trial.corpus)


def measure(rows: Rows, known: NDArray[np.bool_], test: NDArray[np.bool_], contender: Contender, trial: Trial) -> float:
    """Train on all training queries, and average NDCG@10 by the true grades over the others."""
    ranker = plugins.create("rankers", contender.candidate.ranker)
    settings = FitSettings(trial.n_rounds or 1, None, METRIC_K, 1, 42)
    fitted = ranker.fit(ranker.prepare(rows.data(known)), None, params=trial.params, settings=settings)
    scores = ranker.score(fitted.model, rows.features[test])
    return mean_value(ndcg(scores, rows.truth[test], rows.qid[test], METRIC_K))


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """Lay the means out: one line a contender or rule, one column a cut, with the difference from BM25."""
    cuts = list(dict.fromkeys(row["cut"] for row in found))
    lines = ["| | " + " | ".join(cuts) + " |", "|---|" + "---|" * len(cuts)]
    for name in dict.fromkeys(name for row in found for name in row["values"]):
        cells = [_cell([row for row in found if row["cut"] == cut], name) for cut in cuts]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    if name not in rows[0]["values"]:
        return "-"
    values = np.array([row["values"][name] for row in rows])
    gains = values - np.array([row["values"]["bm25"] for row in rows])
    error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else float("nan")
    picked = {}
    for row in rows:
        if name in row["chosen"]:
            picked[row["chosen"][name]] = picked.get(row["chosen"][name], 0) + 1
    named = "; " + ", ".join(f"{one} {n}" for one, n in sorted(picked.items())) if picked else ""
    return f"{values.mean():.4f} ({gains.mean():+.4f}, {error:.4f}{named})"


if __name__ == "__main__":
    main()
