"""What a launch on EMR runs: one of the kinds of jobs, checked before anything is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rankhammer import pipeline_registry
from rankhammer.emr import conf_secrets, jobs
from rankhammer.errors import ConfigError
from rankhammer.pipeline_registry import COMPOSITES
from rankhammer.runs.execute import open_session, require_known
from rankhammer.runs.expected_fingerprints import checked_parameters
from rankhammer.runs.node_extras import with_extras
from rankhammer.runs.submissions import read_parameters
from rankhammer.yarn import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rankhammer.emr.jobs import Job, Sources, Store
    from rankhammer.emr.settings import EmrSettings
    from rankhammer.yarn.interpreter import Interpreter
    from rankhammer.yarn.settings import ClusterSettings, PythonSettings

DEFAULT_PIPELINE = "__default__"
_GO_WITH_IT = ("hdfs:///", "file:")
"""Paths of whatever cluster a job runs on; an HDFS that is named by its host is another one."""
_GOES_WITH_IT = re.compile(r"(hdfs|file):///[^/].*")
_ARM = re.compile(r"[a-z]+\d+g[a-z]*\.")
"""Instance types with Graviton: m6g, r7gd, c8gn, ..."""
_COPY = "--copy hdfs:///out/report=s3://my-bucket/report"


@dataclass(frozen=True)
class EmrProject:
    """An environment of a project, as far as launches need it.

    Args:
        env: Its name.
        folder: Of the project.
        settings: Of emr.yml.
        cluster: Of cluster.yml.
        paths: Folders of globals.yml, by name.
    """

    env: str
    folder: Path
    settings: EmrSettings
    cluster: ClusterSettings
    paths: dict[str, str]


@dataclass(frozen=True)
class JobOptions:
    """What to run: one of a pipeline, a script, a wheel and a project.

    Args:
        pipeline: Stage, branch or line of this project.
        params: Parameters, as `kedro run` takes them.
        values: The same by name.
        script: File here, or a URI on S3.
        wheel: File here.
        module: Of the wheel.
        project: Folder of another Kedro project.
        arguments: Of the job.
        copies: FROM=TO: folders of the cluster's HDFS, or of its primary node, that are copied when the job has ended.
    """

    pipeline: str | None = None
    params: str | None = None
    script: str | None = None
    wheel: str | None = None
    module: str | None = None
    project: str | None = None
    arguments: Sequence[str] = ()
    copies: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_own(self) -> bool:
        """Whether it is a job of the user's own, and no pipeline of this project."""
        return bool(self.script or self.wheel or self.project)


def job_of(
    project: EmrProject, asked: JobOptions, store: Store, on_progress: Callable[[str], None]
) -> tuple[Sources, Job]:
    """Make the job that was asked for.

    Raises:
        ConfigError: None or several were asked for, or a secret stands in the arguments.
    """
    conf_secrets.require_no_keys_in([*asked.arguments, *asked.copies, asked.params or ""])
    kinds = {"--pipeline": asked.pipeline, "--script": asked.script, "--wheel": asked.wheel, "--project": asked.project}
    named = [kind for kind, value in kinds.items() if value]
    if len(named) > 1:
        raise ConfigError(f"{' and '.join(named)} were given, and a launch has one job.", hint="Leave one of them out.")
    if (asked.wheel is None) != (asked.module is None):
        raise ConfigError("--wheel and --module belong together.", hint="--wheel dist/x.whl --module x.job")
    pairs = _copies(asked)
    sources = jobs.Sources(store, project.settings.node, project.cluster.python, project.folder, on_progress)
    if not asked.is_own:
        return _pipeline(project, asked, sources)
    job = _own(asked, sources)
    return sources, jobs.with_copies(sources, project.env, job, pairs) if pairs else job


def require_same_machine(project: EmrProject) -> None:
    """Refuse instances of another kind than the Python that travels: the bootstrap action would find out, and be paid.

    Raises:
        ConfigError: With the instance types.
        ClusterError: There is no Python for the nodes.
    """
    own = project.cluster.python
    if project.settings.node.python is not None:
        return
    built = planned_python(project.folder, own).machine
    fleets = project.settings.fleets
    used = [fleet for fleet in (fleets.primary, fleets.core, fleets.task) if fleet.on_demand + fleet.spot]
    wrong = [name for fleet in used for name in fleet.types if ("aarch64" if _ARM.match(name) else "x86_64") != built]
    if wrong:
        raise ConfigError(
            f"The Python for the nodes is for {built}, and {', '.join(dict.fromkeys(wrong))} is of another kind.",
            hint="Name other types in `fleets` of emr.yml, or a Python for these: `python.standalone` in cluster.yml.",
        )


def planned_python(folder: Path, own: PythonSettings) -> Interpreter:
    """Return the Python that would travel to the nodes."""
    planned = environment.plan(folder, interpreter=own.interpreter, standalone=own.of_nodes, without=own.without)
    return planned.python


def _own(asked: JobOptions, sources: Sources) -> Job:
    if asked.script:
        return jobs.script(sources, asked.script, asked.arguments)
    if asked.wheel:
        return jobs.wheel(sources, asked.wheel, str(asked.module), asked.arguments)
    return jobs.kedro_project(sources, str(asked.project), asked.arguments)


def _copies(asked: JobOptions) -> list[tuple[str, str]]:
    """Read --copy.

    Raises:
        ConfigError: It names no folder of the cluster, or none of S3, or the job is a pipeline.
    """
    if asked.copies and not asked.is_own:
        hint = "conf/emr/globals.yml names folders on S3: a pipeline writes there itself."
        raise ConfigError("--copy is for a script, a wheel or another project.", hint=hint)
    pairs = [(source, target) for source, _, target in (text.partition("=s3") for text in asked.copies)]
    for text, (source, target) in zip(asked.copies, pairs, strict=True):
        bucket = target.partition("://")[2].strip("/")
        if not _GOES_WITH_IT.fullmatch(source) or not bucket:
            raise ConfigError(f"--copy {text}: no folder to copy, or none to copy to.", hint=_COPY)
    return [(source, f"s3{target}") for source, target in pairs]


def _pipeline(project: EmrProject, asked: JobOptions, sources: Sources) -> tuple[Sources, Job]:
    name = asked.pipeline or DEFAULT_PIPELINE
    require_known([name])
    _require_sound_parameters(project.env, name, asked.values)
    which = () if name == DEFAULT_PIPELINE else (f"--pipeline={name}",)
    params = (f"--params={asked.params}",) if asked.params else ()
    shown = "all" if name == DEFAULT_PIPELINE else name
    job = jobs.pipeline(sources, project.env, (*which, *params, *asked.arguments), name=shown)
    parameters = read_parameters(project.env, asked.values)
    cluster = with_extras(project.cluster, parameters, COMPOSITES.get(name, (name,)))
    return replace(sources, python=cluster.python), job


def _require_sound_parameters(env: str, pipeline: str, values: Mapping[str, Any]) -> None:
    """Refuse parameters that the driver would refuse: on the cluster it would be found out after minutes.

    Raises:
        ConfigError: A name is not known, or a value is not of its kind.
        ParameterValidationError: Likewise.
    """
    session = open_session({"env": env, "conf_source": None, "params": dict(values)})
    with session:
        context = session.load_context()
        catalog: Any = context.catalog
        # From here on the loader knows which values fill places in files.
        variables = getattr(context.config_loader, "variables", ())
        checked_parameters(pipeline_registry.register_pipelines()[pipeline], catalog, variables=variables)


def require_writable_from_afar(project: EmrProject, asked: JobOptions) -> None:
    """Refuse folders of this machine, and of the cluster's own HDFS: what it writes to its disks goes with it.

    Raises:
        ConfigError: A folder that runs write to would not be there afterwards.
    """
    if asked.is_own:
        return
    kept = {name: uri for name, uri in project.paths.items() if "://" in uri and not uri.startswith(_GO_WITH_IT)}
    lost = sorted(project.paths.keys() - kept.keys())
    if lost:
        raise ConfigError(
            f"paths of the environment {project.env} go with the cluster, or are on this machine: {', '.join(lost)}.",
            hint="conf/emr/globals.yml shows paths on S3.",
        )
