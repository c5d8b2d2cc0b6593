"""Which rankers the promotion gate lets pass, on a finished run: none that learned nothing, and the better ones.

    python benchmarks/promotion_gate.py data/05_model_input/training_matrix data/06_models/ranker --corpus network

Each seed trains trees as the run's training does, without a search, on the train split; the test split is scored, and
the gate decides as `rankhammer promote` does (paired, 95 % interval by resampling queries, at least 20). Challengers:

- `shuffled against the run's ranker`, `... the baseline`: the labels are shuffled over all training rows
- `shuffled against shuffled`: the champion has learned as little. Not a draw: what either made of noise ranks with or
  against a good feature, so one is often really better than the other, by a little
- `halves of the labels`: each of the two has learned from another half of the training queries: about as good, and by
  what its half has, better or worse
- `labels against shuffled`: a real gain, which has to pass

One JSON line for each pair, with how many of the seeds passed. No Spark.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import plugins
from rankhammer.corpora import folder_of
from rankhammer.evaluation.bootstrap import Bootstrap, compare_systems
from rankhammer.evaluation.metrics import ndcg
from rankhammer.evaluation.promotion import refusal
from rankhammer.evaluation.verdict import VerdictRule, judge_all
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.training.matrix import read_corpus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rankhammer.training.matrix import CorpusArrays

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("matrix", type=Path)
    parser.add_argument("ranker", type=Path)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    folder = folder_of(options.corpus)
    paths = sorted(map(str, (options.matrix / f"corpus={folder}").glob("*.parquet")))
    gate = Gate(read_corpus(paths), options.rounds)
    for name, n_passed in gate.run(options.ranker / folder, options.seeds).items():
        print(json.dumps({"corpus": options.corpus, "pair": name, "passed": n_passed, "seeds": options.seeds}))


class Gate:
    """One corpus's matrix, on whose test split challengers and champions are compared.

    Args:
        corpus: Its rows.
        n_rounds: Boosting rounds of each fit.
    """

    def __init__(self, corpus: CorpusArrays, n_rounds: int) -> None:
        self._corpus, self._n_rounds = corpus, n_rounds
        self._trees = plugins.create("rankers", PluginSpec(name="xgboost"))
        self._train = corpus.ranking_data(corpus.trainable("clicks"), "clicks")
        judged = ~corpus.in_train & ~np.isnan(corpus.grades["reference"])
        self._truth = "reference" if judged.any() else "clicks"
        self._test = ~corpus.in_train & ~np.isnan(corpus.grades[self._truth])

    def run(self, ranker: Path, n_seeds: int) -> dict[str, int]:
        """Return how many challengers of each kind pass."""
        manifest = json.loads((ranker / "manifest.json").read_text())
        made_by = plugins.create("rankers", PluginSpec(name=manifest["ranker"], options=manifest["ranker_options"]))
        current = made_by.score((ranker / "model.ubj").read_bytes(), self._corpus.features[self._test])
        baseline = self._corpus.features[self._test][:, self._feature("text_bm25")]
        passed: dict[str, int] = {}
        for seed in range(n_seeds):
            rng = np.random.default_rng(seed)
            shuffled, another = (self._fit(self._shuffled(rng), seed) for _ in range(2))
            halves = [self._fit(part, seed) for part in self._halves(rng)]
            pairs = {
                "shuffled against the run's ranker": (shuffled, current),
                "shuffled against the baseline": (shuffled, baseline),
                "shuffled against shuffled": (shuffled, another),
                "halves of the labels": (halves[0], halves[1]),
                "labels against shuffled": (halves[0], shuffled),
            }
            for name, (challenger, champion) in pairs.items():
                passed[name] = passed.get(name, 0) + self._passes(challenger, champion, seed)
        return passed

    def _feature(self, name: str) -> int:
        names = self._corpus.feature_names
        return names.index(name) if name in names else 0

    def _shuffled(self, rng: np.random.Generator) -> RankingData:
        data = self._train
        return RankingData(data.features, rng.permutation(data.label), data.qid, data.weight, data.feature_names)

    def _halves(self, rng: np.random.Generator) -> list[RankingData]:
        data = self._train
        queries = np.unique(data.qid)
        first = np.isin(data.qid, rng.choice(queries, len(queries) // 2, replace=False))
        return [
            RankingData(data.features[rows], data.label[rows], data.qid[rows], data.weight[rows], data.feature_names)
            for rows in (first, ~first)
        ]

    def _fit(self, data: RankingData, seed: int) -> NDArray[np.float32]:
        settings = FitSettings(self._n_rounds, None, K, 2, seed)
        fitted = self._trees.fit(
            self._trees.prepare(data), None, params=self._trees.default_params(), settings=settings
        )
        scores: NDArray[np.float32] = self._trees.score(fitted.model, self._corpus.features[self._test])
        return scores

    def _passes(self, challenger: Any, champion: Any, seed: int) -> bool:
        grades, qid = self._corpus.grades[self._truth][self._test], self._corpus.qid[self._test]
        _, dense = np.unique(qid, return_inverse=True)
        values = {
            system: ndcg(np.asarray(scores, np.float64), grades.astype(np.float64), dense, K)
            for system, scores in (("ranker", challenger), ("champion", champion))
        }
        rows = compare_systems(values, np.arange(len(values["ranker"])), Bootstrap(1000, 0.95, seed))
        return not refusal(judge_all(rows, VerdictRule()), has_champion=True)


if __name__ == "__main__":
    main()
