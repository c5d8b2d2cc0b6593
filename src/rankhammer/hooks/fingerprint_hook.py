"""Tells every hand-off what this run would make it of, so that stale data is refused, not published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError, MemoryDataset
from kedro.pipeline import Pipeline

import rankhammer
from rankhammer import fingerprints
from rankhammer.config import without_variables
from rankhammer.datasets import InputDataset
from rankhammer.errors import ConfigError
from rankhammer.parameters import check_parameters

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline.node import Node

    from rankhammer.datasets.handoff import Fingerprint, Handoff

LINEAGE = "lineage"
REPORT_FINGERPRINTS = "report_fingerprints"


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
        every_node = _every_node(pipeline)
        whole = _without_given(every_node, catalog)
        given = without_variables(
            fingerprints.plain(catalog["parameters"].load()), getattr(self._loader, "variables", set())
        )
        parameters = check_parameters(given, whole, known=every_node.inputs())
        code = fingerprints.code_digest()
        sources = _sources(whole, pipeline, catalog)
        lineage = _lineage(parameters, sources, code)
        catalog[LINEAGE] = MemoryDataset(lineage)
        self._expected = fingerprints.expected_fingerprints(
            whole, parameters=parameters | {LINEAGE: lineage}, sources=sources, code=code
        )
        self._catalog = catalog
        for name, fingerprint in self._expected.items():
            handoff = _handoff(catalog, name)
            if handoff is not None:
                handoff.name, handoff.expected = name, fingerprint
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
        return report in self._expected and _recorded_reports(catalog).get(report) == self._expected[report].digest

    def _record(self, name: str, digest: str) -> None:
        catalog = self._catalog
        if catalog is not None and name in self._expected and _handoff(catalog, name) is None:
            catalog[REPORT_FINGERPRINTS].save(_recorded_reports(catalog) | {name: digest})

    def _forget_stale_reports(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Count reports that were made of something else as missing, for `--only-missing-outputs`."""
        for name in pipeline.all_outputs():
            if _handoff(catalog, name) is None and not self.is_current(name, catalog):
                setattr(catalog[name], "exists", lambda: False)  # noqa: B010 - replaces a method of one object


def _handoff(catalog: DataCatalog, name: str) -> Handoff | None:
    return getattr(catalog[name], "handoff", None) if name in catalog else None


def _every_node(pipeline: Pipeline) -> Pipeline:
    """Return all stages, also those that this run leaves out."""
    from rankhammer.pipeline_registry import register_pipelines

    return register_pipelines()["__default__"] + pipeline


def _without_given(every_node: Pipeline, catalog: DataCatalog) -> Pipeline:
    """Leave out the nodes whose output an environment replaced by an input."""
    given = {name for name in every_node.all_outputs() if name in catalog and isinstance(catalog[name], InputDataset)}
    return Pipeline([node for node in every_node.nodes if not given & set(node.outputs)])


def _given_inputs(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, InputDataset]:
    """Return what a pipeline reads from outside, in name order."""
    inputs = {name: catalog[name] for name in sorted(pipeline.inputs()) if name in catalog}
    return {name: dataset for name, dataset in inputs.items() if isinstance(dataset, InputDataset)}


def _sources(whole: Pipeline, pipeline: Pipeline, catalog: DataCatalog) -> dict[str, str]:
    """Digest the raw inputs that this run reads; take the others as its first hand-offs recorded them."""
    read_now = _given_inputs(pipeline, catalog)
    in_order = [name for node in whole.nodes for name in node.outputs if name in pipeline.inputs()]
    recorded = [handoff.recorded for name in in_order if (handoff := _handoff(catalog, name)) is not None]
    return fingerprints.known_sources(read_now, recorded, lambda name: read_now[name].fingerprint())


def _lineage(parameters: dict[str, Any], sources: dict[str, str], code: str) -> dict[str, Any]:
    """Describe what a run's results come from: no times, no paths, so that equal runs publish equal bytes."""
    return {
        "rankhammer": rankhammer.__version__,
        "code": code,
        "inputs": dict(sorted(sources.items())),
        "parameters": {
            name.removeprefix("params:"): fingerprints.plain(value) for name, value in sorted(parameters.items())
        },
    }


def _require_found(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Find out before the first node, not after an hour, that the last stage's input is not there."""
    for dataset in _given_inputs(pipeline, catalog).values():
        dataset.require_found()


def _require_writable(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Find out before the first node, not after an hour, that an output cannot be written."""
    handoffs = {name: _handoff(catalog, name) for name in sorted(pipeline.all_outputs())}
    probes = {name: handoff.probe for name, handoff in handoffs.items() if handoff is not None}
    # The reports stand in one folder, with the record of what they were made of.
    probes[REPORT_FINGERPRINTS] = lambda: catalog[REPORT_FINGERPRINTS].save(_recorded_reports(catalog))
    for name, probe in probes.items():
        try:
            probe()
        except (OSError, DatasetError) as exc:
            raise ConfigError(
                f"Output {name!r} cannot be written: {exc}",
                hint="Correct `paths` in conf/<env>/globals.yml, or the folder's permissions.",
                name=name,
            ) from exc


def _recorded_reports(catalog: DataCatalog) -> dict[str, str]:
    try:
        recorded: dict[str, str] = catalog[REPORT_FINGERPRINTS].load()
    except DatasetError:
        return {}
    return recorded
