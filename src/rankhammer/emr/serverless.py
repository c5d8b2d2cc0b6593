"""One job on EMR Serverless: an application is made for it, followed, and deleted."""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING, Any

from rankhammer.emr import prices
from rankhammer.emr.artifacts import split_uri
from rankhammer.emr.clients import is_code, translated
from rankhammer.emr.cluster_request import LAUNCH_TAG, MANAGED_TAG
from rankhammer.emr.following import LaunchProgress
from rankhammer.emr.outcome import Outcome
from rankhammer.emr.serverless_request import application, job_run
from rankhammer.errors import ClusterError, ConfigError
from rankhammer.exit_codes import CLUSTER_ENDED, DONE, INTERRUPTED, JOB_FAILED, NO_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rankhammer.emr.clients import Clients
    from rankhammer.emr.cluster_request import Launch
    from rankhammer.emr.jobs import Job
    from rankhammer.emr.launcher import LaunchView
    from rankhammer.emr.settings import EmrSettings

SERVICE = "emr-serverless"
_ENDED = {"SUCCESS": DONE, "FAILED": JOB_FAILED, "CANCELLED": CLUSTER_ENDED}
_READY, _LOST = ("CREATED", "STARTED", "STOPPED"), ("TERMINATED",)
_LOGS = ("SPARK_DRIVER/stdout.gz", "SPARK_DRIVER/stderr.gz")
_LAST_LINES = 200
_WAITS_S = 600


class ServerlessLauncher:
    """Makes an application, runs a job on it, and leaves neither."""

    def __init__(self, settings: EmrSettings, clients: Clients, view: LaunchView) -> None:
        """Ask nothing yet.

        Args:
            settings: Of emr.yml.
            clients: Of its region.
            view: Where it is told.
        """
        self._settings, self._clients, self._view = settings, clients, view
        self._emr = clients.client(SERVICE)
        self._start = time.monotonic()

    def launch(self, job: Job, launch: Launch, account: str) -> int:
        """Run a job, and wait for its end and the application's.

        Returns:
            Exit code.

        Raises:
            ConfigError: EMR Serverless refuses the request.
            ClusterError: AWS does not answer; the job ends by itself, and so does what is paid.
        """
        made, run = "", ""
        # Refused before anything is made.
        asked = job_run(self._settings, job, launch, "", account)
        try:
            with translated("The launch"):
                made = self._emr.create_application(**application(self._settings, job, launch))["applicationId"]
                self._view.line(f"{made} is made; its job ends at {launch.ends_at:%Y-%m-%d %H:%M} UTC at the latest")
                if not self._is_ready(made):
                    return self._close(made, launch, Outcome(NO_CLUSTER, "The application was not made."), {})
                run = self._emr.start_job_run(**{**asked, "applicationId": made})["jobRunId"]
            found = self._follow(made, run)
        except KeyboardInterrupt:
            return self._interrupted(made, run)
        self._print_log(launch, made, run)
        return self._close(made, launch, _outcome(found), found)

    def end(self, application_id: str) -> None:
        """Cancel an application's jobs, stop it, and delete it; one that is gone stays so.

        Raises:
            ClusterError: It did not stop in ten minutes.
        """
        with translated(f"Ending {application_id}"):
            for run in self._live_runs(application_id):
                self._emr.cancel_job_run(applicationId=application_id, jobRunId=run)
            self._wait_for_no_runs(application_id)
            self._emr.stop_application(applicationId=application_id)
            self._wait_until_stopped(application_id)
            self._emr.delete_application(applicationId=application_id)
        self._view.line(f"{application_id} is deleted")

    def _is_ready(self, application_id: str) -> bool:
        for _ in self._polls():
            state = self._state(application_id)
            if state in (*_READY, *_LOST):
                return state in _READY
        return False

    def _follow(self, application_id: str, run: str) -> Mapping[str, Any]:
        while True:
            found: Mapping[str, Any] = self._emr.get_job_run(applicationId=application_id, jobRunId=run)["jobRun"]
            seconds = time.monotonic() - self._start
            self._view.state(LaunchProgress(application_id, self._state(application_id), found["state"], seconds))
            if found["state"] in _ENDED:
                return found
            time.sleep(self._settings.poll_s)

    def _interrupted(self, application_id: str, run: str) -> int:
        if not application_id:
            self._view.line("No application was made.")
        elif not run or self._view.may_end(application_id):
            self.end(application_id)
        else:
            self._view.line(
                f"{application_id} runs on; end it with `rankhammer emr destroy --cluster {application_id}`"
            )
        return INTERRUPTED

    def _print_log(self, launch: Launch, application_id: str, run: str) -> None:
        folder = f"{launch.uri}/emr-logs/applications/{application_id}/jobs/{run}"
        for name in _LOGS:
            for line in _lines(self._clients.client("s3"), f"{folder}/{name}"):
                self._view.log(line)

    def _close(self, application_id: str, launch: Launch, found: Outcome, run: Mapping[str, Any]) -> int:
        self._view.line(f"{application_id}: {found.message}")
        if found.hint:
            self._view.line(f"Hint: {found.hint}")
        self._view.line(f"Cost: {_cost(self._settings, run)}")
        self._view.line(f"Logs: {launch.uri}/emr-logs")
        self.end(application_id)
        return found.code

    def _state(self, application_id: str) -> str:
        return str(self._emr.get_application(applicationId=application_id)["application"]["state"])

    def _live_runs(self, application_id: str) -> list[str]:
        pages = self._emr.get_paginator("list_job_runs").paginate(applicationId=application_id)
        return [run["id"] for page in pages for run in page["jobRuns"] if run["state"] not in _ENDED]

    def _wait_for_no_runs(self, application_id: str) -> None:
        for _ in self._polls():
            if not self._live_runs(application_id):
                return

    def _wait_until_stopped(self, application_id: str) -> None:
        for _ in self._polls():
            if self._state(application_id) in ("CREATED", "STOPPED", *_LOST):
                return
        hint = f"`rankhammer emr destroy --cluster {application_id}` tries again; it costs nothing while it is idle."
        raise ClusterError(f"{application_id} did not stop.", hint=hint)

    def _polls(self) -> Iterator[None]:
        end = time.monotonic() + _WAITS_S
        while time.monotonic() < end:
            yield
            time.sleep(self._settings.poll_s)


def applications(emr: Any) -> list[dict[str, str]]:
    """List the applications that launches have made and not deleted: id, state, and launch.

    Args:
        emr: Client of EMR Serverless.
    """
    found = []
    for page in emr.get_paginator("list_applications").paginate():
        for one in page["applications"]:
            if one["state"] == "TERMINATED" or not str(one.get("name", "")).startswith("rankhammer "):
                continue
            tags = emr.get_application(applicationId=one["id"])["application"].get("tags", {})
            if tags.get(MANAGED_TAG):
                found.append({"id": one["id"], "state": one["state"], "launch": tags.get(LAUNCH_TAG, "")})
    return found


def _outcome(run: Mapping[str, Any]) -> Outcome:
    code = _ENDED[run["state"]]
    details = str(run.get("stateDetails") or "").strip()
    if code == DONE:
        return Outcome(DONE, "The job has ended well.")
    what = "The job was cancelled from outside" if code == CLUSTER_ENDED else "The job failed"
    return Outcome(code, f"{what}. {details}".strip())


def _cost(settings: EmrSettings, run: Mapping[str, Any]) -> str:
    used = run.get("billedResourceUtilization") or {}
    try:
        table = prices.read_prices(settings.prices)
        dollars = prices.serverless_spent(used, table, str(settings.region), settings.serverless.architecture)
    except ConfigError as exc:
        return f"unknown ({exc.message})"
    about = f"{used.get('vCPUHour', 0):.2f} vCPU hours, {used.get('memoryGBHour', 0):.2f} GB hours"
    return f"{dollars:.2f} $ for {about} (list prices of {table.as_of})"


def _lines(s3: Any, uri: str) -> list[str]:
    """Return the last lines of a log, none where it was not written."""
    from botocore.exceptions import ClientError

    bucket, key = split_uri(uri)
    try:
        content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as exc:
        if is_code(exc, "NoSuchKey", "404"):
            return []
        raise
    return gzip.decompress(content).decode(errors="replace").splitlines()[-_LAST_LINES:]
