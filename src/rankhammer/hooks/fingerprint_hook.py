"""Tells every hand-off what this run would make it of, so that stale data is refused, not published."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError, MemoryDataset

from rankhammer import corpora
from rankhammer.datasets import CheckpointDataset, DayStoreDataset, InputDataset
from rankhammer.errors import ConfigError, RankhammerError
from rankhammer.fingerprints.handoffs import digest
from rankhammer.runs.catalog_entries import require_entries
from rankhammer.runs.expected_fingerprints import (
    LINEAGE,
    REPORT_FINGERPRINTS,
    compute_expected,
    handoff_of,
    recorded_reports,
)
from rankhammer.runs.input_checks import check_inputs
from rankhammer.storage.base import remove_unfinished, storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    from rankhammer.datasets.handoff import Fingerprint


logger = logging.getLogger(__name__)


class FingerprintHook:
    """Computes fingerprints before a run and records those of the small reports, whose datasets keep none."""

    def __init__(self) -> None:
        self._expected: dict[str, Fingerprint] = {}
        self._being_saved: set[str] = set()
        self._checkpoints: dict[str, list[CheckpointDataset]] = {}
        self._catalog: DataCatalog | None = None
        self._loader: Any = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep what knows which values of the command line are no parameters of a stage."""
        self._loader = context.config_loader

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Set what each hand-off must be made of, add the lineage, and find reports that are out of date.

        Raises:
            ConfigError: A dataset has no entry in the catalog, or a hand-off's folder cannot be written.
            RankhammerError: What `input_checks.check_inputs` has found, all of it at once.
        """
        require_entries(pipeline, catalog)
        variables = getattr(self._loader, "variables", ())
        checked = check_inputs(pipeline, catalog, variables=variables)
        checked.faults.raise_all()
        for note in checked.notes:
            logger.warning("%s", note)
        expected = compute_expected(pipeline, catalog, variables=variables)
        if LINEAGE in catalog:
            # The catalog's own entry says where kedro-viz draws it; to replace it, Kedro would warn.
            catalog[LINEAGE].save(expected.lineage)
        else:
            catalog[LINEAGE] = MemoryDataset(expected.lineage)
        self._expected, self._catalog = expected.fingerprints, catalog
        self._checkpoints = bind_checkpoints(pipeline, catalog, expected.fingerprints)
        bind_days(pipeline, catalog, expected.fingerprints)
        _require_writable(pipeline, catalog)
        if run_params["only_missing_outputs"]:
            self._forget_stale_reports(pipeline, catalog)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, node: Node) -> None:  # noqa: ARG002 - Kedro's signature
        """Forget what a report was made of before it is overwritten: half of one must not count as there."""
        self._being_saved.add(dataset_name)
        self._record(dataset_name, "unfinished")

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:  # noqa: ARG002 - Kedro's signature
        """Record what a report was made of; with a node's last output, what it has kept is not needed any more."""
        self._being_saved.discard(dataset_name)
        if dataset_name in self._expected:
            self._record(dataset_name, self._expected[dataset_name].digest)
        for checkpoints in self._checkpoints.get(dataset_name, ()):
            checkpoints.load().clear()

    @hook_impl
    def on_pipeline_error(self, catalog: DataCatalog) -> None:
        """Remove a report that was not written to its end: on a full disk half of one would stay for people to open."""
        names = {name for name in self._being_saved if name in catalog and handoff_of(catalog, name) is None}
        self._being_saved.clear()
        paths = [str(catalog[name]._describe().get("filepath") or "") for name in sorted(names)]
        for path in filter(None, paths):
            remove_unfinished(storage_for(path), [path])

    def is_current(self, report: str, catalog: DataCatalog) -> bool:
        """Say whether a report is complete and made of what this run would make it of."""
        return report in self._expected and recorded_reports(catalog).get(report) == self._expected[report].digest

    def corpora_of(self, report: str) -> Sequence[str] | None:
        """Return the corpora that a report refers to; None: all."""
        return self._expected[report].corpora if report in self._expected else None

    def _record(self, name: str, digest: str) -> None:
        catalog = self._catalog
        if catalog is not None and name in self._expected and handoff_of(catalog, name) is None:
            catalog[REPORT_FINGERPRINTS].save(recorded_reports(catalog) | {name: digest})

    def _forget_stale_reports(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Count reports that were made of something else as missing, for `--only-missing-outputs`."""
        for name in pipeline.all_outputs():
            if handoff_of(catalog, name) is None and not self.is_current(name, catalog):
                setattr(catalog[name], "exists", lambda: False)  # noqa: B010 - replaces a method of one object


def bind_checkpoints(
    pipeline: Pipeline, catalog: DataCatalog, expected: Mapping[str, Fingerprint]
) -> dict[str, list[CheckpointDataset]]:
    """Tell each folder of checkpoints what its node would make, so that nothing else in it is used.

    Args:
        pipeline: Of the run.
        catalog: Likewise.
        expected: Output to what it would be made of.

    Returns:
        A node's last output to the folders that are not needed any more once it is written.
    """
    found: dict[str, list[CheckpointDataset]] = {}
    for node in pipeline.nodes:
        for dataset in (catalog[name] for name in node.inputs if name in catalog):
            if isinstance(dataset, CheckpointDataset):
                dataset.made_of = expected[node.outputs[0]].digest
                found.setdefault(node.outputs[-1], []).append(dataset)
    return found


def bind_days(pipeline: Pipeline, catalog: DataCatalog, expected: Mapping[str, Fingerprint]) -> None:
    """Tell the folder of finished days what is behind each of them: code and configuration, without data and choices.

    Args:
        pipeline: Of the run.
        catalog: Likewise.
        expected: Output to what it would be made of.
    """
    for node in pipeline.nodes:
        for store in (catalog[name] for name in node.inputs if name in catalog):
            if isinstance(store, DayStoreDataset) and not store.made_of:
                parts = expected[node.outputs[0]].parts
                data = {name for name in node.inputs if name in catalog and isinstance(catalog[name], InputDataset)}
                left_out = {*data, *(name for name in parts if name.startswith("params:ingestion")), corpora.PARAMETER}
                store.made_of = digest({name: part for name, part in parts.items() if name not in left_out})


def _require_writable(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Find out before the first node, not after an hour, that an output cannot be written."""
    handoffs = {name: handoff_of(catalog, name) for name in sorted(pipeline.all_outputs())}
    probes = {name: handoff.check_writable for name, handoff in handoffs.items() if handoff is not None}
    # The reports stand in one folder, with the record of what they were made of.
    probes[REPORT_FINGERPRINTS] = lambda: catalog[REPORT_FINGERPRINTS].save(recorded_reports(catalog))
    for name, check_writable in probes.items():
        try:
            check_writable()
        except (OSError, DatasetError) as exc:
            cause = exc.__cause__ if isinstance(exc, DatasetError) else exc
            if isinstance(cause, RankhammerError):
                raise cause from None
            raise ConfigError(
                f"Output {name!r} cannot be written: {cause or exc}",
                hint="Correct `paths` in conf/<env>/globals.yml, or the folder's permissions.",
                name=name,
            ) from exc
