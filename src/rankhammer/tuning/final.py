"""The final rankers, one a corpus and truth, and the files that publish them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import plugins
from rankhammer.errors import CorpusFailure
from rankhammer.tuning.matrix import read_facts
from rankhammer.tuning.search import seed_of
from rankhammer.tuning.tune import run_folds, threads_a_task
from rankhammer.tuning.worker import FinalResult, FinalTask, FoldTask, run_final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray
    from pyspark import SparkContext

    from rankhammer.feature_sets import FeatureSet
    from rankhammer.plugins import Choice
    from rankhammer.rankers import Ranker
    from rankhammer.tuning.matrix import CorpusFacts, Truth
    from rankhammer.tuning.search import Trial
    from rankhammer.tuning.staging import StagedCorpus
    from rankhammer.tuning.tune import Budget

logger = logging.getLogger(__name__)
_CLICKS: tuple[Truth, ...] = ("clicks",)
_BOTH: tuple[Truth, ...] = ("clicks", "reference")


@dataclass(frozen=True)
class FinalFits:
    """What the final fits of all corpora gave.

    Args:
        rankers: Corpus to the ranker that learned from clicks.
        oracles: Corpus to the ranker that learned from the reference judgments, where there are some.
        facts: Corpus to what it was trained on.
        failures: The corpora whose ranker could not be trained.
    """

    rankers: dict[str, FinalResult]
    oracles: dict[str, FinalResult]
    facts: dict[str, CorpusFacts]
    failures: list[CorpusFailure]


@dataclass(frozen=True)
class Trainer:
    """Trains the final rankers with what the search found.

    Args:
        ranker: Registered ranker and its options.
        budget: The search's budget.
        n_samples: Largest number of feature vectors to keep beside a ranker.
        random_state: The run's seed.
    """

    ranker: Choice
    budget: Budget
    n_samples: int
    random_state: int

    def fit(self, context: SparkContext, corpora: Mapping[str, StagedCorpus], best: Mapping[str, Trial]) -> FinalFits:
        """Train each corpus's ranker on its whole train split, with the best trial's parameters and rounds.

        The oracle is trained with the same parameters on the reference judgments, for the rounds that they bear: what
        this ranker and these features could reach if the judgments were right. It serves the evaluation only.

        Args:
            context: The session's.
            corpora: Corpus to its staged training matrix.
            best: Corpus to its best trial.
        """
        facts = {corpus: read_facts(corpora[corpus].paths) for corpus in sorted(best)}
        n_threads = threads_a_task(context)
        oracles = self._with_oracle_rounds(context, corpora, best, facts)
        tasks = [
            self._task(corpora[corpus], (oracles if truth == "reference" else best)[corpus], truth, n_threads)
            for corpus, found in facts.items()
            for truth in (_BOTH if found.has_reference else _CLICKS)
        ]
        # An action: one model of some 100 kB and n_samples vectors a corpus come back.
        results = context.parallelize(tasks, len(tasks)).map(run_final).collect() if tasks else []
        return _sort(results, facts)

    def ranker_files(self, fits: FinalFits, best: Mapping[str, Trial], feature_set: FeatureSet) -> dict[str, bytes]:
        """Return the files of every trained ranker, the same bytes for the same input.

        Args:
            fits: From `fit`.
            best: Corpus to its best trial.
            feature_set: The features, in the matrix's order.

        Returns:
            "<corpus>/model.ubj", ".../manifest.json", ".../feature_set.json", ".../sample_vectors.json" to content.
        """
        files = {}
        for corpus, result in fits.rankers.items():
            manifest = self._manifest(fits.facts[corpus], best[corpus]) | _features(feature_set)
            files[f"{corpus}/model.ubj"] = result.fitted.model if result.fitted else b""
            files[f"{corpus}/manifest.json"] = to_json(manifest)
            files[f"{corpus}/feature_set.json"] = to_json(feature_set.model_dump(mode="json"))
            files[f"{corpus}/sample_vectors.json"] = to_json(_sample(result, feature_set.names))
        return files

    def _with_oracle_rounds(
        self,
        context: SparkContext,
        corpora: Mapping[str, StagedCorpus],
        best: Mapping[str, Trial],
        facts: Mapping[str, CorpusFacts],
    ) -> dict[str, Trial]:
        """Find by cross-validation how many rounds the reference grades bear: they are cleaner than clicks."""
        n_threads = threads_a_task(context)
        tasks = [
            FoldTask(corpora[corpus].names, best[corpus], fold, self.ranker, settings, truth="reference")
            for corpus, found in facts.items()
            if found.has_reference
            for settings in [self.budget.fit_settings(n_threads, seed_of(self.random_state, corpus))]
            for fold in found.folds
        ]
        rounds: dict[str, list[int]] = {}
        for result in run_folds(context, tasks) if tasks else ():
            rounds.setdefault(result.corpus, []).append(result.n_rounds or best[result.corpus].n_rounds or 1)
        return {corpus: replace(best[corpus], n_rounds=round(sum(n) / len(n))) for corpus, n in rounds.items()}

    def _task(self, staged: StagedCorpus, best: Trial, truth: Truth, n_threads: int) -> FinalTask:
        searched = self.budget.fit_settings(n_threads, seed_of(self.random_state, staged.corpus))
        settings = replace(searched, n_rounds=best.n_rounds or 1, early_stopping_rounds=None)
        n_samples = self.n_samples if truth == "clicks" else 0
        return FinalTask(staged.corpus, staged.names, truth, self.ranker, best.params, settings, n_samples)

    def _manifest(self, facts: CorpusFacts, best: Trial) -> dict[str, Any]:
        ranker: Ranker = plugins.create("rankers", self.ranker)
        return {
            "corpus": best.corpus,
            "ranker": self.ranker.name,
            "objective": ranker.objective,
            "params": ranker.default_params() | dict(best.params),
            "n_rounds": best.n_rounds,
            "cross_validation": {
                "metric": f"ndcg@{self.budget.metric_k}",
                "mean": None if best.loss is None else -best.loss,
                "n_folds": len(facts.folds),
                "trial": best.number,
            },
            "n_train_rows": facts.n_graded_rows,
            "n_train_queries": facts.n_graded_queries,
            "n_test_rows": facts.n_rows["test"],
            "n_test_queries": facts.n_queries["test"],
            "random_state": self.random_state,
        }


def oracle_files(fits: FinalFits) -> dict[str, bytes]:
    """Return "<corpus>/model.ubj" of every oracle."""
    return {f"{corpus}/model.ubj": result.fitted.model for corpus, result in fits.oracles.items() if result.fitted}


def models(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return corpus to model, from the files of `ranker` or `oracle_ranker`."""
    ending = "/model.ubj"
    return {name.removesuffix(ending): content for name, content in sorted(files.items()) if name.endswith(ending)}


def to_json(content: Any) -> bytes:
    """Write JSON with sorted keys and no NaN, the same bytes every time."""
    return (json.dumps(content, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _sort(results: Iterable[FinalResult], facts: dict[str, CorpusFacts]) -> FinalFits:
    fits = FinalFits({}, {}, facts, [])
    for result in results:
        if result.fitted is not None:
            (fits.rankers if result.truth == "clicks" else fits.oracles)[result.corpus] = result
        elif result.truth == "clicks":
            hint = "The search's best trial cannot be repeated on all folds: look at the error."
            fits.failures.append(CorpusFailure(result.corpus, "training", result.error, hint))
        else:
            # The evaluation does without it: what is published is the ranker.
            logger.warning("The oracle of corpus %s could not be trained: %s", result.corpus, result.error)
    return fits


def _features(feature_set: FeatureSet) -> dict[str, Any]:
    return {
        "features": list(feature_set.names),
        "feature_set": {"name": feature_set.name, "version": feature_set.version},
        "missing_value_policy": {
            "nan": "missing",
            "absent": {feature.name: feature.absent for feature in feature_set.features},
        },
    }


def _sample(result: FinalResult, names: tuple[str, ...]) -> dict[str, Any]:
    """Vectors and scores as JSON numbers that read back as the same 32-bit floats; a missing value is null."""
    if result.sample is None or result.scores is None:
        return {}
    return {
        "feature_names": list(names),
        "features": _numbers(result.sample.features),
        "qid": result.sample.qid.tolist(),
        "query": list(result.sample.query),
        "doc_id": list(result.sample.doc_id),
        "scores": _numbers(result.scores),
    }


def _numbers(values: NDArray[np.float32]) -> list[Any]:
    """A Python float holds every 32-bit float exactly, and JSON writes it so that it reads back exactly."""
    whole = values.astype(np.float64).astype(object)
    whole[np.isnan(values)] = None
    listed: list[Any] = whole.tolist()
    return listed
