"""What a run would do, and what that cost last time: nothing is written, and no session is opened on a cluster."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from kedro.pipeline import Pipeline

from rankhammer import pipeline_registry, spark
from rankhammer.datasets import CheckpointDataset, CurrentRankersDataset, DayStoreDataset, InputDataset
from rankhammer.runs import run_ids, run_selection
from rankhammer.runs.catalog_entries import RUN_HISTORY
from rankhammer.runs.expected_fingerprints import (
    LINEAGE,
    chosen,
    compute_expected,
    handoff_of,
    matrices,
    recorded_reports,
    reported_rows,
)
from rankhammer.runs.input_checks import Faults, check_inputs
from rankhammer.runs.trained_together import with_fixed_executors, workers_in
from rankhammer.storage import state_files
from rankhammer.storage.base import storage_for
from rankhammer.yarn import resources
from rankhammer.yarn.session import plan as plan_resources
from rankhammer.yarn.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kedro.io import DataCatalog

    from rankhammer.datasets.handoff import Fingerprint
    from rankhammer.runs.project_session import ProjectSession

    OpenSession = Callable[[Mapping[str, Any]], ProjectSession]

ROWS_OF = {
    "ingestion": "n_serps",
    "labeling": "n_serps",
    "features": "n_judgments",
    "judgment_export": "n_judgments",
    "folding": "n_feature_rows",
    "training": "n_feature_rows",
    "query_report": "n_feature_rows",
    "ranker_report": "n_feature_rows",
    "experiment_report": "n_feature_rows",
    "export": "n_feature_rows",
}
"""The count by which a stage's work grows."""
FEATURE_ROWS = "n_feature_rows"
_OF_EVERY_RUN = {RUN_HISTORY, LINEAGE}
_LEFT_BY_RUNS = (CheckpointDataset, CurrentRankersDataset, DayStoreDataset)
"""What nodes read and nobody gives: left by earlier runs, or worked out before the first node."""
WORKED_ON = ("done", "failed")
_KEYS = frozenset(("stage_seconds", "core_hours", "corpora"))


def summaries(pattern: str, *, at_most: int) -> list[Mapping[str, Any]]:
    """Read the last run_summary.json files, the newest first.

    Args:
        pattern: Their path, or a pattern for those of several runs.
        at_most: How many.
    """
    storage = storage_for(pattern)
    paths = sorted(storage.glob(pattern), key=storage.changed_at, reverse=True)
    found = (state_files.read(storage, path, keys=_KEYS, instead="costs are told without it") for path in paths)
    return list(islice(filter(None, found), at_most))


def measured(history: Iterable[Mapping[str, Any]], *, at_most: int) -> list[Mapping[str, Any]]:
    """Return the last records of the history of runs that say what stages took, the newest first.

    Args:
        history: Records, the newest first.
        at_most: How many.
    """
    return list(islice((one for one in history if one.keys() >= _KEYS and one.get("state") != "failed"), at_most))


def estimate(
    past: Sequence[Mapping[str, Any]],
    *,
    stages: Sequence[str],
    corpora: Sequence[str] | None = None,
    rows: Mapping[str, int] | None = None,
) -> dict[str, Any] | None:
    """Estimate what stages take: each what it took last time, in proportion to its rows where those are known.

    Args:
        past: Run summaries, the newest first.
        stages: Those to run.
        corpora: Those to work on; None: all.
        rows: Feature rows by corpus, as far as they are collected already.

    Returns:
        `core_hours` and `seconds` (on as many cores as then) of each of `stages` and of all, and the stages `unknown`;
        None where no run had any of them.
    """
    found = {stage: _of_stage(stage, past, corpora, rows or {}) for stage in stages}
    known = {stage: facts for stage, facts in found.items() if facts is not None}
    if not known:
        return None
    return {
        "from": "last run",
        "core_hours": round(sum(facts["core_hours"] for facts in known.values()), 4),
        "seconds": round(sum(facts["seconds"] for facts in known.values()), 1),
        "stages": known,
        "unknown": [stage for stage in stages if stage not in known],
    }


def _of_stage(
    stage: str, past: Sequence[Mapping[str, Any]], corpora: Sequence[str] | None, rows: Mapping[str, int]
) -> dict[str, float] | None:
    last = next((one for one in past if stage in one["stage_seconds"] and one.get("core_hours")), None)
    if last is None:
        return None
    seconds, of_run = last["stage_seconds"][stage], sum(last["stage_seconds"].values())
    growth = _growth(last, ROWS_OF[stage], corpora, rows)
    hours = last["core_hours"] * seconds / of_run if of_run else 0.0
    return {"core_hours": round(hours * growth, 4), "seconds": round(seconds * growth, 1), "rows": round(growth, 3)}


def _growth(last: Mapping[str, Any], count: str, corpora: Sequence[str] | None, rows: Mapping[str, int]) -> float:
    """Return the rows of now over those of then; 1 where one of them is not known."""
    status = last.get("status", {})
    of_then = {corpus: facts.get(count) or 0 for corpus, facts in last["corpora"].items()}
    then = sum(n for corpus, n in of_then.items() if status.get(corpus, {}).get("state", "done") in WORKED_ON)
    of_now = rows if count == FEATURE_ROWS and rows else of_then
    chosen = sum(n for corpus, n in of_now.items() if corpora is None or corpus in corpora)
    return chosen / then if then and chosen else 1.0


THERE, MISSING, CURRENT, STALE, DAMAGED, NOT_GIVEN = "there", "missing", "current", "stale", "damaged", "not given"
SUMMARIES = 20
"""Last runs that are looked at for what stages cost."""


@dataclass(frozen=True)
class State:
    """One dataset before the run.

    Args:
        name: In the catalog.
        path: Where it is.
        state: there, missing or not given, for raw inputs; current, stale, damaged or missing, for what a run makes.
        why: What changed since it was made.
        is_given: Whether it comes from outside.
    """

    name: str
    path: str
    state: str
    why: str = ""
    is_given: bool = False


@dataclass(frozen=True)
class RunPlan:
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
        notes: What is likely wrong, and stops nothing.
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
    notes: Sequence[str] = ()

    def facts(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def plan(options: Mapping[str, Any], names: Sequence[str], *, opened: OpenSession) -> RunPlan:
    """Find out what a run would do.

    Args:
        options: `env`, `conf_source` and `params` of the command.
        names: Pipelines; none: all stages.
        opened: Makes a Kedro session of such options.

    Raises:
        ConfigError: The configuration cannot be read.
    """
    faults = Faults()
    choice = faults.caught(
        lambda: run_selection.choose(options, lambda: run_selection.needed_by(names, {}), session=opened)
    )
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
        asked = _RequestedRun(loader, frozenset(stages))
        wanted = faults.caught(lambda: chosen(catalog))
        variables = getattr(loader, "variables", ())
        checked = check_inputs(pipeline, catalog, variables=variables)
        for fault in checked.faults:
            faults.add(fault)
        expected = faults.caught(lambda: compute_expected(pipeline, catalog, variables=variables))
        # Without a run to work in, no hand-off has a place that could be looked at.
        made = expected.fingerprints if expected and choice else {}
        inputs = [_input(name, catalog, made, faults) for name in _read(pipeline, catalog)]
        of_cluster = faults.caught(lambda: asked.of_cluster(catalog, wanted))
        return RunPlan(
            environment=options["env"] or "local",
            run=choice.message if choice else "",
            corpora=wanted,
            stages=stages,
            inputs=inputs,
            outputs=_outputs(pipeline, catalog, made),
            resources={"master": asked.master, **(of_cluster or {})},
            cost=estimate(past, stages=tuple(stages), corpora=wanted, rows=reported_rows(catalog)),
            notes=checked.notes,
            errors=[*map(str, faults)],
        )


class _RequestedRun:
    """What a run asks for.

    Args:
        loader: Of the configuration.
        stages: Of the run.
    """

    def __init__(self, loader: Any, stages: frozenset[str]) -> None:
        self._settings, self._stages = read_settings(loader["cluster"]), stages
        self._workers = workers_in(loader["parameters"])
        self._keys = spark.effective_settings(loader["spark"], submitted=False)
        self.master = self._keys.get("spark.master", "local[*]")

    def of_cluster(self, catalog: DataCatalog, wanted: Sequence[str] | None) -> dict[str, object]:
        """Work out what YARN would be asked for; nothing where the master is another one."""
        if not self.master.startswith("yarn"):
            return {}
        found = matrices(catalog, wanted).values() if "training" in self._stages else ()
        is_training, asked = pipeline_registry.trains_only(self._stages), self._settings
        if "training" in self._stages:
            asked = with_fixed_executors(asked, self._workers, [matrix.n_rows for matrix in found])
        settings, matrix = asked.resources, resources.largest(found)
        request = plan_resources(asked, is_training=is_training, matrix=matrix, driver_in_cluster=False)
        own = {key: self._keys[key] for key in resources.spark_settings(request, settings) if key in self._keys}
        return {**resources.describe(request), "queue": settings.queue or "default", "set_in_spark_yml": own}


def _read(pipeline: Pipeline, catalog: DataCatalog) -> list[str]:
    """List what a run reads and does not make, without parameters and what earlier runs have left."""
    given = sorted(name for name in pipeline.inputs() - _OF_EVERY_RUN if name in catalog and not _is_parameter(name))
    return [name for name in given if not isinstance(catalog[name], _LEFT_BY_RUNS)]


def _is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")


def _stages(pipeline: Pipeline) -> dict[str, list[str]]:
    """Return the nodes by stage, in the order of the line."""
    known = (*pipeline_registry.STAGES, *pipeline_registry.BRANCHES)
    found = {
        stage: [pipeline_registry.short_name(node) for node in pipeline.nodes if stage in node.tags] for stage in known
    }
    return {stage: nodes for stage, nodes in found.items() if nodes}


def _input(name: str, catalog: DataCatalog, expected: Mapping[str, Fingerprint], faults: Faults) -> State:
    """Describe what the run reads; what it would refuse is a fault."""
    dataset: Any = catalog[name]
    path = _path(dataset)
    if isinstance(dataset, InputDataset):
        if path == "" and dataset.is_optional:
            return State(name, path, NOT_GIVEN, is_given=True)
        is_there = dataset.exists()
        return State(name, path, THERE if is_there else MISSING, is_given=True)
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
    if wanted is not None and wanted.digest != recorded.digest:
        return State(name, path, STALE, wanted.difference(recorded))
    return State(name, path, DAMAGED if handoff.fault() else CURRENT)


def _path(dataset: Any) -> str:
    return str(dataset._describe().get("filepath") or "")


def _last_runs(options: Mapping[str, Any], opened: OpenSession) -> list[Mapping[str, Any]]:
    """Return what is kept of the last runs, the newest first; before there was a history, the last summaries."""
    # Where runs have ids, this session's paths are patterns.
    session = opened({**options, "params": {**options["params"], run_selection.RUN: run_ids.ANY}})
    with session:
        catalog: Any = session.load_context().catalog
        path, history = _path(catalog["run_summary"]), catalog["run_history"].newest_first()
        past = measured(history, at_most=SUMMARIES)
    return past or summaries(path, at_most=SUMMARIES)
