"""Which criterion, computed from clicks alone, picks the click model with the best labels.

    python benchmarks/click_model_criteria.py --data DIR [--runs 20]

DIR and the logs of the first three regimes are those of `label_quality.py`. Others have people whom the DBN does not
describe: `skimming` looks at each position by itself, `browsing` by how far it is below the last click, `one_click`
leaves after the first click; 20 result pages per query, or 3 (`_few`). Every model that judges documents labels each
log, and its labels are measured against the human judgments (NDCG@10; share of pairs of different grades in the right
order). Each criterion sees the clicks only and chooses a model; what is printed is the NDCG@10 of its choices,
less that of the default and of the best model.

One JSON line a regime. `choices` has the models that each rule chose and how often, NDCG@10 less that of the default
with its standard error over logs, and less that of the model that is best of this regime on average. Rules are each
criterion, each with the rule of one standard error towards the default (`+1se`), and `labels`, the criterion of
`auto`: perplexity among the models whose labels are surely better than the default's by `discounted`. `auto` with
`clicks` is `perplexity`.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cranfield import make_pool, read_documents, read_grades, read_queries
from held_out_criteria import CRITERIA, Score, better_by, held_out_scores, make_folds
from label_quality import LIST_NOISE, N_SHOWN, PATIENCE, REGIMES, Regime, count, quality, simulate
from tqdm import tqdm

from rankhammer import plugins
from rankhammer.click_models.label_scores import LabelGain
from rankhammer.demo.simulate import Pages, Pool, show
from rankhammer.plugins import PluginSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from rankhammer.click_models import CountedSerps

    Floats = NDArray[np.float64]

DEFAULT = "dbn"
MODELS = ("cascade", "ccm", "coec", "dbn", "dbn_mjolnir", "dcm", "dctr", "pbm", "sdbn", "ubm")
POOLS = {"all": MODELS, "configured": ("dbn", "dctr", "pbm", "ubm")}
"""Among which models is chosen: all that judge documents, and those of conf/base."""

DECAY = (0.5, 0.8, 1.1)
"""A position, or a distance, d is looked at with the probability d^-decay; a third of the people each."""

GRADES = Regime(20, (0.04, 0.12, 0.25, 0.40, 0.55), (0.05, 0.15, 0.30, 0.50, 0.70))
FEW = replace(GRADES, pages_a_query=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the three JSON files")
    parser.add_argument("--runs", type=int, default=20, help="logs to simulate a regime; the dense one needs few")
    parser.add_argument("--regimes", default=",".join(LOGS))
    parser.add_argument("--random-state", type=int, default=42)
    parser.add_argument("--keep", type=Path, help="file for the scores of each log, as JSON lines")
    given = parser.parse_args()
    documents, queries = read_documents(given.data), read_queries(given.data)
    pool = make_pool(documents, queries, read_grades(given.data, documents["doc_id"].to_pylist(), len(queries)))
    for name in given.regimes.split(","):
        rng = np.random.default_rng([given.random_state, *name.encode()])
        n_runs = max(given.runs // 3, 2) if name == "dense" else given.runs
        runs = [measure(pool, LOGS[name], rng) for _ in tqdm(range(n_runs), desc=name)]
        if given.keep:
            with given.keep.open("a") as file:
                file.writelines(json.dumps({"regime": name, **run}) + "\n" for run in runs)
        print(json.dumps({"benchmark": "click_model_criteria", "regime": name, **summary(runs)}), flush=True)


@dataclass(frozen=True)
class Log:
    """People who search.

    Args:
        regime: How many pages, and what people click by grade.
        looks: Gives the clicks of pages from what attracts there, or None for the people of `label_quality.py`.
    """

    regime: Regime
    looks: Callable[[NDArray[np.bool_], Generator], NDArray[np.bool_]] | None = None


def skim(attracts: NDArray[np.bool_], rng: Generator) -> NDArray[np.bool_]:
    """Look at each position by itself."""
    position = np.arange(1, attracts.shape[1] + 1)
    decay = rng.choice(DECAY, size=(len(attracts), 1))
    return attracts & (rng.random(attracts.shape) < position**-decay)


def browse(attracts: NDArray[np.bool_], rng: Generator) -> NDArray[np.bool_]:
    """Look at a position by how far it is below the last click, and never stop."""
    decay = rng.choice(DECAY, size=len(attracts))
    clicked, last = np.zeros_like(attracts), np.full(len(attracts), -1)
    for place in range(attracts.shape[1]):
        looked = rng.random(len(attracts)) < (place - last) ** -decay
        clicked[:, place] = looked & attracts[:, place]
        last = np.where(clicked[:, place], place, last)
    return clicked


def click_once(attracts: NDArray[np.bool_], rng: Generator) -> NDArray[np.bool_]:
    """Read down, click the first that attracts and leave."""
    patience = rng.choice(PATIENCE, size=(len(attracts), 1))
    depth = rng.geometric(1 - patience)
    examined = attracts & (np.arange(attracts.shape[1]) < depth)
    return examined & (examined.cumsum(axis=1) == 1)


LOGS = {
    **{name: Log(regime) for name, regime in REGIMES.items()},
    "skimming": Log(GRADES, skim),
    "browsing": Log(GRADES, browse),
    "one_click": Log(GRADES, click_once),
    "skimming_few": Log(FEW, skim),
    "browsing_few": Log(FEW, browse),
}


def search(pool: Pool, log: Log, rng: Generator) -> Pages:
    """Let people search; queries are equally frequent."""
    if log.looks is None:
        return simulate(pool, log.regime, rng)
    n_queries = len(pool.candidates)
    query = rng.integers(0, n_queries, size=round(log.regime.pages_a_query * n_queries))
    documents, grades = show(pool, query, n_shown=N_SHOWN, noise=LIST_NOISE, rng=rng)
    attracts = rng.random(grades.shape) < np.array(log.regime.attractiveness)[grades]
    return Pages(query, documents, log.looks(attracts, rng))


def measure(pool: Pool, log: Log, rng: Generator) -> dict[str, Any]:
    """Simulate a log; return how good the labels of each model are, and how much better by each criterion."""
    serps, grade = count(search(pool, log, rng), pool)
    ties = rng.random(serps.n_pairs) * 1e-9
    truth: dict[str, dict[str, float]] = {"ndcg@10": {}, "pairs": {}}
    scores: dict[str, dict[str, Score]] = {}
    seed = int(rng.integers(2**31))
    folds = make_folds(serps, seed)
    for name in MODELS:
        model = plugins.create("click_models", PluginSpec(name=name))
        shared = model.fit_corpus(serps)
        label = model.predict_relevance(model.fit(serps, shared), shared).mean + ties
        truth["ndcg@10"][name] = quality(grade, label, serps.pair_cluster)
        truth["pairs"][name] = right_pairs(grade, label, serps.pair_cluster)
        scores[name] = held_out_scores(model, serps, folds, ties=ties, random_state=seed)
    compared = {
        criterion: {name: better_by(scores[name][criterion], scores[DEFAULT][criterion]) for name in MODELS}
        for criterion in CRITERIA
    }
    return {**truth, "better": compared, "facts": facts(serps)}


def facts(serps: CountedSerps) -> dict[str, float]:
    """Say what was clicked."""
    n_pages = float(serps.weight.sum())
    return {
        "no_click": float(serps.weight[serps.last_click == 0].sum()) / n_pages,
        "clicks_a_page": float((serps.cell_weight * serps.clicked).sum()) / n_pages,
    }


def right_pairs(grade: NDArray[np.int64], label: Floats, query: NDArray[np.int64]) -> float:
    """Return the share of a query's document pairs of different grades that the label has in the right order."""
    right = total = 0
    for rows in np.split(np.arange(len(query)), np.flatnonzero(np.diff(query)) + 1):
        above = grade[rows, None] > grade[None, rows]
        right += int((above & (label[rows, None] > label[None, rows])).sum())
        total += int(above.sum())
    return right / total


def best(better: Mapping[str, Sequence[float]], among: Sequence[str], standard_errors: float = 0) -> str:
    """Name the model that is best by a criterion, or the default where it is not better by so many standard errors."""
    gain = {name: better[name][0] for name in among}
    found = max(among, key=lambda name: (gain[name], name == DEFAULT, name))
    return found if gain[found] > standard_errors * better[found][1] else DEFAULT


def choices(run: dict[str, Any], among: Sequence[str]) -> dict[str, str]:
    """Name the model that each rule chooses for a log."""
    better = run["better"]
    allowed = [name for name in among if name == DEFAULT or LabelGain(*better["discounted"][name]).is_sure]
    return {
        **{name: best(better[name], among) for name in CRITERIA},
        **{f"{name} +1se": best(better[name], among, 1) for name in CRITERIA if name != "perplexity"},
        "labels": best(better["perplexity"], allowed),
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Average over logs."""
    mean = {key: {name: np.mean([run[key][name] for run in runs]) for name in MODELS} for key in ("ndcg@10", "pairs")}
    return {
        "runs": len(runs),
        **{name: round(float(np.mean([run["facts"][name] for run in runs])), 3) for name in runs[0]["facts"]},
        **{key: {name: round(float(value), 4) for name, value in found.items()} for key, found in mean.items()},
        "choices": {pool: outcomes(runs, among) for pool, among in POOLS.items()},
    }


def outcomes(runs: list[dict[str, Any]], among: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Say for each rule what it chose, and how good the labels of its choices are."""
    chosen = [choices(run, among) for run in runs]
    top = max(float(np.mean([run["ndcg@10"][name] for run in runs])) for name in among)
    return {rule: outcome(runs, [names[rule] for names in chosen], top) for rule in chosen[0]}


def outcome(runs: list[dict[str, Any]], chosen: Sequence[str], top: float) -> dict[str, Any]:
    """Compare the labels of the chosen models with the default's."""
    got = np.array([run["ndcg@10"][name] for run, name in zip(runs, chosen, strict=True)])
    less = got - np.array([run["ndcg@10"][DEFAULT] for run in runs])
    return {
        "chosen": dict(Counter(chosen).most_common()),
        "less_default": round(float(less.mean()), 4),
        "se": round(float(less.std(ddof=1) / len(less) ** 0.5), 4),
        "less_best": round(float(got.mean()) - top, 4),
    }


if __name__ == "__main__":
    main()
