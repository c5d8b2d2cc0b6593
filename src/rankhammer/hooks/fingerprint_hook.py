"""Tells every hand-off what this run would make it of, so that stale data is refused, not published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError, MemoryDataset

from rankhammer.errors import ConfigError
from rankhammer.expectations import LINEAGE, REPORT_FINGERPRINTS, expect, given_inputs, handoff_of, recorded_reports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    from rankhammer.datasets.handoff import Fingerprint


class FingerprintHook:
    """Computes fingerprints before a run and records those of the small reports, whose datasets keep none."""

    def __init__(self) -> None:
        self._expected: dict[str, Fingerprint] = {}
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
            ConfigError: A parameter is wrong, an input is not there, or a hand-off's folder cannot be written.
        """
        expected = expect(pipeline, catalog, variables=getattr(self._loader, "variables", ()))
        catalog[LINEAGE] = MemoryDataset(expected.lineage)
        self._expected, self._catalog = expected.fingerprints, catalog
        _require_found(pipeline, catalog)
        _require_writable(pipeline, catalog)
        if run_params["only_missing_outputs"]:
            self._forget_stale_reports(pipeline, catalog)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, node: Node) -> None:  # noqa: ARG002 - Kedro's signature
        """Forget what a report was made of before it is overwritten: half of one must not count as there."""
        self._record(dataset_name, "unfinished")

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:  # noqa: ARG002 - Kedro's signature
        """Record what a report was made of."""
        if dataset_name in self._expected:
            self._record(dataset_name, self._expected[dataset_name].digest)

    def is_current(self, report: str, catalog: DataCatalog) -> bool:
        """Say whether a report is complete and made of what this run would make it of."""
        return report in self._expected and recorded_reports(catalog).get(report) == self._expected[report].digest

    def corpora_of(self, report: str) -> Sequence[str] | None:
        """Return the corpora that a report speaks of; None: all."""
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


def _require_found(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Find out before the first node, not after an hour, that the last stage's input is not there."""
    for dataset in given_inputs(pipeline, catalog).values():
        dataset.require_found()


def _require_writable(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Find out before the first node, not after an hour, that an output cannot be written."""
    handoffs = {name: handoff_of(catalog, name) for name in sorted(pipeline.all_outputs())}
    probes = {name: handoff.probe for name, handoff in handoffs.items() if handoff is not None}
    # The reports stand in one folder, with the record of what they were made of.
    probes[REPORT_FINGERPRINTS] = lambda: catalog[REPORT_FINGERPRINTS].save(recorded_reports(catalog))
    for name, probe in probes.items():
        try:
            probe()
        except (OSError, DatasetError) as exc:
            raise ConfigError(
                f"Output {name!r} cannot be written: {exc}",
                hint="Correct `paths` in conf/<env>/globals.yml, or the folder's permissions.",
                name=name,
            ) from exc
