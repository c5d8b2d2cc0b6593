"""Ends a run with the facts people want: what came out per corpus, how good it is, and what to type next."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError

from rankhammer import summary
from rankhammer.corpus_status import Scope
from rankhammer.hooks.outputs_left import OutputsLeft
from rankhammer.pipeline_registry import BRANCHES, STAGES
from rankhammer.spark_health import read_health

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline.node import Node

    from rankhammer.hooks.fingerprint_hook import FingerprintHook

logger = logging.getLogger(__name__)
RUN_SUMMARY = "run_summary"


class SummaryHook:
    """Collects the stages' reports into run_summary.json and prints the closing table.

    Args:
        fingerprints: Knows which reports are of this run's parameters, inputs and code: others are left out.
    """

    def __init__(self, fingerprints: FingerprintHook) -> None:
        self._fingerprints = fingerprints
        self._outputs = OutputsLeft()
        self._stage_started_at: dict[str, float] = {}
        self._stage_seconds: dict[str, float] = {}
        self._node_started_at = 0.0
        self._run_started_at = 0.0

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Start the clocks."""
        self._outputs, self._stage_seconds = OutputsLeft(), {}
        self._run_started_at = time.monotonic()

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
        """Write run_summary.json and print the table."""
        reports = {stage: self._load(catalog, f"{stage}_report") for stage in STAGES}
        facts = summary.build(
            reports,
            stages_run=tuple(self._stage_seconds),
            stage_seconds=self._stage_seconds,
            total_s=time.monotonic() - self._run_started_at,
            published=_path_of(catalog, "exported_model"),
            scope=self._scope(run_params, catalog),
            health=read_health(),
        )
        catalog[RUN_SUMMARY].save(facts)
        summary.show(facts, where=_path_of(catalog, RUN_SUMMARY))

    def _scope(self, run_params: dict[str, Any], catalog: DataCatalog) -> Scope:
        """Tell what the run was to work on; only its last stage knows what all before it have left out."""
        ran = [stage for stage in STAGES if stage in self._stage_seconds]
        published: Any = catalog["exported_model"]
        kept = published.kept() if "export" in ran else {}
        return Scope(
            environment=run_params["env"] or "local",
            params=run_params.get("runtime_params") or {},
            corpora=self._fingerprints.corpora_of(f"{ran[-1]}_report") if ran else None,
            kept=kept,
        )

    def _load(self, catalog: DataCatalog, name: str) -> dict[str, Any] | None:
        """Return a stage's report, or None where that stage has not run yet, or on something else."""
        try:
            report: dict[str, Any] = catalog[name].load()
        except DatasetError:
            return None
        return report if self._fingerprints.is_current(name, catalog) else None


def _path_of(catalog: DataCatalog, name: str) -> str:
    dataset = catalog[name]
    return str(getattr(dataset, "current_path", dataset._describe().get("filepath", "")))
