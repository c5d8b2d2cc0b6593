"""What EMR Serverless is asked for: an application for one job, with bounds, and the job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.emr.cluster_request import NAME, cluster_name
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from rankhammer.emr.cluster_request import Launch
    from rankhammer.emr.jobs import Job
    from rankhammer.emr.settings import EmrSettings

_LEAST_MIN = 5
"""Minutes that a job has at least: EMR Serverless takes no less."""


def application(settings: EmrSettings, job: Job, launch: Launch) -> dict[str, Any]:
    """Return the request for an application, which stops by itself a minute after its job.

    Args:
        settings: Of emr.yml.
        job: What to run.
        launch: What somebody wants.
    """
    bounds = settings.serverless
    return {
        "name": cluster_name(job, launch)[:64].strip(),
        "releaseLabel": settings.release,
        "type": "SPARK",
        # Sent twice it makes one.
        "clientToken": f"{launch.id}-application",
        "architecture": bounds.architecture,
        "maximumCapacity": {"cpu": f"{bounds.vcpus} vCPU", "memory": f"{bounds.memory_gb} GB"},
        "autoStartConfiguration": {"enabled": True},
        "autoStopConfiguration": {"enabled": True, "idleTimeoutMinutes": 1},
        "tags": launch.tags,
    }


def job_run(settings: EmrSettings, job: Job, launch: Launch, application_id: str, account: str) -> dict[str, Any]:
    """Return the request for the job, which is ended after `ttl_h`.

    Args:
        settings: Of emr.yml.
        job: What to run.
        launch: What somebody wants.
        application_id: Where.
        account: Of the role.

    Raises:
        ConfigError: The job is none that spark-submit runs.
    """
    parameters, entry, arguments = _submitted(job)
    spark: dict[str, Any] = {"entryPoint": entry, "entryPointArguments": arguments}
    if parameters:
        spark["sparkSubmitParameters"] = " ".join(parameters)
    return {
        "applicationId": application_id,
        "clientToken": f"{launch.id}-job",
        "executionRoleArn": f"arn:aws:iam::{account}:role/{settings.serverless.role}",
        "name": f"{NAME} {job.name} {launch.id}"[:256],
        "jobDriver": {"sparkSubmit": spark},
        "configurationOverrides": {
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": f"{launch.uri}/emr-logs/"}}
        },
        "executionTimeoutMinutes": max(_LEAST_MIN, round(launch.ttl_s / 60)),
        "retryPolicy": {"maxAttempts": 1},
        "tags": launch.tags,
    }


def _submitted(job: Job) -> tuple[list[str], str, list[str]]:
    """Return spark-submit's own options, the URI of the script, and its arguments."""
    files = dict(job.files)
    options = list(job.command[1:])
    for place, word in enumerate(options):
        if word in files and word.endswith(".py"):
            return options[:place], files[word], options[place + 1 :]
    raise ConfigError(
        f"{job.name}: EMR Serverless runs scripts and modules of wheels by its release's own Spark.",
        hint="A pipeline needs the Spark of the lock file: launch it without --serverless.",
    )
