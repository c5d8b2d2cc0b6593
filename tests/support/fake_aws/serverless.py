"""EMR Serverless: applications and jobs that really run, with the operations of its REST interface."""

from __future__ import annotations

import gzip
import json
import secrets
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fake_aws.node import kill
from fake_aws.requests import RefusalError, require_valid

if TYPE_CHECKING:
    from fake_aws.node import Node

_RUN = 'f=$(mktemp -d)/job.py; aws s3 cp --only-show-errors "$0" "$f" && exec python3 "$f" "$@"'


class FakeServerless:
    """Applications by id, and their jobs; a job is a process of the node.

    Args:
        node: Where jobs run.
        put: Writes an object: URI and content.
    """

    def __init__(self, node: Node, put) -> None:
        self._node, self._put = node, put
        self.applications: dict[str, dict] = {}
        self.deleted: list[str] = []
        self.tokens: dict[str, dict] = {}

    def answer(self, method: str, url: str, body: bytes) -> dict:
        path = [part for part in urlsplit(url).path.split("/") if part]
        asked = json.loads(body or b"{}")
        match (method, path):
            case ("POST", ["applications"]):
                return self._create(asked)
            case ("GET", ["applications"]):
                return {"applications": [_brief(one) for one in self.applications.values()]}
            case ("GET", ["applications", name]):
                return {"application": _without_jobs(self._of(name))}
            case ("DELETE", ["applications", name]):
                return self._delete(name)
            case ("POST", ["applications", name, "stop"]):
                self._of(name)["state"] = "STOPPED"
                return {}
            case ("POST", ["applications", name, "jobruns"]):
                return self._run(name, asked)
            case ("GET", ["applications", name, "jobruns"]):
                return {"jobRuns": [_job_brief(job) for job in self._of(name)["jobs"].values()]}
            case ("GET", ["applications", name, "jobruns", run]):
                return {"jobRun": _public(self._of(name)["jobs"][run])}
            case ("DELETE", ["applications", name, "jobruns", run]):
                self.cancel(name, run)
                return {"applicationId": name, "jobRunId": run}
        raise RefusalError("ResourceNotFoundException", f"{method} {url}", 404)

    def cancel(self, name: str, run: str, details: str = "") -> None:
        job = self._of(name)["jobs"][run]
        if job["state"] in ("RUNNING", "SUBMITTED"):
            job["state"], job["stateDetails"] = "CANCELLED", details
            kill(job["process"])

    def end(self) -> None:
        for name, one in self.applications.items():
            for run in one["jobs"]:
                self.cancel(name, run)

    def _create(self, asked: dict) -> dict:
        require_valid("emr-serverless", "CreateApplication", asked)
        if asked["clientToken"] not in self.tokens:
            name = f"00f{secrets.token_hex(6)}"
            self.applications[name] = {**asked, "applicationId": name, "state": "CREATED", "jobs": {}, **_TIMES}
            self.tokens[asked["clientToken"]] = {"applicationId": name, "arn": _arn(name)}
        return self.tokens[asked["clientToken"]]

    def _delete(self, name: str) -> dict:
        if self._of(name)["state"] not in ("CREATED", "STOPPED"):
            raise RefusalError("ValidationException", f"Application {name} must be in STOPPED or CREATED state")
        del self.applications[name]
        self.deleted.append(name)
        return {}

    def _run(self, name: str, asked: dict) -> dict:
        require_valid("emr-serverless", "StartJobRun", {"applicationId": name, **asked})
        spark = asked["jobDriver"]["sparkSubmit"]
        run = f"00j{secrets.token_hex(6)}"
        process = self._node.start(["bash", "-c", _RUN, spark["entryPoint"], *spark.get("entryPointArguments", [])])
        job = {"jobRunId": run, "applicationId": name, "asked": asked, "state": "RUNNING", "process": process, **_TIMES}
        self._of(name)["state"] = "STARTED"
        self._of(name)["jobs"][run] = job
        threading.Thread(target=self._watch, args=(job,), daemon=True).start()
        return {"applicationId": name, "jobRunId": run, "arn": _arn(f"{name}/jobruns/{run}")}

    def _watch(self, job: dict) -> None:
        code = job["process"].wait()
        monitored = job["asked"]["configurationOverrides"]["monitoringConfiguration"]["s3MonitoringConfiguration"]
        place = f"{monitored['logUri']}applications/{job['applicationId']}/jobs/{job['jobRunId']}/SPARK_DRIVER"
        self._put(f"{place}/stdout.gz", gzip.compress(self._node.log().encode()))
        if job["state"] == "RUNNING":
            job["stateDetails"] = "" if code == 0 else f"Job failed, please check complete logs. ExitCode: {code}."
            job["state"] = "SUCCESS" if code == 0 else "FAILED"

    def _of(self, name: str) -> dict:
        if name not in self.applications:
            raise RefusalError("ResourceNotFoundException", f"Application {name} does not exist.", 404)
        return self.applications[name]


_TIMES = {"createdAt": 1.0, "updatedAt": 1.0}
_USED = {"vCPUHour": 0.5, "memoryGBHour": 2.0, "storageGBHour": 0.0}


def _arn(name: str) -> str:
    return f"arn:aws:emr-serverless:us-east-1:123456789012:/applications/{name}"


def _without_jobs(one: dict) -> dict:
    return {key: value for key, value in one.items() if key not in ("jobs", "clientToken")} | {"arn": _arn("x")}


def _brief(one: dict) -> dict:
    return {
        "id": one["applicationId"],
        **{key: one[key] for key in ("name", "state", "releaseLabel", "type")},
        **_TIMES,
    }


def _job_brief(job: dict) -> dict:
    return {"id": job["jobRunId"], "applicationId": job["applicationId"], "state": job["state"], **_TIMES}


def _public(job: dict) -> dict:
    about = {key: job[key] for key in ("jobRunId", "applicationId", "state", "createdAt", "updatedAt")}
    return about | {"stateDetails": job.get("stateDetails", ""), "billedResourceUtilization": _USED}
