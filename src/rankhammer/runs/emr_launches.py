"""What `rankhammer emr` works with: the project's settings, its jobs, and the checks before anything costs money."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rankhammer import spark
from rankhammer.emr import checks, conf_secrets, jobs, prices, serverless, serverless_request
from rankhammer.emr.artifacts import Artifacts, NoArtifacts
from rankhammer.emr.clients import Clients, is_denied, translated
from rankhammer.emr.cluster_request import SPARK_DEFAULTS
from rankhammer.emr.launcher import ClusterLauncher, LaunchView, hours_at_most, new_launch
from rankhammer.emr.serverless import ServerlessLauncher
from rankhammer.emr.settings import EmrSettings, read_settings
from rankhammer.errors import ClusterError, ConfigError
from rankhammer.runs.emr_jobs import EmrProject, JobOptions, job_of, require_same_machine, require_writable_from_afar
from rankhammer.runs.emr_spark_defaults import with_spark_defaults
from rankhammer.runs.execute import open_session, project_folder
from rankhammer.secret_settings import require_no_secrets
from rankhammer.yarn import package
from rankhammer.yarn.settings import read_settings as read_cluster

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.emr.cluster_request import Launch


@dataclass(frozen=True)
class LaunchOptions:
    """How to run it.

    Args:
        keeps_on_failure: Whether the cluster waits after a failure.
        keep_alive_h: Hours without a job that it waits after its jobs.
        is_detached: Whether to leave it alone once it has started.
    """

    keeps_on_failure: bool = False
    keep_alive_h: float = 0
    is_detached: bool = False


def read_project(env: str) -> EmrProject:
    """Read an environment.

    Args:
        env: Kedro environment.

    Raises:
        ConfigError: A setting is wrong, or a key of AWS stands in the configuration.
    """
    folder = project_folder()
    conf_secrets.require_no_keys(package.conf_files(folder / "conf"))
    session = open_session({"env": env, "conf_source": None, "params": {}})
    with session:
        loader = session.load_context().config_loader
        settings, cluster = read_settings(loader["emr"]), read_cluster(loader["cluster"])
        paths = {name: str(uri) for name, uri in loader["globals"]["paths"].items()}
        require_no_secrets(spark.effective_settings(loader["spark"], submitted=False), f"conf/{env}/spark.yml")
    return EmrProject(env, folder, settings, cluster, paths)


def clients_of(project: EmrProject) -> Clients:
    """Return clients of an environment's region."""
    return Clients(str(project.settings.region))


def look(project: EmrProject, clients: Clients, options: LaunchOptions) -> list[checks.Finding]:
    """Look at each part that a launch needs.

    Raises:
        ConfigError: AWS does not know who asks.
    """
    hours, who = _hours(project, options), checks.identity(clients, project.settings)
    return [_files(project), *checks.check(clients, project.settings, who, hours=hours)]


def _files(project: EmrProject) -> checks.Finding:
    """Look at what a launch takes from this machine, and where a pipeline would write."""
    try:
        jars = jobs.jars_of(project.settings.node)
        require_same_machine(project)
    except (ConfigError, ClusterError) as exc:
        return checks.Finding("files", checks.ERROR, exc.message, exc.hint)
    try:
        require_writable_from_afar(project, JobOptions())
    except ConfigError as exc:
        # Scripts and wheels name their folders themselves.
        return checks.Finding("files", checks.WARNING, f"no pipeline can be launched: {exc.message}", exc.hint)
    return checks.Finding("files", checks.OK, f"runs write to S3; {len(jars)} jars travel")


def launch(
    project: EmrProject,
    asked: JobOptions,
    options: LaunchOptions,
    screen: LaunchView,
    *,
    on_found: Callable[[Any], None],
) -> int:
    """Check, start a cluster, run a job on it, and wait for the end of both.

    Args:
        project: Environment.
        asked: What to run.
        options: How.
        screen: Where it is told.
        on_found: Called with what each check found.

    Returns:
        Exit code.

    Raises:
        ConfigError: A check has failed: nothing was started, and nothing is paid.
    """
    require_writable_from_afar(project, asked)
    require_same_machine(project)
    clients = clients_of(project)
    who = checks.identity(clients, project.settings)
    found = list(checks.check(clients, project.settings, who, hours=_hours(project, options)))
    for finding in found:
        on_found(finding)
    checks.require_ready(found)
    store = Artifacts(clients.client("s3"), project.settings.home, who.account, screen.line)
    sources, job = job_of(project, asked, store, screen.line)
    planned = _planned(project, options)
    settings = with_spark_defaults(project.settings)
    screen.line(f"Executors: {_executors(settings)}")
    launcher = ClusterLauncher(settings, clients, screen)
    request = launcher.request(sources, job, planned)
    return launcher.launch(request, planned, is_detached=options.is_detached)


def launch_serverless(
    project: EmrProject, asked: JobOptions, screen: LaunchView, *, on_found: Callable[[Any], None]
) -> int:
    """Check, and run a job on EMR Serverless; its application is made for it, and deleted.

    Args:
        project: Environment.
        asked: What to run: a script or a wheel.
        screen: Where it is told.
        on_found: Called with what each check found.

    Returns:
        Exit code.

    Raises:
        ConfigError: A check has failed, or the job needs a cluster: nothing was started, and nothing is paid.
    """
    _require_serverless(asked)
    clients = clients_of(project)
    who = checks.identity(clients, project.settings)
    found = list(checks.check_serverless(clients, project.settings, who))
    for finding in found:
        on_found(finding)
    checks.require_ready(found)
    store = Artifacts(clients.client("s3"), project.settings.home, who.account, screen.line)
    _, job = job_of(project, asked, store, screen.line)
    return ServerlessLauncher(project.settings, clients, screen).launch(job, new_launch(project.settings), who.account)


def serverless_applications(clients: Clients) -> list[dict[str, str]]:
    """List applications of EMR Serverless that launches have made and not deleted.

    Returns:
        None of them where who asks may not use EMR Serverless, or the region does not have it.
    """
    from botocore.exceptions import ClientError, EndpointConnectionError

    try:
        with translated("Applications of EMR Serverless"):
            return serverless.applications(clients.client(serverless.SERVICE))
    except (ConfigError, ClusterError) as exc:
        cause = exc.__cause__
        if isinstance(cause, EndpointConnectionError) or (isinstance(cause, ClientError) and is_denied(cause)):
            return []
        raise


def dry_run_serverless(project: EmrProject, asked: JobOptions) -> dict[str, Any]:
    """Return the requests that a launch on EMR Serverless would send, and its price; AWS is not asked."""
    _require_serverless(asked)
    _, job = job_of(project, asked, NoArtifacts(project.settings.home), lambda _line: None)
    planned, settings = new_launch(project.settings), project.settings
    table = prices.read_prices(settings.prices)
    return {
        "application": serverless_request.application(settings, job, planned),
        "job": serverless_request.job_run(settings, job, planned, "<application>", settings.account or "<account>"),
        "cost": str(prices.serverless_estimate(settings, table, hours=settings.ttl_h)),
    }


def require_no_cluster_options(options: LaunchOptions) -> None:
    """Refuse options that need a cluster.

    Raises:
        ConfigError: One was given.
    """
    if options != LaunchOptions():
        hint = "--keep-alive, --keep-alive-on-failure and --detach are for clusters; leave them out."
        raise ConfigError("EMR Serverless has no cluster that could wait.", hint=hint)


def _require_serverless(asked: JobOptions) -> None:
    if not (asked.script or asked.wheel):
        raise ConfigError(
            "EMR Serverless runs scripts and modules of wheels by its release's own Spark.",
            hint="A pipeline needs the Spark of the lock file: launch it without --serverless.",
        )


def run_step(project: EmrProject, cluster: str, asked: JobOptions, screen: LaunchView) -> int:
    """Run a job on a cluster that waits for one.

    Returns:
        Exit code.
    """
    require_writable_from_afar(project, asked)
    clients = clients_of(project)
    who = checks.identity(clients, project.settings)
    store = Artifacts(clients.client("s3"), project.settings.home, who.account, screen.line)
    sources, job = job_of(project, asked, store, screen.line)
    planned = replace(_planned(project, LaunchOptions(keep_alive_h=project.settings.ttl_h)))
    return ClusterLauncher(project.settings, clients, screen).add_step(cluster, sources, job, planned)


def dry_run(project: EmrProject, asked: JobOptions, options: LaunchOptions) -> dict[str, Any]:
    """Return the request that a launch would send; AWS is not asked, and nothing is written there."""
    sources, job = job_of(project, asked, NoArtifacts(project.settings.home), lambda _line: None)
    launcher = ClusterLauncher(with_spark_defaults(project.settings), clients_of(project), _silent())
    return launcher.request(sources, job, _planned(project, options))


def estimate(project: EmrProject, options: LaunchOptions) -> prices.Estimate:
    """Return what a launch costs at most."""
    table = prices.read_prices(project.settings.prices)
    return prices.estimate(project.settings, table, hours=_hours(project, options))


def _hours(project: EmrProject, options: LaunchOptions) -> float:
    return hours_at_most(project.settings, keeps_on_failure=options.keeps_on_failure, keep_alive_h=options.keep_alive_h)


def _planned(project: EmrProject, options: LaunchOptions) -> Launch:
    return new_launch(project.settings, keeps_on_failure=options.keeps_on_failure, keep_alive_h=options.keep_alive_h)


def _executors(settings: EmrSettings) -> str:
    keys = settings.configurations.get(SPARK_DEFAULTS, {})
    names = {"cores": "cores", "memory": "of heap", "memoryOverhead": "beside it"}
    said = [f"{keys[key]} {text}" for name, text in names.items() if (key := f"spark.executor.{name}") in keys]
    return f"{', '.join(said)} (spark-defaults)" if said else "of the size that EMR gives them"


def _silent() -> LaunchView:
    return LaunchView(line=lambda _: None, state=lambda _: None, log=lambda _: None, may_end=lambda _: False)
