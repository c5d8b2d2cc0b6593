"""One model trained by several Spark tasks together: a barrier stage a fit, tried again where a task is lost."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import plugins
from rankhammer.errors import DataError
from rankhammer.evaluation.metrics import mean_value
from rankhammer.rankers.base import FittedRanker
from rankhammer.training.choice import group_sums
from rankhammer.training.curves import curve_of
from rankhammer.training.distributed_task import ERROR, FACTS, MODEL, NDCG, RESULT_SCHEMA, DistributedTask
from rankhammer.training.matrix import read_facts
from rankhammer.training.slots import require_slots
from rankhammer.training.worker import FinalResult, FoldResult, no_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark import SparkContext

    from rankhammer.rankers import Ranker
    from rankhammer.training.distributed_rows import DistributedCorpus, Part, Queries
    from rankhammer.training.matrix import CorpusFacts, Truth
    from rankhammer.training.staging import StagedCorpus
    from rankhammer.training.worker import FinalTask, FoldTask

MAX_ATTEMPTS = 3
"""Jobs a fit: Spark itself does not begin a barrier stage again whose results go to the driver."""
_REPLACED_S = 60
"""How long a lost executor's slots are waited for."""
logger = logging.getLogger(__name__)


class DistributedFits:
    """Runs the fits of one corpus, one after the other: each takes all slots that it asks for.

    Args:
        corpus: Whose rows they train on.
    """

    def __init__(self, corpus: DistributedCorpus) -> None:
        self._corpus = corpus
        self._queries: Queries = corpus.queries()
        self.facts = self._queries.facts()

    def require_slots(self) -> None:
        """Refuse to begin where not all tasks of a fit can run at once.

        Raises:
            ClusterError: There are too few slots.
        """
        require_slots(self._context, self._corpus.n_workers)

    @property
    def _context(self) -> SparkContext:
        return self._corpus.table.sparkSession.sparkContext

    def run_fold(self, task: FoldTask) -> FoldResult:
        """Do as `worker.run_fold`; whatever goes wrong is the trial's failure."""
        began, trial = time.perf_counter(), task.trial
        about: dict[str, Any] = {"corpus": trial.corpus, "trial": trial.number, "fold": task.fold}
        about["ranker"] = trial.ranker
        try:
            found = self._fit(task, trial.params, task.fold)
        except DataError as exc:
            return FoldResult(**about, duration_s=time.perf_counter() - began, error=exc.message)
        values = np.concatenate([np.frombuffer(found[place, NDCG]) for place in range(self._n_tasks(task.truth))])
        ndcg, facts = mean_value(values), json.loads(found[0, FACTS])
        fitted = FittedRanker(b"", facts["n_rounds"], tuple(facts["by_round"]))
        return FoldResult(
            **about,
            ndcg=ndcg,
            n_rounds=facts["n_rounds"],
            duration_s=time.perf_counter() - began,
            error="" if np.isfinite(ndcg) else f"fold {task.fold} has no query with a relevant document",
            groups=group_sums(values),
            curve=curve_of(fitted, plugins.create("rankers", task.ranker), values, task.rounds_kept),
            model_size=facts["model_size"],
        )

    def run_final(self, task: FinalTask) -> FinalResult:
        """Do as `worker.run_final`."""
        try:
            found = self._fit(task, task.params, None)
            facts = [json.loads(found[place, FACTS]) for place in range(self._n_tasks(task.truth))]
            if not any(one["orders"] for one in facts):
                raise no_order()
        except DataError as exc:
            return FinalResult(task.corpus, task.truth, error=exc.message, hint=exc.hint)
        ranker: Ranker = plugins.create("rankers", task.ranker)
        model = found[0, MODEL]
        sample = self._corpus.sample(task.n_samples) if task.n_samples else None
        scores = ranker.score(model, sample.features) if sample else None
        return FinalResult(task.corpus, task.truth, FittedRanker(model, facts[0]["n_rounds"]), sample, scores)

    def _n_tasks(self, truth: Truth) -> int:
        n_queries = int(((self._queries.n_graded[truth] > 0) & self._queries.in_train).sum())
        return max(1, min(self._corpus.n_workers, n_queries))

    def _fit(self, task: FoldTask | FinalTask, params: Any, fold: int | None) -> dict[tuple[int, str], bytes]:
        """Train, and try again where a task is lost.

        Returns:
            (place of the task, kind) to payload.

        Raises:
            DataError: The ranker cannot be trained so, or failed, or tasks were lost again and again.
        """
        _require_possible(task)
        parts = self._queries.parts(self._n_tasks(task.truth), task.truth)
        work = DistributedTask(task.ranker, params, task.settings, tuple(parts), fold is not None, task.on_disk)
        lost = ""
        for attempt in range(MAX_ATTEMPTS):
            try:
                # Slots were there at the beginning: those of a lost executor may come back.
                require_slots(self._context, len(parts), wait_s=_REPLACED_S)
                found = self._collect(work, parts, fold, task.truth)
            except Exception as exc:  # noqa: BLE001 - whatever ends a job ends this fit alone
                lost = _reason(exc)
                logger.warning("Corpus %s: %s; attempt %d of %d", self._corpus.corpus, lost, attempt + 1, MAX_ATTEMPTS)
                continue
            errors = [payload for (_, kind), payload in sorted(found.items()) if kind == ERROR]
            if errors:
                raise DataError(errors[0].decode(), hint="The text is the ranker's own.")
            return found
        raise DataError(
            f"{len(parts)} tasks that train one model together failed {MAX_ATTEMPTS} times, last with: {lost}",
            hint="Look at the executors' logs; give them more memory, or take fewer workers (training.workers.number).",
        )

    def _collect(
        self, work: DistributedTask, parts: Sequence[Part], fold: int | None, truth: Truth
    ) -> dict[tuple[int, str], bytes]:
        rows = self._corpus.rows_of(list(parts), fold, truth)
        # An action: one model, and a number per validation query come back.
        found = rows.mapInArrow(work, RESULT_SCHEMA, barrier=True).collect()
        return {(row["place"], row["kind"]): bytes(row["payload"]) for row in found}


def distributed_fits(corpora: Mapping[str, StagedCorpus]) -> dict[str, DistributedFits]:
    """Return what runs the fits of those corpora whose models several tasks train together.

    Args:
        corpora: Corpus to its staged training matrix.

    Raises:
        ClusterError: Not all tasks of a fit can run at once.
    """
    found = {name: DistributedFits(staged.distributed) for name, staged in corpora.items() if staged.distributed}
    for name, fits in found.items():
        fits.require_slots()
        logger.info("Corpus %s: %d tasks train each of its models together", name, corpora[name].n_workers)
    return found


def facts_of(staged: StagedCorpus, distributed: Mapping[str, DistributedFits]) -> CorpusFacts:
    """Return what there is to train a corpus on.

    Args:
        staged: The corpus.
        distributed: Of `distributed_fits`.
    """
    return distributed[staged.corpus].facts if staged.corpus in distributed else read_facts(staged.paths)


def _require_possible(task: FoldTask | FinalTask) -> None:
    from rankhammer.training.fit_rows import require_batches

    ranker: Ranker = plugins.create("rankers", task.ranker)
    reason = require_batches(ranker).why_not_distributed()
    if reason:
        raise DataError(
            f"One model of {task.ranker.name} cannot be trained by {task.n_workers} tasks: {reason}.",
            hint="Leave the option out, or set training.workers.number: 1.",
        )


def _reason(exc: Exception) -> str:
    """Return the sentence of a failed job that tells most."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or "Lost" in line or "lost" in line or "Barrier" in line]
    return (telling or lines or [type(exc).__name__])[-1][:300]
