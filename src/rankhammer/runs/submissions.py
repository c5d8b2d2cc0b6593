"""What submissions ask for: worked out from the command line, the configuration, an earlier run's report, and YARN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError
from rankhammer.pipeline_registry import COMPOSITES, trains_only
from rankhammer.runs import corpus_status, expected_fingerprints, run_selection
from rankhammer.runs.execute import cluster_settings, open_session, require_known
from rankhammer.runs.node_extras import with_extras
from rankhammer.runs.params_option import without_corpora
from rankhammer.runs.trained_together import is_together, with_fixed_executors, workers_in
from rankhammer.yarn.resources import largest, spark_settings
from rankhammer.yarn.session import plan
from rankhammer.yarn.size_profiles import by_profile
from rankhammer.yarn.submission import CLUSTER, SubmissionSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.yarn.resources import Matrix
    from rankhammer.yarn.settings import ClusterSettings

    Status = Mapping[str, Mapping[str, str | None]]

_DRIVERS_MEMORY = "spark.driver.memory"


@dataclass(frozen=True)
class SubmitOptions:
    """What somebody wants to run on a cluster.

    Args:
        pipeline: Stage, branch or line.
        env: Kedro environment; None for the default one.
        text: Of --params, as typed.
        params: The same, read.
        deploy_mode: `cluster` or `client`; None: as cluster.yml says.
        flags: Spark settings of the command line.
        more: Further options of `kedro run`.
    """

    pipeline: str
    env: str | None
    text: str
    params: Mapping[str, Any]
    deploy_mode: str | None
    flags: Mapping[str, str]
    more: Sequence[str] = ()

    @property
    def stages(self) -> frozenset[str]:
        """Stages of the pipeline."""
        return frozenset(COMPOSITES.get(self.pipeline, (self.pipeline,)))

    @property
    def options(self) -> dict[str, Any]:
        """Options of a Kedro session."""
        return {"env": self.env, "conf_source": None, "params": self.params}


@dataclass(frozen=True)
class SelectedRun:
    """What the run that a submission would go on with tells.

    Args:
        run: Its id; None where runs have none.
        message: A sentence about the choice; empty where runs have no ids.
        matrices: Training matrix of each corpus to work on; empty where nothing is reported.
    """

    run: str | None
    message: str
    matrices: Mapping[str, Matrix]


@dataclass(frozen=True)
class SubmissionGroup:
    """One of the submissions that a run is split into.

    Args:
        profile: Of cluster.yml.
        corpora: That it works on.
        spec: What is submitted.
    """

    profile: str
    corpora: Sequence[str]
    spec: SubmissionSpec


def one(asked: SubmitOptions) -> tuple[SubmissionSpec, ClusterSettings]:
    """Work out one submission.

    Args:
        asked: What somebody wants.

    Raises:
        ConfigError: A pipeline is unknown, or a setting wrong.
        ClusterError: The cluster has no room for it.
    """
    require_known([asked.pipeline])
    settings, keys = cluster_settings(asked.env, asked.params)
    found = _found(asked) if trains_only(asked.stages) else SelectedRun(None, "", {})
    parameters = read_parameters(asked.env, asked.params)
    settings = with_extras(settings, parameters, asked.stages)
    if "training" in asked.stages:
        workers = workers_in(parameters)
        settings = with_fixed_executors(settings, workers, [matrix.n_rows for matrix in found.matrices.values()])
    return _spec(asked, settings, keys, asked.text, found.matrices), settings


def by_size(asked: SubmitOptions) -> tuple[list[SubmissionGroup], SelectedRun, ClusterSettings]:
    """Split a run: corpora of one profile are submitted together, and all submissions work in one run.

    Corpora whose models several tasks train together are a submission of their own: its executors stay.

    Args:
        asked: What somebody wants; a pipeline that begins behind collecting.

    Returns:
        The parts in the order to submit them, the run that they go on with, and the settings.

    Raises:
        ConfigError: The pipeline makes the features itself, so that nobody knows the sizes yet; or there are no rules.
        DataError: No run has collected features.
        ClusterError: The cluster has no room for a part.
    """
    require_known([asked.pipeline])
    if not trains_only(asked.stages):
        raise ConfigError(
            f"--by-size needs the sizes that collecting reports, and {asked.pipeline} does not begin behind it.",
            hint="Submit --pipeline=collect first, then --pipeline=train --by-size.",
        )
    settings, keys = cluster_settings(asked.env, asked.params)
    found = _found(asked)
    rows = {corpus: matrix.n_rows for corpus, matrix in found.matrices.items()}
    parameters = read_parameters(asked.env, asked.params)
    settings, workers = with_extras(settings, parameters), workers_in(parameters)
    parts = []
    for profile, corpora in _groups(by_profile(rows, settings.resources), rows, workers):
        own = settings.model_copy(update={"resources": settings.resources.model_copy(update={"profile": profile})})
        own = with_fixed_executors(own, workers, [rows[corpus] for corpus in corpora])
        of_these = {corpus: found.matrices[corpus] for corpus in corpora}
        text = _text(asked.text, found.run, corpora)
        parts.append(SubmissionGroup(profile, corpora, _spec(asked, own, keys, text, of_these)))
    return parts, found, settings


def read_parameters(env: str | None, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read the parameters of an environment.

    Args:
        env: Kedro environment; None for the default one.
        params: Of the command line.
    """
    session = open_session({"env": env, "conf_source": None, "params": params})
    with session:
        return dict(session.load_context().params)


def _groups(
    by_name: Mapping[str, Sequence[str]], rows: Mapping[str, int], workers: Mapping[str, Any]
) -> list[tuple[str, list[str]]]:
    """Return (profile, corpora), those that several tasks train together apart from the others."""
    parts = [
        (profile, [corpus for corpus in corpora if is_together(workers, rows[corpus]) == together])
        for profile, corpora in by_name.items()
        for together in (False, True)
    ]
    return [(profile, corpora) for profile, corpora in parts if corpora]


def status_after(asked: SubmitOptions, part: SubmissionGroup, found: SelectedRun, *, has_ended_well: bool) -> Status:
    """Return the status of a group's corpora.

    Args:
        asked: What somebody wants.
        part: That was submitted.
        found: The run that it worked in.
        has_ended_well: Whether the run wrote its summary; else all of its corpora failed.
    """
    if not has_ended_well:
        state = {"state": corpus_status.FAILED, "stage": f"the submission of profile {part.profile}", "version": None}
        return dict.fromkeys(part.corpora, state)
    given = {} if found.run is None else {run_selection.RUN: found.run}
    session = open_session({**asked.options, "params": {**asked.params, **given}})
    with session:
        status: Status = session.load_context().catalog["run_summary"].load()["status"]
    return status


def _found(asked: SubmitOptions) -> SelectedRun:
    """Look at the run that would be gone on with."""
    choice = run_selection.choose(
        asked.options, lambda: run_selection.needed_by([asked.pipeline], {}), session=open_session
    )
    session = open_session({**asked.options, "params": choice.params})
    with session:
        catalog: Any = session.load_context().catalog
        return SelectedRun(
            choice.run, choice.message, expected_fingerprints.matrices(catalog, expected_fingerprints.chosen(catalog))
        )


def _spec(
    asked: SubmitOptions, settings: ClusterSettings, keys: Mapping[str, str], text: str, matrices: Mapping[str, Matrix]
) -> SubmissionSpec:
    mode = asked.deploy_mode or settings.submit.deploy_mode
    # In YARN the profile says how large the driver is; spark.yml's size is for a driver here.
    kept = {key: value for key, value in keys.items() if mode != CLUSTER or key != _DRIVERS_MEMORY}
    queue = {"queue": asked.flags.get("spark.yarn.queue", settings.resources.queue)}
    settings = settings.model_copy(update={"resources": settings.resources.model_copy(update=queue)})
    is_training, matrix = trains_only(asked.stages), largest(matrices.values())
    request = plan(settings, is_training=is_training, matrix=matrix, driver_in_cluster=mode == CLUSTER)
    pipeline = () if asked.pipeline == "__default__" else (f"--pipeline={asked.pipeline}",)
    arguments = (*pipeline, *([f"--params={text}"] if text else ()), *asked.more)
    return SubmissionSpec(
        arguments, asked.env, mode, {**spark_settings(request, settings.resources), **kept}, asked.flags
    )


def _text(given: str, run: str | None, corpora: Sequence[str]) -> str:
    """Write --params for some corpora of a run."""
    others = [
        item for item in without_corpora(given)[0].split(",") if item and not item.startswith(f"{run_selection.RUN}=")
    ]
    of_run = [] if run is None else [f"{run_selection.RUN}={run}"]
    return ",".join([*others, *of_run, f"corpora={','.join(corpora)}"])
