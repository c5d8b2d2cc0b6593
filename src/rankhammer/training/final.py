"""The final rankers, one per corpus and truth, and the files that publish them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import plugins, progress
from rankhammer.corpora import corpus_in, folder_of
from rankhammer.errors import CorpusFailure
from rankhammer.mixed_model import file_of
from rankhammer.neural_model import BOOSTER_FILE, NETWORK_FILE
from rankhammer.plugins import PluginSpec
from rankhammer.rankers.scoring import Made
from rankhammer.training.distributed_fit import distributed_fits, facts_of
from rankhammer.training.fold_runs import FoldRuns, threads_a_task
from rankhammer.training.search import seed_of
from rankhammer.training.worker import FinalResult, FinalTask, FoldTask, run_final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray
    from pyspark import SparkContext

    from rankhammer.feature_sets import FeatureSet
    from rankhammer.rankers import Ranker
    from rankhammer.training.choice import Candidate, RankerChoice
    from rankhammer.training.matrix import CorpusFacts, Truth
    from rankhammer.training.search import Trial
    from rankhammer.training.staging import StagedCorpus
    from rankhammer.training.tune import Budget

logger = logging.getLogger(__name__)


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
        choice: The rankers among which each corpus's was chosen.
        budget: The search's budget.
        n_samples: Largest number of feature vectors to keep beside a ranker.
        random_state: The run's seed.
        on_disk: Corpora whose rows are too many for a task's memory; results are the same.
    """

    choice: RankerChoice
    budget: Budget
    n_samples: int
    random_state: int
    on_disk: frozenset[str] = frozenset()

    def fit(
        self,
        context: SparkContext,
        corpora: Mapping[str, StagedCorpus],
        best: Mapping[str, Trial],
        learned: Mapping[str, Trial] | None = None,
    ) -> FinalFits:
        """Train each corpus's ranker on its whole train split, with the chosen trial's parameters and rounds.

        The oracle is trained on the reference judgments with the same parameters and the number of rounds chosen by
        cross-validation: what
        this ranker and these features could reach if the judgments were right. It serves the evaluation only.

        Args:
            context: The session's.
            corpora: Corpus to its staged training matrix.
            best: Corpus to its chosen trial.
            learned: Corpus to the trial that its oracle repeats; None: the chosen one.
        """
        distributed = distributed_fits({corpus: corpora[corpus] for corpus in best if corpus in corpora})
        facts = {corpus: facts_of(corpora[corpus], distributed) for corpus in sorted(best) if corpus in corpora}
        n_threads = threads_a_task(context)
        run = FoldRuns(context, distributed=distributed)
        oracles = self._with_oracle_rounds(run, n_threads, corpora, best if learned is None else learned, facts)
        repeated: tuple[tuple[Truth, Mapping[str, Trial]], ...] = (("clicks", best), ("reference", oracles))
        tasks = [
            self._task(corpora[corpus], trials[corpus], facts[corpus], truth, n_threads)
            for corpus in facts
            for truth, trials in repeated
            if corpus in trials
        ]
        progress.tell(f"training {len(tasks)} final rankers")
        alone = [task for task in tasks if task.corpus not in distributed]
        # An action: one model of some 100 kB and n_samples vectors per corpus come back.
        results = context.parallelize(alone, len(alone)).map(run_final).collect() if alone else []
        results += [distributed[task.corpus].run_final(task) for task in tasks if task.corpus in distributed]
        return _sort(results, facts)

    def ranker_files(self, fits: FinalFits, best: Mapping[str, Trial], feature_set: FeatureSet) -> dict[str, bytes]:
        """Return the files of every trained ranker, the same bytes for the same input.

        Args:
            fits: From `fit`.
            best: Corpus to its best trial.
            feature_set: The features, in the matrix's order.

        Returns:
            "<folder of the corpus>/model.ubj", or model.json of a network, and there manifest.json, feature_set.json
            and sample_vectors.json, to content.
        """
        files = {}
        for corpus, result in fits.rankers.items():
            folder = folder_of(corpus)
            manifest = self._manifest(corpus, fits.facts[corpus], best[corpus]) | _features(feature_set)
            model = result.fitted.model if result.fitted else b""
            files[f"{folder}/{file_of(model)}"] = model
            files[f"{folder}/manifest.json"] = to_json(manifest)
            files[f"{folder}/feature_set.json"] = to_json(feature_set.model_dump(mode="json"))
            files[f"{folder}/sample_vectors.json"] = to_json(_sample(result, feature_set.names))
        return files

    def oracle_files(self, fits: FinalFits, learned: Mapping[str, Trial]) -> dict[str, bytes]:
        """Return the files of every oracle.

        Args:
            fits: From `fit`.
            learned: Corpus to the trial that its oracle repeated.

        Returns:
            "<folder of the corpus>/model.ubj", or model.json of a network, and there manifest.json, which says what it
            is, to content.
        """
        files = {}
        for corpus, result in fits.oracles.items():
            if result.fitted:
                made_by = _named(self.ranker_of(learned[corpus], fits.facts[corpus]))
                files[f"{folder_of(corpus)}/{file_of(result.fitted.model)}"] = result.fitted.model
                files[f"{folder_of(corpus)}/manifest.json"] = to_json({"corpus": corpus, **made_by})
        return files

    def ranker_of(self, trial: Trial, facts: CorpusFacts) -> PluginSpec:
        """Return the ranker of a trial, with the options that it has for a corpus of this size."""
        return self._candidate(trial, facts).ranker

    def _candidate(self, trial: Trial, facts: CorpusFacts) -> Candidate:
        candidates = self.choice.for_size(facts.n_graded_queries, facts.n_graded_rows)
        return next(found for found in candidates if found.name == trial.ranker)

    def _with_oracle_rounds(
        self,
        run: FoldRuns,
        n_threads: int,
        corpora: Mapping[str, StagedCorpus],
        learned: Mapping[str, Trial],
        facts: Mapping[str, CorpusFacts],
    ) -> dict[str, Trial]:
        """Find by cross-validation how many rounds the reference grades bear: they are cleaner than clicks."""
        tasks = [
            FoldTask(
                *(staged.names, trial, fold, candidate.ranker, settings),
                truth="reference",
                on_disk=corpus in self.on_disk,
                n_workers=staged.n_workers,
            )
            for corpus, found in facts.items()
            for trial in ([learned[corpus]] if found.has_reference and corpus in learned else [])
            for staged, candidate in [(corpora[corpus], self._candidate(trial, found))]
            for seed in [seed_of(self.random_state, corpus)]
            for settings in [self.budget.fit_settings(n_threads, seed, candidate.max_rounds)]
            for fold in found.folds
        ]
        progress.tell("training on reference grades, to compare with")
        rounds: dict[str, list[int]] = {}
        for result in run(tasks):
            rounds.setdefault(result.corpus, []).append(result.n_rounds or learned[result.corpus].n_rounds or 1)
        return {corpus: replace(learned[corpus], n_rounds=round(sum(n) / len(n))) for corpus, n in rounds.items()}

    def _task(self, staged: StagedCorpus, best: Trial, facts: CorpusFacts, truth: Truth, n_threads: int) -> FinalTask:
        searched = self.budget.fit_settings(n_threads, seed_of(self.random_state, staged.corpus))
        settings = replace(searched, n_rounds=best.n_rounds or 1, early_stopping_rounds=None)
        n_samples = self.n_samples if truth == "clicks" else 0
        ranker = self.ranker_of(best, facts)
        task = FinalTask(staged.corpus, staged.names, truth, ranker, best.params, settings, n_samples)
        return replace(task, on_disk=staged.corpus in self.on_disk, n_workers=staged.n_workers)

    def _manifest(self, corpus: str, facts: CorpusFacts, best: Trial) -> dict[str, Any]:
        made_by = self.ranker_of(best, facts)
        ranker: Ranker = plugins.create("rankers", made_by)
        return {
            "corpus": corpus,
            **_named(made_by),
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


def models(files: Mapping[str, bytes]) -> dict[str, Made]:
    """Return corpus to model and the ranker that made it, from the files of `ranker` or `oracle_ranker`."""
    parts = ((*name.rpartition("/"), content) for name, content in sorted(files.items()))
    found = {folder: content for folder, _, name, content in parts if folder and name in (BOOSTER_FILE, NETWORK_FILE)}
    return {
        corpus_in(f"{folder}/"): Made(_read_name(files.get(f"{folder}/manifest.json", _OLD)), content)
        for folder, content in found.items()
    }


_OLD = b'{"ranker": "xgboost"}'
"""Manifest of an oracle from before there was a choice."""


def _named(ranker: PluginSpec) -> dict[str, Any]:
    return {"ranker": ranker.name, "ranker_options": ranker.model_dump(mode="json")["options"]}


def _read_name(manifest: bytes) -> PluginSpec:
    facts = json.loads(manifest)
    return PluginSpec(name=facts["ranker"], options=facts.get("ranker_options", {}))


def to_json(content: Any) -> bytes:
    """Write JSON with sorted keys and no NaN, the same bytes every time."""
    return (json.dumps(content, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _sort(results: Iterable[FinalResult], facts: dict[str, CorpusFacts]) -> FinalFits:
    fits = FinalFits({}, {}, facts, [])
    for result in results:
        if result.fitted is not None:
            (fits.rankers if result.truth == "clicks" else fits.oracles)[result.corpus] = result
        elif result.truth == "clicks":
            fits.failures.append(CorpusFailure(result.corpus, "training", result.error, result.hint))
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
