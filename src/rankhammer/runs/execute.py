"""Runs pipelines for the command line."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from rankhammer import display, pipeline_registry, spark
from rankhammer.errors import ConfigError, did_you_mean, not_in_a_project
from rankhammer.exit_codes import SOME_CORPORA_FAILED
from rankhammer.runs import run_ids, run_selection, stage_workers
from rankhammer.runs.file_size_limit import require_large_files
from rankhammer.runs.user_errors import GO_ON, exit_code
from rankhammer.storage.publication import content_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from kedro.runner import AbstractRunner
    from pyspark.sql import DataFrame

    from rankhammer.deploy import DeployOptions
    from rankhammer.runs.planning import RunPlan
    from rankhammer.runs.project_session import ProjectSession
    from rankhammer.runs.splitting import Cut, SplitFacts
    from rankhammer.runs.validation import LogValidation
    from rankhammer.yarn.probe import ProbeResult
    from rankhammer.yarn.settings import ClusterSettings


def table_digest(table: DataFrame) -> tuple[int, str]:
    """Count a table's rows and add up a 64-bit hash of each.

    Args:
        table: Any table without map columns.

    Returns:
        (rows, hexadecimal sum). One action; two numbers come back.
    """
    from pyspark.sql import functions as F

    row_hash = F.xxhash64(*(F.to_json(F.struct(column)) for column in table.columns)).cast("decimal(38,0)")
    counted = table.agg(F.count(F.lit(1)).alias("rows"), F.sum(row_hash).alias("total")).first()
    rows, total = (counted["rows"], counted["total"]) if counted else (0, None)
    return int(rows), f"{int(total or 0) % 2**64:016x}"


def files_digest(files: Mapping[str, bytes]) -> tuple[int, str]:
    """Count a folder's files and hash their names and contents, in name order."""
    return len(files), content_digest(files)[:16]


_NODE_FILTERS = ("from_nodes", "to_nodes", "node_names")


def execute(options: dict[str, Any], around: AbstractContextManager[None] | None = None) -> int:
    """Run what `kedro run` was asked for.

    Args:
        options: The values of Kedro's own `run` options.
        around: What is entered before the run, and left after it.

    Returns:
        Exit code: 0, 2 for what the user can fix, 3 when some corpora failed and the others continued, 130 after
        Ctrl-C.
    """
    return exit_code(lambda: _run_shown(options, around or nullcontext()), when_interrupted=f"{GO_ON}.")


def plan(options: dict[str, Any]) -> RunPlan:
    """Say what a run would do; nothing is written.

    Args:
        options: env, params and pipelines.
    """
    from rankhammer.runs import planning

    names = list(options["pipelines"])
    require_known(names)
    return planning.plan({**options, "conf_source": None}, names, opened=open_to_print)


def validate(env: str | None, params: Mapping[str, Any], *, faulty: str | None = None) -> LogValidation:
    """Look at a whole click log; nothing is written but `faulty`.

    Args:
        env: Kedro environment; None for the default one.
        params: Of the command line.
        faulty: Folder for the pages that would be set aside.
    """
    from rankhammer.runs import validation

    options = {"env": env, "conf_source": None, "params": params}
    return validation.validate(options, opened=open_to_print, faulty=faulty)


def split(env: str | None, params: Mapping[str, Any], *, folder: str, settings: str, cut: Cut) -> SplitFacts:
    """Cut a data set into a smaller one.

    Args:
        env: Kedro environment; None for the default one.
        params: Of the command line.
        folder: New folder for the data.
        settings: New file for the configuration.
        cut: What is kept.
    """
    from rankhammer.runs import splitting

    options = {"env": env, "conf_source": None, "params": params}
    return splitting.split(options, folder=folder, settings=settings, cut=cut, opened=open_to_print)


def handoffs(env: str | None, run: str | None = None, *, verify: bool = False) -> list[dict[str, Any]]:
    """Describe every hand-off of the line.

    Args:
        env: Kedro environment; None for the default one.
        run: Id of the run, where runs have ids, which has ingested a log at least; None for the newest that `train` can
            go on with.
        verify: Whether each file is compared by its checksum, also where nobody has touched it.

    Returns:
        name, state (finished, missing or damaged), faults, rows and digest of each table. The digest is the sum of a
        64-bit hash per row, so neither order nor partitioning changes it; how long something took is no part of it.
    """
    # A run that is named may have begun alone: what it lacks is listed as missing.
    session = session_of_run(env, run, lambda: ["serps"] if run else run_selection.needed_by(["train"], {}))
    with session:
        catalog = session.load_context().catalog
        names = pipeline_registry.register_pipelines()["__default__"].all_outputs()
        return [
            _describe(name, catalog[name], verify=verify) for name in sorted(names) if hasattr(catalog[name], "handoff")
        ]


def history(env: str | None) -> Iterator[dict[str, Any]]:
    """Yield the records of an environment's runs, the newest first.

    Args:
        env: Kedro environment; None for the default one.
    """
    # Where runs have ids, this session's other paths are patterns.
    session = open_to_print({"env": env, "conf_source": None, "params": {run_selection.RUN: run_ids.ANY}})
    with session:
        yield from session.load_context().catalog["run_history"].newest_first()


def find_runs(env: str | None, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Find runs in the history.

    Args:
        env: Kedro environment; None for the default one.
        wanted: Numbers, ids, beginnings of ids, or `last`.

    Raises:
        DataError: One is not there, or an id begins several.
    """
    from rankhammer.runs.history import find

    return find(history(env), wanted)


def read_credentials(env: str | None) -> None:
    """Let entries of conf/<env>/credentials.yml be found by name."""
    session = open_session({"env": env, "conf_source": None, "params": {}})
    with session:
        session.load_context()


def read_deploy_options(given: dict[str, Any]) -> DeployOptions:
    """Take conf/<env>/deploy.yml and over it what the command line says; credentials can be read after that.

    Args:
        given: env, urls and credentials, and any of engine, index, queries and keep; None or empty where not said.

    Raises:
        ConfigError: A name or a value is wrong.
    """
    from rankhammer.deploy import read_options

    if given["credentials"] and not given["urls"]:
        raise ConfigError("--credentials requires --url.", hint="Name the cluster that they are for.")
    clusters = [{"url": url, "credentials": given["credentials"]} for url in given["urls"]]
    options = {"clusters": clusters, **{name: given.get(name) for name in ("engine", "index", "queries", "keep")}}
    set_here = {name: value for name, value in options.items() if value not in (None, (), [])}
    session = open_session({"env": given["env"], "conf_source": None, "params": {}})
    with session:
        settings = dict(session.load_context().config_loader["deploy"])
    return read_options(settings | set_here)


def project_folder() -> Path:
    """Return the folder of the project that this is started in.

    Raises:
        ConfigError: It is none.
    """
    from kedro.utils import find_kedro_project

    found = find_kedro_project(Path.cwd())
    if found is None:
        raise not_in_a_project(Path.cwd())
    return Path(found)


def cluster_settings(
    env: str | None, params: Mapping[str, Any] | None = None
) -> tuple[ClusterSettings, dict[str, str]]:
    """Read conf/<env>/cluster.yml and conf/<env>/spark.yml.

    Args:
        env: Kedro environment; None for the default one.
        params: Of the command line.

    Returns:
        (settings of the cluster, flat Spark keys).
    """
    from rankhammer.yarn.settings import read_settings

    session = open_session({"env": env, "conf_source": None, "params": params or {}})
    with session:
        loader = session.load_context().config_loader
        return read_settings(loader["cluster"]), spark.effective_settings(loader["spark"], submitted=False)


def require_known(names: list[str]) -> None:
    """Refuse names of pipelines that are none.

    Raises:
        ConfigError: With the name that is closest.
    """
    known = {*pipeline_registry.STAGES, *pipeline_registry.BRANCHES, *pipeline_registry.COMPOSITES}
    for name in names:
        if name not in known:
            raise ConfigError(f"Unknown pipeline {name!r}.", hint=did_you_mean(name, known), name=name)


def probe(env: str | None, *, with_container: bool) -> Iterator[ProbeResult]:
    """Ask every part of an environment's cluster.

    Args:
        env: Kedro environment; None for the default one.
        with_container: Whether Python is run in containers of YARN, too.
    """
    from rankhammer.yarn import probe as parts
    from rankhammer.yarn.settings import read_settings

    session = open_session({"env": env, "conf_source": None, "params": {}})
    with session:
        loader = session.load_context().config_loader
        on_yarn = str(loader["spark"].get("spark.master", "")).startswith("yarn")
        if not on_yarn:
            raise ConfigError(
                f"spark.master of the environment {env or 'local'} is no cluster.", hint="Name one: --env=prod"
            )
        written = {name: uri for name, uri in loader["globals"]["paths"].items() if name != "raw"}
        run_container = parts.run_container if with_container else None
        yield from parts.probe(read_settings(loader["cluster"]), written, run_container=run_container)


def _describe(name: str, dataset: Any, *, verify: bool) -> dict[str, Any]:
    from rankhammer.datasets import TableDataset
    from rankhammer.datasets.table_validator import TABLES

    about: dict[str, Any] = {"name": name, "rows": None, "digest": "", "faults": []}
    if dataset.handoff.recorded is None:
        return about | {"state": "missing"}
    faults = dataset.handoff.verify() if verify else list(filter(None, [dataset.handoff.fault()]))
    if faults:
        return about | {"state": "damaged", "faults": faults}
    data = dataset.load()
    timings = TABLES[name].timings if name in TABLES else ()
    rows, digest = table_digest(data.drop(*timings)) if isinstance(dataset, TableDataset) else files_digest(data)
    return about | {"state": "finished", "rows": rows, "digest": digest}


def _run_shown(options: dict[str, Any], around: AbstractContextManager[None]) -> int:
    """Run, and take what is shown away before an error is printed."""
    with display.shown("reading the project"), around:
        return _run(options)


def _run(options: dict[str, Any]) -> int:
    names = [name for name in [options["pipeline"], *options["pipelines"]] if name]
    require_known(names)
    require_large_files()
    options = _with_full_names(options)
    runner = _runner(options)
    display.doing("reading the configuration")
    choice = run_selection.choose(options, lambda: run_selection.needed_by(names, options), session=open_session)
    if choice.message:
        click.echo(choice.message)
    spark.request_early_start(stage_workers.SETTINGS)
    filters = ("from_nodes", "to_nodes", "from_inputs", "to_outputs", "load_versions", "namespaces")
    session = open_session({**options, "params": choice.params})
    with session:
        session.run(
            pipeline_names=names,
            tags=tuple(options["tags"]),
            node_names=tuple(options["node_names"]),
            runner=runner,
            only_missing_outputs=options["only_missing_outputs"],
            **{name: options[name] for name in filters},
        )
        summary = session.load_context().catalog["run_summary"].load()
    for run in choice.tidy():
        click.echo(f"Deleted run {run}.")
    return SOME_CORPORA_FAILED if summary["failures"] else 0


def _with_full_names(options: dict[str, Any]) -> dict[str, Any]:
    """Let nodes be named as in the stage's page, without the stage."""
    return options | {kind: pipeline_registry.full_names(options[kind]) for kind in _NODE_FILTERS if options.get(kind)}


def _runner(options: dict[str, Any]) -> AbstractRunner:
    from kedro.framework.cli.project import _resolve_runner_kwargs
    from kedro.utils import load_obj

    name = options["runner"] or "SequentialRunner"
    try:
        kind: type[AbstractRunner] = load_obj(name, "kedro.runner")
    except (ImportError, AttributeError, ValueError) as exc:
        raise ConfigError(f"There is no runner {name!r}: {exc}", hint="Leave --runner out.", name=name) from exc
    _require_shared_session(name, kind)
    return kind(**_resolve_runner_kwargs(options["is_async"], options["runner_params"]))


def _require_shared_session(name: str, kind: Any) -> None:
    from kedro.runner import AbstractRunner, ParallelRunner

    if not (isinstance(kind, type) and issubclass(kind, AbstractRunner)):
        raise ConfigError(f"{name!r} is no runner.", hint="Leave --runner out.", name=name)
    if issubclass(kind, ParallelRunner):
        raise ConfigError(
            "ParallelRunner runs each node in a process of its own, and these cannot share a Spark session.",
            hint="Leave --runner out: Spark works on each node with all cores already.",
            name=name,
        )


def session_of_run(env: str | None, run: str | None, needed: Callable[[], Iterable[str]]) -> ProjectSession:
    """Open a session on what a run has made."""
    options = {"env": env, "conf_source": None, "params": {} if run is None else {run_selection.RUN: run}}
    choice = run_selection.choose(options, needed, session=open_session)
    if run is not None and choice.run is None:
        hint = "Leave --run out, or name an environment with runs.folder in its cluster.yml, such as --env=prod."
        raise ConfigError(
            "Runs of this environment have no folders of their own: what is there is the last one's.", hint=hint
        )
    if choice.message:
        click.echo(choice.message, err=True)
    return open_to_print({**options, "params": choice.params})


def open_to_print(options: Mapping[str, Any]) -> ProjectSession:
    """Open a session for a command that prints what it finds, as JSON on demand."""
    session = open_session(options)
    display.log_to_stderr()
    return session


def open_session(options: Mapping[str, Any]) -> ProjectSession:
    """Open a Kedro session in a project folder, or, in a wheel, on its conf archive."""
    from kedro.framework.project import configure_project
    from kedro.framework.startup import bootstrap_project
    from kedro.utils import find_kedro_project

    from rankhammer.runs.project_session import ProjectSession

    # Kedro goes on with settings of its own, without a word, where those of a project cannot be imported.
    import_module("rankhammer.settings")
    project = find_kedro_project(Path.cwd())
    if project is not None:
        bootstrap_project(project)
    else:
        configure_project("rankhammer")
    made = ProjectSession.create(
        project_path=project, env=options["env"], conf_source=options["conf_source"], runtime_params=options["params"]
    )
    # Kedro names its own class.
    return cast("ProjectSession", made)
