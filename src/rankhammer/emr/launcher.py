"""One launch: the request, the wait, and what is left when it has ended."""

from __future__ import annotations

import getpass
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rankhammer.emr import jobs, prices
from rankhammer.emr.clients import is_busy, translated
from rankhammer.emr.cluster_request import Launch, run_job_flow, step
from rankhammer.emr.following import Follower, JobFolder
from rankhammer.errors import ClusterError, ConfigError
from rankhammer.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.emr.clients import Clients
    from rankhammer.emr.following import LaunchProgress
    from rankhammer.emr.jobs import Job, Sources
    from rankhammer.emr.outcome import Outcome
    from rankhammer.emr.settings import EmrSettings

_HOUR_S = 3600
_TRIES, _LONGEST_PAUSE_S = 6, 20.0
_LOOK_BACK = timedelta(minutes=15)


@dataclass(frozen=True)
class LaunchView:
    """Where a launch is told.

    Args:
        line: Called with each line for the user.
        state: Called with each state.
        log: Called with each line of the job's own log.
        may_end: Asked with the cluster's id when the user interrupts.
    """

    line: Callable[[str], None]
    state: Callable[[LaunchProgress], None]
    log: Callable[[str], None]
    may_end: Callable[[str], bool]


def new_launch(
    settings: EmrSettings, *, keeps_on_failure: bool = False, keep_alive_h: float = 0, owner: str | None = None
) -> Launch:
    """Name a launch, and say when all of it is ended.

    Args:
        settings: Of emr.yml.
        keeps_on_failure: Whether the cluster waits after a failure.
        keep_alive_h: Hours without a job that it waits after its jobs.
        owner: Whose it is; None: as emr.yml says, or the user of this machine.
    """
    now = datetime.now(UTC)
    name = jobs.launch_id(uuid.uuid4().hex, now.strftime("%Y%m%d-%H%M%S"))
    hours = hours_at_most(settings, keeps_on_failure=keeps_on_failure, keep_alive_h=keep_alive_h)
    return Launch(
        id=name,
        uri=f"{settings.home}/launches/{name}",
        owner=owner or settings.owner or getpass.getuser(),
        ends_at=now + timedelta(hours=hours),
        ttl_s=round(settings.ttl_h * _HOUR_S),
        keeps_on_failure=keeps_on_failure,
        keep_alive_s=round(keep_alive_h * _HOUR_S),
    )


def hours_at_most(settings: EmrSettings, *, keeps_on_failure: bool, keep_alive_h: float) -> float:
    """Return after how many hours the cluster of one job has ended, whatever happens."""
    waits = keep_alive_h or (max(settings.ttl_h, 1 / 6) if keeps_on_failure else 0)
    return settings.ttl_h + waits


class ClusterLauncher:
    """Starts clusters and jobs, follows them, and ends what has to be ended."""

    def __init__(self, settings: EmrSettings, clients: Clients, view: LaunchView) -> None:
        """Ask nothing yet.

        Args:
            settings: Of emr.yml.
            clients: Of its region.
            view: Where it is told.
        """
        self._settings, self._clients, self._view = settings, clients, view
        self._emr = clients.client("emr")

    def request(self, sources: Sources, job: Job, launch: Launch) -> dict[str, Any]:
        """Put on S3 what the cluster needs, and return the request for it."""
        archives = jobs.node_archives(sources)
        script = sources.store.put(jobs.STEP)
        bootstrap: tuple[str, ...] = ()
        if archives:
            named = [f"{name}={uri}" for name, uri in archives]
            bootstrap = (sources.store.put(jobs.BOOTSTRAP), self._settings.node.folder, *named)
        return run_job_flow(self._settings, job, launch, script=script, bootstrap=bootstrap)

    def launch(self, request: Mapping[str, Any], launch: Launch, *, is_detached: bool) -> int:
        """Start a cluster with one job, and wait for its end unless detached.

        Returns:
            Exit code.

        Raises:
            ConfigError: EMR refuses the request.
            ClusterError: AWS does not answer.
        """
        cluster = ""
        try:
            cluster = self._start(request)
            self._view.line(f"{cluster} starts; whatever happens here, it ends by itself: {self._ends(launch)}")
            if is_detached:
                self._view.line(f"Follow it with `rankhammer emr logs {cluster}`")
                return 0
            until_gone = not launch.keeps_alive
            found = self._follower(launch.uri).follow(cluster, None, until_gone=until_gone)
            if launch.keeps_on_failure and not launch.keep_alive_s and not found.code:
                self.end(cluster)
        except KeyboardInterrupt:
            return self._interrupted(cluster or self._find(str(request["Name"])))
        return self._close(cluster, found, launch)

    def add_step(self, cluster: str, sources: Sources, job: Job, launch: Launch) -> int:
        """Run one more job on a cluster that waits for it.

        Returns:
            Exit code.

        Raises:
            ConfigError: There is no such cluster, or it takes no more jobs.
        """
        asked = step(self._settings, sources.store.put(jobs.STEP), job, launch)
        with translated(f"A step on {cluster}"):
            self._require_waiting(cluster)
            (number,) = self._emr.add_job_flow_steps(JobFlowId=cluster, Steps=[asked])["StepIds"]
        self._view.line(f"{cluster}: step {number}")
        try:
            found = self._follower(launch.uri).follow(cluster, number, until_gone=False)
        except KeyboardInterrupt:
            self._emr.cancel_steps(ClusterId=cluster, StepIds=[number], StepCancellationOption="TERMINATE_PROCESS")
            self._view.line(f"Step {number} is cancelled; {cluster} waits for the next one.")
            return INTERRUPTED
        return self._close(cluster, found, launch)

    def end(self, cluster: str) -> None:
        """End a cluster; one that has ended stays so.

        Raises:
            ConfigError: It may not be ended.
        """
        with translated(f"Ending {cluster}"):
            self._emr.set_termination_protection(JobFlowIds=[cluster], TerminationProtected=False)
            self._emr.terminate_job_flows(JobFlowIds=[cluster])
        self._view.line(f"{cluster} is ended")

    def _follower(self, uri: str) -> Follower:
        folder = JobFolder(self._clients.client("s3"), uri)
        view, poll_s = self._view, self._settings.poll_s
        return Follower(self._emr, folder, poll_s=poll_s, on_state=view.state, on_line=view.log)

    def _start(self, request: Mapping[str, Any]) -> str:
        """Ask for the cluster once: a request whose answer is lost may have made one, which is looked for first."""
        for number in range(1, _TRIES + 1):
            found = self._ask_for(request, is_last=number == _TRIES)
            if found:
                return found
            self._view.line(f"EMR does not answer; attempt {number + 1} of {_TRIES}")
            time.sleep(min(self._settings.poll_s * 2**number, _LONGEST_PAUSE_S))
        raise ClusterError("EMR does not answer.", hint="`rankhammer emr list-orphans` says what runs.")

    def _ask_for(self, request: Mapping[str, Any], *, is_last: bool) -> str:
        """Return the id of the cluster; empty where it is worth another attempt."""
        from botocore.exceptions import BotoCoreError, ClientError

        with translated("The launch"):
            try:
                return str(self._clients.client("emr", retries=False).run_job_flow(**request)["JobFlowId"])
            except (BotoCoreError, ClientError) as exc:
                found = self._find(str(request["Name"])) if _may_pass(exc) else ""
                if not found and (is_last or not _may_pass(exc)):
                    raise
                return found

    def _find(self, name: str) -> str:
        """Return the id of a cluster by its name; empty where there is none."""
        since = datetime.now(UTC) - _LOOK_BACK
        pages = self._emr.get_paginator("list_clusters").paginate(CreatedAfter=since)
        return next((c["Id"] for page in pages for c in page["Clusters"] if c["Name"] == name), "")

    def _require_waiting(self, cluster: str) -> None:
        about = self._emr.describe_cluster(ClusterId=cluster)["Cluster"]
        state = about["Status"]["State"]
        if state not in ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"):
            hint = "`rankhammer emr launch --keep-alive HOURS` starts one that takes more jobs."
            raise ConfigError(f"{cluster} takes no more jobs: it is {state}.", hint=hint)
        if about.get("AutoTerminate"):
            raise ConfigError(f"{cluster} ends with its job.", hint="Launch it with --keep-alive HOURS.")

    def _interrupted(self, cluster: str) -> int:
        if not cluster:
            self._view.line("No cluster was started.")
        elif self._view.may_end(cluster):
            self.end(cluster)
        else:
            self._view.line(f"{cluster} runs on; end it with `rankhammer emr destroy --cluster {cluster}`")
        return INTERRUPTED

    def _ends(self, launch: Launch) -> str:
        return f"with its job, at the latest at {launch.ends_at:%Y-%m-%d %H:%M} UTC"

    def _close(self, cluster: str, found: Outcome, launch: Launch) -> int:
        self._view.line(f"{cluster}: {found.message}")
        if found.hint:
            self._view.line(f"Hint: {found.hint}")
        self._view.line(f"Cost so far: {self._cost(cluster)}")
        self._view.line(f"Log and outcome: {launch.uri}")
        if launch.keep_alive_s or (launch.keeps_on_failure and found.code):
            self._view.line(
                f"{cluster} waits for the next job (`rankhammer emr step {cluster}`); it ends after "
                f"{(launch.keep_alive_s or launch.ttl_s) / _HOUR_S:g} h without one."
            )
        return found.code

    def _cost(self, cluster: str) -> str:
        return cost_so_far(self._settings, self._emr, cluster)


def cost_so_far(settings: EmrSettings, emr: Any, cluster: str) -> str:
    """Say what a cluster has cost so far; an unknown price is no reason to fail."""
    try:
        table = prices.read_prices(settings.prices)
        with translated(f"Instances of {cluster}"):
            pages = emr.get_paginator("list_instances").paginate(ClusterId=cluster)
            instances = [instance for page in pages for instance in page["Instances"]]
        dollars = prices.spent(instances, table, str(settings.region), now=datetime.now(UTC))
    except (ConfigError, ClusterError) as exc:
        return f"unknown ({exc.message})"
    return f"{dollars:.2f} $ of {len(instances)} instances (list prices of {table.as_of}, without disks and transfer)"


def _may_pass(error: BaseException) -> bool:
    """Say whether a request is worth a second attempt: AWS is busy, or its answer was lost."""
    from botocore.exceptions import ConnectionError as LostConnection
    from botocore.exceptions import HTTPClientError

    return is_busy(error) or isinstance(error, LostConnection | HTTPClientError)
