"""What a run's datasets have to be made of, and what is recorded of them; nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kedro.io import DatasetError
from kedro.pipeline import Pipeline

import rankhammer
from rankhammer import corpora
from rankhammer.config_loader import without_variables
from rankhammer.datasets import InputDataset
from rankhammer.errors import ConfigError
from rankhammer.fingerprints import handoffs as fingerprints
from rankhammer.fingerprints import node_code
from rankhammer.pipeline_registry import every_node, register_pipelines, short_name
from rankhammer.runs.parameters import check_parameters
from rankhammer.yarn.resources import Matrix

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kedro.io import DataCatalog

    from rankhammer.datasets.handoff import Fingerprint, Handoff

LINEAGE = "lineage"
REPORT_FINGERPRINTS = "report_fingerprints"
VERDICTS = "verdicts"
"""What the export reads to decide, not to write."""


@dataclass(frozen=True)
class Expectations:
    """What a run would make.

    Args:
        fingerprints: Dataset to what it would be made of, for every output of all stages.
        lineage: What the run's results come from.
    """

    fingerprints: dict[str, Fingerprint]
    lineage: dict[str, Any]


def compute_expected(pipeline: Pipeline, catalog: DataCatalog, *, variables: Collection[str] = ()) -> Expectations:
    """Check the parameters and work out what a run would make; the catalog's hand-offs are told.

    Args:
        pipeline: The run's nodes.
        catalog: The run's.
        variables: Names on the command line that only fill a place in other files.

    Raises:
        ConfigError: A parameter is wrong.
        ParameterValidationError: Likewise.
    """
    whole = _without_given(_every_node(pipeline), catalog)
    parameters = checked_parameters(pipeline, catalog, variables=variables)
    code = node_code.code_of(whole, parameters=parameters, catalog=catalog)
    recorded = _recorded_inputs(whole, pipeline, catalog)
    read_now = given_inputs(pipeline, catalog)
    sources = fingerprints.known_sources(read_now, recorded, lambda name: read_now[name].fingerprint())
    # Which corpora were chosen with it changes no corpus' ranker.
    others = {name: parameters[name] for name in parameters if name != corpora.PARAMETER}
    lineage = _lineage(others, sources, {node: code[node] for node in _behind_lineage(whole)})
    expected = fingerprints.expected_fingerprints(
        whole,
        parameters=parameters | {LINEAGE: lineage},
        sources=sources,
        code=code,
        choices=fingerprints.known_choices({short_name(node) for node in pipeline.nodes}, recorded),
    )
    _require_chosen(pipeline, corpora.named(parameters.get(corpora.PARAMETER)), expected)
    for name, fingerprint in expected.items():
        handoff = handoff_of(catalog, name)
        if handoff is not None:
            handoff.name, handoff.expected = name, fingerprint
    return Expectations(expected, lineage)


def checked_parameters(pipeline: Pipeline, catalog: DataCatalog, *, variables: Collection[str] = ()) -> dict[str, Any]:
    """Return every `params:` input of all stages, checked.

    Args:
        pipeline: The run's nodes.
        catalog: The run's.
        variables: Names on the command line that only fill a place in other files.

    Raises:
        ConfigError: A parameter is wrong.
        ParameterValidationError: Likewise.
    """
    whole = _every_node(pipeline)
    given = without_variables(fingerprints.plain(catalog["parameters"].load()), set(variables))
    return check_parameters(given, _without_given(whole, catalog), known=every_node().inputs())


def handoff_of(catalog: DataCatalog, name: str) -> Handoff | None:
    """Return a dataset's marker, or None where it has none, as small reports do not."""
    return getattr(catalog[name], "handoff", None) if name in catalog else None


def given_inputs(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, InputDataset]:
    """Return what a pipeline reads from outside, in name order."""
    inputs = {name: catalog[name] for name in sorted(pipeline.inputs()) if name in catalog}
    return {name: dataset for name, dataset in inputs.items() if isinstance(dataset, InputDataset)}


def chosen(catalog: DataCatalog) -> list[str] | None:
    """Return the corpora that the parameters name; None: all."""
    return corpora.named(catalog[corpora.PARAMETER].load()) if corpora.PARAMETER in catalog else None


def reported_rows(catalog: DataCatalog, wanted: Sequence[str] | None = None) -> dict[str, int]:
    """Return the feature rows of each corpus, as far as an earlier run's report tells them."""
    return {corpus: matrix.n_rows for corpus, matrix in matrices(catalog, wanted).items()}


def matrices(catalog: DataCatalog, wanted: Sequence[str] | None = None) -> dict[str, Matrix]:
    """Return the size of each corpus' training matrix, as far as an earlier run's report tells it.

    Args:
        catalog: Of the run.
        wanted: Corpora to work on; None: all.
    """
    found = _reported_features(catalog, wanted)
    return {corpus: Matrix(facts["n_rows"], len(facts["features"])) for corpus, facts in found.items()}


def recorded_reports(catalog: DataCatalog) -> dict[str, str]:
    """Return what each small report was made of, by name."""
    try:
        recorded = catalog[REPORT_FINGERPRINTS].load()
    except DatasetError:
        return {}
    return {name: digest for name, digest in recorded.items() if isinstance(digest, str)}


def _reported_features(catalog: DataCatalog, wanted: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    try:
        found = catalog["features_report"].load()["corpora"]
    except DatasetError:
        return {}
    return {corpus: facts for corpus, facts in found.items() if wanted is None or corpus in wanted}


def _every_node(pipeline: Pipeline) -> Pipeline:
    """Return all stages, also those that this run leaves out; branches on demand only where they run."""
    return register_pipelines()["__default__"] + pipeline


def _without_given(every_node: Pipeline, catalog: DataCatalog) -> Pipeline:
    """Leave out the nodes whose output an environment replaced by an input."""
    given = {name for name in every_node.all_outputs() if name in catalog and isinstance(catalog[name], InputDataset)}
    return Pipeline([node for node in every_node.nodes if not given & set(node.outputs)])


def _recorded_inputs(whole: Pipeline, pipeline: Pipeline, catalog: DataCatalog) -> list[Fingerprint | None]:
    """Return what is recorded of the hand-offs that this run starts from, in the order of the line."""
    in_order = [name for node in whole.nodes for name in node.outputs if name in pipeline.inputs()]
    return [handoff.recorded for name in in_order if (handoff := handoff_of(catalog, name)) is not None]


def _require_chosen(pipeline: Pipeline, choice: list[str] | None, expected: dict[str, Fingerprint]) -> None:
    """Refuse a choice of corpora that no node of the run makes, and that none before it has made."""
    if choice is None or corpora.PARAMETER in pipeline.inputs():
        return
    made = [expected[name].corpora for name in sorted(pipeline.all_outputs()) if name in expected]
    if any(of_output != choice for of_output in made):
        raise ConfigError(
            "Corpora are chosen in ingestion and in folding, and this run has neither; it works on "
            f"{', '.join(made[0] or ()) or 'all'}, and the parameter `corpora` says {', '.join(choice)}.",
            hint=f"kedro run --pipeline=train --params corpora={','.join(choice)}, or leave `corpora` out.",
        )


def _behind_lineage(whole: Pipeline) -> list[str]:
    """Name the nodes that a result with a lineage comes from; the code of reports and branches is no part of it.

    A verdict says whether a result becomes current, and changes none of its bytes.
    """
    last = [node for node in whole.nodes if LINEAGE in node.inputs]
    read = {name for node in last for name in node.inputs} & whole.all_outputs() - {VERDICTS}
    before = {node.name for node in whole.to_outputs(*sorted(read)).nodes} if read else set()
    return [short_name(node) for node in whole.nodes if node in last or node.name in before]


def _lineage(parameters: dict[str, Any], sources: dict[str, str], code: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Describe what a run's results come from: no times, no paths, so that equal runs publish equal bytes."""
    return {
        "rankhammer": rankhammer.__version__,
        "code": fingerprints.digest(code),
        "inputs": dict(sorted(sources.items())),
        "parameters": {
            name.removeprefix("params:"): fingerprints.plain(value) for name, value in sorted(parameters.items())
        },
    }
