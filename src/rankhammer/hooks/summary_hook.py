"""Ends a run with the facts people want: what came out per corpus, how good it is, and what to type next."""

from __future__ import annotations

import logging
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError
from py4j.protocol import Py4JError

from rankhammer.errors import RankhammerError
from rankhammer.hooks.progress_hook import PendingOutputs
from rankhammer.pipeline_registry import BRANCHES, STAGES
from rankhammer.runs import champion_facts, drift, history, run_ids, summary
from rankhammer.runs.catalog_entries import RUN_HISTORY, RUN_SUMMARY
from rankhammer.runs.corpus_status import Scope
from rankhammer.runs.expected_fingerprints import LINEAGE
from rankhammer.runs.held_out import describe_holdout
from rankhammer.runs.history import BY_STAGE, Started
from rankhammer.runs.user_errors import user_error
from rankhammer.spark.health import Health, read_health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kedro.io import DataCatalog
    from kedro.pipeline.node import Node

    from rankhammer.hooks.fingerprint_hook import FingerprintHook

logger = logging.getLogger(__name__)
_MOST_EARLIER = 20
NOTHING_TO_DO = "Nothing to do: all outputs are there, made of these inputs, parameters and code."


class SummaryHook:
    """Collects the stages' reports into run_summary.json and the history of runs, and prints the closing table.

    Args:
        fingerprints: Knows which reports are of this run's parameters, inputs and code: others are left out.
    """

    def __init__(self, fingerprints: FingerprintHook) -> None:
        self._fingerprints = fingerprints
        self._outputs = PendingOutputs()
        self._stage_started_at: dict[str, float] = {}
        self._stage_seconds: dict[str, float] = {}
        self._node_started_at = 0.0
        self._run_started_at = 0.0
        self._started = Started("", None, history.now())

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Start the clocks."""
        self._outputs, self._stage_seconds = PendingOutputs(), {}
        self._run_started_at = time.monotonic()
        run = (run_params.get("runtime_params") or {}).get("run")
        self._started = Started(run_ids.new_id(), None if run is None else str(run), history.now())

    @hook_impl
    def before_node_run(self) -> None:
        """Start a node's clock."""
        self._node_started_at = time.monotonic()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Add a finished node's seconds to its stage."""
        if self._outputs.is_last(node, dataset_name):
            elapsed_s = time.monotonic() - self._node_started_at
            for stage in node.tags & {*STAGES, *BRANCHES}:
                self._stage_seconds[stage] = self._stage_seconds.get(stage, 0.0) + elapsed_s

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        """Write run_summary.json and the run's record, and print the table."""
        scope = self._scope(run_params, catalog)
        facts, record = self._facts(scope, catalog, read_health())
        kept = history.by_stage(_load(catalog, RUN_SUMMARY), record, scope)
        catalog[RUN_SUMMARY].save({**facts, "run": record["id"], BY_STAGE: kept})
        catalog[RUN_HISTORY].save(record)
        if self._stage_seconds:
            summary.show(facts, where=_path_of(catalog, RUN_SUMMARY))
        else:
            click.echo(NOTHING_TO_DO)

    @hook_impl
    def on_pipeline_error(self, error: Exception, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        """Add a run that failed to the history; run_summary.json continues saying what the last complete one found."""
        try:
            scope = Scope(run_params["env"] or "local", run_params.get("runtime_params") or {})
            record = self._facts(scope, catalog, Health(), error=_message(error))[1]
            catalog[RUN_HISTORY].save(record)
        except (OSError, Py4JError, DatasetError, RankhammerError):
            # The error that ended the run is the one to show.
            logger.debug("The failed run could not be added to the history", exc_info=True)

    def _facts(
        self, scope: Scope, catalog: DataCatalog, health: Health, *, error: str = ""
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the closing table's facts, and the run's record."""
        reports: dict[str, Any] = {stage: self._load(catalog, f"{stage}_report") for stage in STAGES}
        compared = self._load(catalog, champion_facts.CURRENT_COMPARISON)
        reports["training"] = champion_facts.with_champions(reports["training"], compared)
        facts = summary.build(
            reports,
            stages_run=tuple(self._stage_seconds),
            stage_seconds=self._stage_seconds,
            total_s=time.monotonic() - self._run_started_at,
            published=_path_of(catalog, "exported_model"),
            scope=scope,
            health=health,
        )
        lineage = _load(catalog, LINEAGE) or {}
        holdout = describe_holdout(lineage.get("parameters", {}))
        found = history.figures(reports, self._stage_seconds, holdout=holdout)
        facts["drift"] = [] if error else drift.describe(found, _earlier(catalog, scope), facts["metric"])
        return facts, history.record(
            self._started, facts, found=found, params=scope.params, lineage=lineage, error=error
        )

    def _scope(self, run_params: dict[str, Any], catalog: DataCatalog) -> Scope:
        """Tell what the run was to work on; only its last stage knows what all before it have left out."""
        ran = [stage for stage in STAGES if stage in self._stage_seconds]
        published: Any = catalog["exported_model"]
        is_exported = "export" in ran
        return Scope(
            environment=run_params["env"] or "local",
            params=run_params.get("runtime_params") or {},
            corpora=self._fingerprints.corpora_of(f"{ran[-1]}_report") if ran else None,
            kept=published.kept() if is_exported else {},
            held_back=published.held_back() if is_exported else {},
        )

    def _load(self, catalog: DataCatalog, name: str) -> dict[str, Any] | None:
        """Return a stage's report, or None where that stage has not run yet, or on something else."""
        report = _load(catalog, name)
        return report if report is not None and self._fingerprints.is_current(name, catalog) else None


def _load(catalog: DataCatalog, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = catalog[name].load()
    except (DatasetError, KeyError):
        return None
    return found


def _earlier(catalog: DataCatalog, scope: Scope) -> Iterator[dict[str, Any]]:
    """Yield the last records of the environment's history, the newest first."""
    dataset: Any = catalog[RUN_HISTORY]
    return islice((one for one in dataset.newest_first() if one.get("environment") == scope.environment), _MOST_EARLIER)


def _message(error: Exception) -> str:
    """Say in one line what ended a run, as the command line says it."""
    cause = user_error(error)
    return cause.message if cause else f"{type(error).__name__}: {error}"


def _path_of(catalog: DataCatalog, name: str) -> str:
    dataset = catalog[name]
    return str(getattr(dataset, "current_path", dataset._describe().get("filepath", "")))
