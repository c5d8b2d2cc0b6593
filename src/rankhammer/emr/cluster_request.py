"""What EMR is asked for: one cluster for one job, which ends by itself however the launching machine fares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.emr.template import EMR_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rankhammer.emr.jobs import Job
    from rankhammer.emr.settings import EmrSettings, FleetSettings

MANAGED_TAG, LAUNCH_TAG, OWNER_TAG, TTL_TAG = "rankhammer", "launch", "owner", "ttl"
NAME = "rankhammer"
_ON_FAILURE = {False: "TERMINATE_CLUSTER", True: "CANCEL_AND_WAIT"}
_OTHERWISE = {"on_demand": "SWITCH_TO_ON_DEMAND", "terminate": "TERMINATE_CLUSTER"}
_SPOT_CHOICE = "price-capacity-optimized"
_MINUTE, _TEN_MINUTES, _WEEK = 60, 600, 604_800
"""Bounds in seconds of what EMR takes as a time without work before it ends a cluster: from a minute on; ours."""

SPARK_DEFAULTS = "spark-defaults"
_S3A_COMMITTER = "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory"
CONFIGURATIONS: Mapping[str, Mapping[str, str]] = {
    "yarn-site": {
        # Python workers map more memory than they use, and would be ended for it.
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.log-aggregation-enable": "true",
    },
    "core-site": {"hadoop.rpc.protection": "privacy"},
    "hdfs-site": {"dfs.encrypt.data.transfer": "true"},
    SPARK_DEFAULTS: {
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.io.encryption.enabled": "true",
        "spark.hadoop.fs.s3a.committer.name": "magic",
        "spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3a": _S3A_COMMITTER,
        "spark.yarn.maxAppAttempts": "1",
    },
}
"""Encrypted in transit, no virtual-memory check, writes to S3 that appear when they are complete."""


@dataclass(frozen=True)
class Launch:
    """What somebody wants of a cluster.

    Args:
        id: Of the launch.
        uri: URI of its folder.
        owner: Whose it is.
        ends_at: When all of it is ended, UTC.
        ttl_s: Seconds that the job may take.
        keeps_on_failure: Whether the cluster waits after a job that failed.
        keep_alive_s: Seconds without a job that it waits after its jobs; 0: it ends with the first one.
    """

    id: str
    uri: str
    owner: str
    ends_at: datetime
    ttl_s: int
    keeps_on_failure: bool = False
    keep_alive_s: int = 0

    @property
    def keeps_alive(self) -> bool:
        """Whether the cluster outlives its first job, at least where that fails."""
        return self.keeps_on_failure or self.keep_alive_s > 0

    @property
    def tags(self) -> dict[str, str]:
        """Tags of all that is made for it."""
        ends = self.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            EMR_TAG["Key"]: EMR_TAG["Value"],
            MANAGED_TAG: "emr",
            LAUNCH_TAG: self.id,
            OWNER_TAG: self.owner,
            TTL_TAG: ends,
        }


def cluster_name(job: Job, launch: Launch) -> str:
    """Return a name that no other cluster has."""
    return f"{NAME} {job.name} {launch.id}"[:256]


def step(settings: EmrSettings, script: str, job: Job, launch: Launch) -> dict[str, Any]:
    """Return the step that runs a job.

    Args:
        settings: Of emr.yml.
        script: URI of `step.sh`.
        job: What to run.
        launch: What somebody wants.
    """
    fetched = [f"{name}={uri}" for name, uri in job.files]
    own = [settings.node.folder, launch.uri, str(launch.ttl_s), str(settings.log_s), *fetched, "--", *job.command]
    # The script's name is that of its content; bash reads it from S3, so nothing has to be there before.
    shell = 'set -o pipefail; f=$(mktemp); aws s3 cp --only-show-errors "$0" "$f" && exec bash "$f" "$@"'
    return {
        "Name": f"{job.name} {launch.id}"[:256],
        "ActionOnFailure": _ON_FAILURE[launch.keeps_alive],
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["bash", "-c", shell, script, *own]},
    }


def run_job_flow(
    settings: EmrSettings, job: Job, launch: Launch, *, script: str, bootstrap: Sequence[str]
) -> dict[str, Any]:
    """Return the request for a cluster with one job.

    Args:
        settings: Of emr.yml.
        job: What to run.
        launch: What somebody wants.
        script: URI of `step.sh`.
        bootstrap: URI of `bootstrap.sh` and its arguments; empty where nodes need nothing.
    """
    least = _MINUTE if launch.keep_alive_s else _TEN_MINUTES
    idle = min(max(launch.keep_alive_s or launch.ttl_s, least), _WEEK)
    asked = {
        "Name": cluster_name(job, launch),
        "ReleaseLabel": settings.release,
        "Applications": [{"Name": "Hadoop"}, {"Name": "Spark"}],
        "LogUri": f"{launch.uri}/emr-logs/",
        "ServiceRole": settings.roles.service,
        "JobFlowRole": settings.roles.instance_profile,
        "VisibleToAllUsers": True,
        "EbsRootVolumeSize": 30,
        "Instances": _instances(settings, keeps_alive=launch.keeps_alive),
        "Configurations": _configurations(settings.configurations),
        "BootstrapActions": _bootstrap(bootstrap),
        "Steps": [step(settings, script, job, launch)],
        "StepConcurrencyLevel": 1,
        "Tags": [{"Key": key, "Value": value} for key, value in launch.tags.items()],
        # Also where nobody follows: a cluster without work ends by itself.
        "AutoTerminationPolicy": {"IdleTimeout": idle},
        "SecurityConfiguration": settings.security_configuration,
    }
    return {key: value for key, value in asked.items() if value is not None}


def _bootstrap(called: Sequence[str]) -> list[dict[str, Any]]:
    if not called:
        return []
    return [{"Name": "environment", "ScriptBootstrapAction": {"Path": called[0], "Args": list(called[1:])}}]


def _instances(settings: EmrSettings, *, keeps_alive: bool) -> dict[str, Any]:
    fleets, network = settings.fleets, settings.network
    by_kind = {"MASTER": fleets.primary, "CORE": fleets.core, "TASK": fleets.task}
    asked = {
        "InstanceFleets": [
            _fleet(settings, kind, fleet) for kind, fleet in by_kind.items() if fleet.on_demand + fleet.spot
        ],
        "Ec2SubnetIds": list(network.subnets) or None,
        "EmrManagedMasterSecurityGroup": network.primary_group,
        "EmrManagedSlaveSecurityGroup": network.other_group,
        "ServiceAccessSecurityGroup": network.service_group,
        "KeepJobFlowAliveWhenNoSteps": keeps_alive,
        "TerminationProtected": False,
    }
    return {key: value for key, value in asked.items() if value is not None}


def _fleet(settings: EmrSettings, kind: str, fleet: FleetSettings) -> dict[str, Any]:
    disk = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": settings.fleets.disk_gb}, "VolumesPerInstance": 1}
    types = [
        {
            "InstanceType": name,
            "WeightedCapacity": 1,
            "BidPriceAsPercentageOfOnDemandPrice": 100.0,
            "EbsConfiguration": {"EbsBlockDeviceConfigs": [disk], "EbsOptimized": True},
        }
        for name in fleet.types
    ]
    asked: dict[str, Any] = {
        "Name": kind.lower(),
        "InstanceFleetType": kind,
        "TargetOnDemandCapacity": fleet.on_demand,
        "TargetSpotCapacity": fleet.spot,
        "InstanceTypeConfigs": types,
        "LaunchSpecifications": {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}},
    }
    if fleet.spot:
        spot = settings.fleets.spot
        asked["LaunchSpecifications"]["SpotSpecification"] = {
            "TimeoutDurationMinutes": spot.wait_min,
            "TimeoutAction": _OTHERWISE[spot.otherwise],
            "AllocationStrategy": _SPOT_CHOICE,
        }
    return asked


def _configurations(own: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Put an environment's properties over ours."""
    names = [*CONFIGURATIONS, *(name for name in own if name not in CONFIGURATIONS)]
    return [
        {"Classification": name, "Properties": {**CONFIGURATIONS.get(name, {}), **own.get(name, {})}} for name in names
    ]
