"""Which run a command works on, decided before its Kedro session is made: paths hold the run's id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer import pipeline_registry
from rankhammer.datasets.handoff import MARKER
from rankhammer.errors import ConfigError
from rankhammer.runs import run_ids
from rankhammer.yarn.settings import RunSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline

    from rankhammer.runs.project_session import ProjectSession
    from rankhammer.runs.run_ids import FinishedRun

RUN = "run"
_FILTERS = ("tags", "node_names", "from_nodes", "to_nodes", "from_inputs", "to_outputs")


@dataclass(frozen=True)
class RunSelection:
    """What a command works on.

    Args:
        params: The command line's values, the run's id among them where runs have ids.
        message: A sentence about it; empty where runs have no ids.
        settings: The environment's `run_ids`.
        complete: Markers of a run that `train` can go on with.
    """

    params: Mapping[str, Any]
    message: str
    settings: RunSettings
    complete: tuple[str, ...] = ()

    @property
    def run(self) -> str | None:
        """The run's id."""
        return self.params[RUN] if self.message else None

    def tidy(self) -> list[str]:
        """Delete old runs; see `run_ids.tidy`."""
        if self.settings.folder is None or self.run is None:
            return []
        expires_s = self.settings.lock.expires_s
        return run_ids.tidy(
            self.settings.folder, self.complete, keep=self.settings.keep, current=self.run, expires_s=expires_s
        )


def choose(
    options: Mapping[str, Any],
    needed: Callable[[], Iterable[str]],
    *,
    session: Callable[[Mapping[str, Any]], ProjectSession],
) -> RunSelection:
    """Choose the run: the named one, else the newest that has what is needed, else a new one.

    Args:
        options: `env`, `conf_source` and `params` of the command.
        needed: Returns the hand-offs that have to be finished in it; none: the command begins at the raw inputs.
        session: Makes a session of such options.

    Raises:
        ConfigError: The named run cannot be one, or the environment has none.
        DataError: No run has what is needed, or the named run lacks it.
    """
    given = dict(options["params"])
    # Paths of this session's catalog are patterns.
    opened = session({**options, "params": given | {RUN: run_ids.ANY}})
    with opened:
        settings = read_settings(opened.read("cluster")).runs
        if settings.folder is None:
            return RunSelection(given, "", settings)
        context = opened.load_context()
        if RUN not in getattr(context.config_loader, "variables", {RUN}):
            raise ConfigError(
                "cluster.yml has runs.folder, but no path has a place for a run's id.",
                hint="Write ${runtime_params:run, none} into `paths` of globals.yml, as conf/prod does.",
            )
        catalog = context.catalog
        complete = _markers(catalog, _needed(pipeline_registry.register_pipelines()["train"]))
        markers = _markers(catalog, needed())
        run, message = _named(given[RUN], markers) if RUN in given else _found(markers)
    return RunSelection(given | {RUN: run}, f"Run {run} ({message})", settings, tuple(complete.values()))


def needed_by(names: Iterable[str], options: Mapping[str, Any]) -> list[str]:
    """List the hand-offs that a run reads and does not make.

    Args:
        names: Pipelines; none: all stages.
        options: Kedro's filters of nodes.
    """
    from kedro.pipeline import Pipeline

    every = pipeline_registry.register_pipelines()
    whole = Pipeline([every[name] for name in names or ("__default__",)])
    filters = {name: value for name in _FILTERS if (value := options.get(name))}
    return _needed(whole.filter(**filters) if filters else whole)


def _needed(pipeline: Pipeline) -> list[str]:
    made = pipeline_registry.register_pipelines()["__default__"].all_outputs()
    return sorted(pipeline.inputs() & made)


def _markers(catalog: CatalogProtocol[Any, Any], names: Iterable[str]) -> dict[str, str]:
    """Return the markers' paths of those hand-offs that lie in a run's folder."""
    paths = {name: catalog[name]._describe()["filepath"] for name in names if hasattr(catalog[name], "handoff")}
    return {name: f"{path}/{MARKER}" for name, path in paths.items() if run_ids.ANY in path}


def _named(run: object, markers: Mapping[str, str]) -> tuple[str, str]:
    name = run_ids.check_id(run)
    if markers:
        run_ids.require_finished(name, list(markers.values()), list(markers))
    return name, "named on the command line"


def _found(markers: Mapping[str, str]) -> tuple[str, str]:
    if not markers:
        return run_ids.new_id(), "a new one"
    found: FinishedRun
    found, n = run_ids.newest(list(markers.values()), list(markers))
    return found.run, f"the newest of {n} with {', '.join(markers)}: {str(found).partition(', ')[2]}"
