"""Runs pipelines for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rankhammer import choosing, pipeline_registry, spark
from rankhammer.errors import ConfigError, did_you_mean
from rankhammer.user_errors import exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kedro.framework.session import KedroSession
    from kedro.runner import AbstractRunner

    from rankhammer.cluster.probe import Answer
    from rankhammer.cluster.settings import ClusterSettings
    from rankhammer.deploy import DeployOptions
    from rankhammer.planning import Plan
    from rankhammer.ranking import RankedDocument

SOME_CORPORA_FAILED = 3


def execute(options: dict[str, Any]) -> int:
    """Run what `kedro run` was asked for.

    Args:
        options: The values of Kedro's own `run` options.

    Returns:
        Exit code: 0, 2 for what the user can cure, 3 when some corpora failed and the others went on.
    """
    return exit_code(lambda: _run(options))


def plan(options: dict[str, Any]) -> Plan:
    """Say what a run would do; nothing is written.

    Args:
        options: env, params and pipelines.
    """
    from rankhammer import planning

    names = list(options["pipelines"])
    require_known(names)
    return planning.plan({**options, "conf_source": None}, names, opened=open_session)


def handoffs(env: str | None, run: str | None = None) -> list[dict[str, Any]]:
    """Describe every hand-off of the line.

    Args:
        env: Kedro environment; None for the default one.
        run: Id of the run, where runs have ids; None for the newest that `train` can go on with.

    Returns:
        name, state (finished or missing), rows and digest of each table. The digest is the sum of a 64-bit hash a row,
        so neither order nor partitioning changes it.
    """
    session = _session_of_run(env, run, lambda: choosing.needed_by(["train"], {}))
    with session:
        catalog = session.load_context().catalog
        names = pipeline_registry.register_pipelines()["__default__"].all_outputs()
        return [_describe(name, catalog[name]) for name in sorted(names) if hasattr(catalog[name], "handoff")]


def rank(
    env: str | None, corpus: str, query: str, *, n_candidates: int, run: str | None = None
) -> list[RankedDocument]:
    """Search a corpus with its exported ranker.

    Args:
        env: Kedro environment; None for the default one.
        corpus: Which one.
        query: As typed.
        n_candidates: Documents that are reranked.
        run: Id of the run, where runs have ids; None for the newest that trained a ranker.

    Returns:
        All of them, best first.

    Raises:
        ConfigError: The corpus has no exported ranker.
    """
    from rankhammer import plugins
    from rankhammer.ranking import open_ranker

    session = _session_of_run(env, run, lambda: ["ranker"])
    with session:
        context = session.load_context()
        catalog, params = context.catalog, context.params
        found = open_ranker(corpus, ranker=catalog["ranker"].load_all(), exported=catalog["exported_model"].load_all())
        source = plugins.create("feature_sources", params["features"].source)
        return found.rank(query, documents=catalog.load("documents"), source=source, n_candidates=n_candidates)


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
        raise ConfigError("--credentials stands without --url.", hint="Name the cluster that they are for.")
    clusters = [{"url": url, "credentials": given["credentials"]} for url in given["urls"]]
    told = {"clusters": clusters, **{name: given.get(name) for name in ("engine", "index", "queries", "keep")}}
    set_here = {name: value for name, value in told.items() if value not in (None, (), [])}
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
        raise ConfigError(f"{Path.cwd()} is not in a project.", hint="Start this in a checkout of the project.")
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
    from rankhammer.cluster.settings import read_settings

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


def probe(env: str | None, *, with_container: bool) -> Iterator[Answer]:
    """Ask every part of an environment's cluster.

    Args:
        env: Kedro environment; None for the default one.
        with_container: Whether Python is run in containers of YARN, too.
    """
    from rankhammer.cluster import probe as parts
    from rankhammer.cluster.settings import read_settings

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


def _describe(name: str, dataset: Any) -> dict[str, Any]:
    from rankhammer.datasets import TableDataset
    from rankhammer.digest import files_digest, table_digest

    if dataset.handoff.recorded is None:
        return {"name": name, "state": "missing", "rows": None, "digest": ""}
    data = dataset.load()
    rows, digest = table_digest(data) if isinstance(dataset, TableDataset) else files_digest(data)
    return {"name": name, "state": "finished", "rows": rows, "digest": digest}


def _run(options: dict[str, Any]) -> int:
    names = [name for name in [options["pipeline"], *options["pipelines"]] if name]
    require_known(names)
    runner = _runner(options)
    choice = choosing.choose(options, lambda: choosing.needed_by(names, options), session=open_session)
    if choice.told:
        click.echo(choice.told)
    spark.want_early()
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


def _runner(options: dict[str, Any]) -> AbstractRunner:
    from kedro.framework.cli.project import _resolve_runner_kwargs
    from kedro.utils import load_obj

    name = options["runner"] or "SequentialRunner"
    try:
        kind: type[AbstractRunner] = load_obj(name, "kedro.runner")
    except (ImportError, AttributeError, ValueError) as exc:
        raise ConfigError(f"There is no runner {name!r}: {exc}", hint="Leave --runner out.", name=name) from exc
    return kind(**_resolve_runner_kwargs(options["is_async"], options["runner_params"]))


def _session_of_run(env: str | None, run: str | None, needed: Callable[[], Iterable[str]]) -> KedroSession:
    """Open a session on what a run has made."""
    options = {"env": env, "conf_source": None, "params": {} if run is None else {choosing.RUN: run}}
    choice = choosing.choose(options, needed, session=open_session)
    if choice.told:
        click.echo(choice.told, err=True)
    return open_session({**options, "params": choice.params})


def open_session(options: Mapping[str, Any]) -> KedroSession:
    """Open a Kedro session in a project folder, or, in a wheel, on its conf archive."""
    from kedro.framework.project import configure_project
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project
    from kedro.utils import find_kedro_project

    project = find_kedro_project(Path.cwd())
    if project is not None:
        bootstrap_project(project)
    else:
        configure_project("rankhammer")
    return KedroSession.create(
        project_path=project, env=options["env"], conf_source=options["conf_source"], runtime_params=options["params"]
    )
