"""What a run would do, without doing it: nothing is written, and no session is opened on a cluster."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from kedro.pipeline import Pipeline

from rankhammer import choosing, cost, pipeline_registry, runs, spark
from rankhammer.cluster import resources
from rankhammer.cluster.session import plan as plan_resources
from rankhammer.cluster.settings import read_settings
from rankhammer.datasets import InputDataset
from rankhammer.expectations import chosen, expect, handoff_of, largest_matrix, recorded_reports, reported_rows
from rankhammer.user_errors import user_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kedro.framework.session import KedroSession
    from kedro.io import DataCatalog

    from rankhammer.datasets.handoff import Fingerprint

    OpenSession = Callable[[Mapping[str, Any]], KedroSession]

Answer = TypeVar("Answer")
THERE, MISSING, CURRENT, STALE, NOT_GIVEN = "there", "missing", "current", "stale", "not given"
SUMMARIES = 20
"""Last runs that are looked at for what stages cost."""


@dataclass(frozen=True)
class State:
    """One dataset before the run.

    Args:
        name: In the catalog.
        path: Where it is.
        state: there or missing, for raw inputs (or not given); current, stale or missing, for what a run makes.
        why: What changed since it was made.
    """

    name: str
    path: str
    state: str
    why: str = ""


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Args:
        environment: Kedro environment.
        run: The run that it would work in, in a sentence; empty where runs have no ids.
        corpora: Those to work on; None: all.
        stages: Each with its nodes, in the order of the line.
        inputs: What it reads and does not make.
        outputs: What it makes.
        resources: What it would ask for: `master`, and on YARN the request with its arithmetic.
        cost: In core-hours, from the last run that had these stages; None where there was none.
        errors: What it would end with.
    """

    environment: str
    run: str
    corpora: Sequence[str] | None
    stages: Mapping[str, Sequence[str]]
    inputs: Sequence[State]
    outputs: Sequence[State]
    resources: Mapping[str, object]
    cost: Mapping[str, Any] | None
    errors: Sequence[str]

    def facts(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


class _Faults(list[str]):
    """Errors that a user can cure; the planning goes on after each."""

    def caught(self, action: Callable[[], Answer]) -> Answer | None:
        try:
            return action()
        except Exception as exc:
            cause = user_error(exc)
            if cause is None:
                raise
            if str(cause) not in self:
                self.append(str(cause))
            return None


def plan(options: Mapping[str, Any], names: Sequence[str], *, opened: OpenSession) -> Plan:
    """Find out what a run would do.

    Args:
        options: `env`, `conf_source` and `params` of the command.
        names: Pipelines; none: all stages.
        opened: Makes a Kedro session of such options.

    Raises:
        ConfigError: The configuration cannot be read.
    """
    faults = _Faults()
    choice = faults.caught(lambda: choosing.choose(options, lambda: choosing.needed_by(names, {}), session=opened))
    past = _last_runs(options, opened)
    session = opened({**options, "params": options["params"] if choice is None else choice.params})
    with session:
        context = session.load_context()
        catalog: Any = context.catalog
        loader = context.config_loader
        every = pipeline_registry.register_pipelines()
        pipeline = Pipeline([every[name] for name in names or ("__default__",)])
        stages = _stages(pipeline)
        # Read first: from here on the loader knows which values of the command line fill places in files.
        asked = _Asked(loader, frozenset(stages))
        wanted = faults.caught(lambda: chosen(catalog))
        variables = getattr(loader, "variables", ())
        expected = faults.caught(lambda: expect(pipeline, catalog, variables=variables))
        # Without a run to work in, no hand-off has a place that could be looked at.
        made = expected.fingerprints if expected and choice else {}
        return Plan(
            environment=options["env"] or "local",
            run=choice.told if choice else "",
            corpora=wanted,
            stages=stages,
            inputs=[_input(name, catalog, made, faults) for name in _read(pipeline, catalog)],
            outputs=_outputs(pipeline, catalog, made),
            resources={"master": asked.master, **(faults.caught(lambda: asked.of_cluster(catalog, wanted)) or {})},
            cost=cost.estimate(past, stages=tuple(stages), corpora=wanted, rows=reported_rows(catalog)),
            errors=faults,
        )


class _Asked:
    """What a run asks for.

    Args:
        loader: Of the configuration.
        stages: Of the run.
    """

    def __init__(self, loader: Any, stages: frozenset[str]) -> None:
        self._settings, self._stages = read_settings(loader["cluster"]), stages
        self._keys = spark.effective_settings(loader["spark"], submitted=False)
        self.master = self._keys.get("spark.master", "local[*]")

    def of_cluster(self, catalog: DataCatalog, wanted: Sequence[str] | None) -> dict[str, object]:
        """Work out what YARN would be asked for; nothing where the master is another one."""
        if not self.master.startswith("yarn"):
            return {}
        matrix = largest_matrix(catalog, wanted) if "training" in self._stages else None
        is_training, settings = pipeline_registry.trains_only(self._stages), self._settings.resources
        request = plan_resources(self._settings, is_training=is_training, matrix=matrix, driver_in_cluster=False)
        own = {key: self._keys[key] for key in resources.spark_settings(request, settings) if key in self._keys}
        return {**resources.describe(request), "queue": settings.queue or "default", "set_in_spark_yml": own}


def _read(pipeline: Pipeline, catalog: DataCatalog) -> list[str]:
    """List what a run reads and does not make, without parameters."""
    return sorted(name for name in pipeline.inputs() if name in catalog and not _is_parameter(name))


def _is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")


def _stages(pipeline: Pipeline) -> dict[str, list[str]]:
    """Return the nodes by stage, in the order of the line."""
    known = (*pipeline_registry.STAGES, *pipeline_registry.BRANCHES)
    found = {stage: [node.name for node in pipeline.nodes if stage in node.tags] for stage in known}
    return {stage: nodes for stage, nodes in found.items() if nodes}


def _input(name: str, catalog: DataCatalog, expected: Mapping[str, Fingerprint], faults: _Faults) -> State:
    """Describe what the run reads; what it would refuse is a fault."""
    dataset: Any = catalog[name]
    path = _path(dataset)
    if isinstance(dataset, InputDataset):
        if path == "" and dataset.is_optional:
            return State(name, path, NOT_GIVEN)
        before = len(faults)
        faults.caught(dataset.require_found)
        return State(name, path, THERE if len(faults) == before else MISSING)
    handoff = handoff_of(catalog, name)
    if handoff is not None and expected:
        faults.caught(handoff.require_current)
    return _made(name, catalog, expected)


def _outputs(pipeline: Pipeline, catalog: DataCatalog, expected: Mapping[str, Fingerprint]) -> list[State]:
    names = list(dict.fromkeys(name for node in pipeline.nodes for name in node.outputs))
    return [_made(name, catalog, expected) for name in names if name in catalog]


def _made(name: str, catalog: DataCatalog, expected: Mapping[str, Fingerprint]) -> State:
    """Describe what a run makes: finished, of the same things or of others, or not there."""
    path, wanted, handoff = _path(catalog[name]), expected.get(name), handoff_of(catalog, name)
    if handoff is None:
        digest = recorded_reports(catalog).get(name)
        is_there, is_current = catalog[name].exists(), wanted is not None and digest == wanted.digest
        return State(name, path, (CURRENT if is_current else STALE) if is_there else MISSING)
    recorded = handoff.recorded
    if recorded is None:
        return State(name, path, MISSING)
    if wanted is None or wanted.digest == recorded.digest:
        return State(name, path, CURRENT)
    return State(name, path, STALE, wanted.difference(recorded))


def _path(dataset: Any) -> str:
    return str(dataset._describe().get("filepath") or "")


def _last_runs(options: Mapping[str, Any], opened: OpenSession) -> list[Mapping[str, Any]]:
    """Return the summaries of the last runs, the newest first."""
    # Where runs have ids, this session's paths are patterns.
    session = opened({**options, "params": {**options["params"], choosing.RUN: runs.ANY}})
    with session:
        path = _path(session.load_context().catalog["run_summary"])
    return cost.summaries(path, at_most=SUMMARIES)
