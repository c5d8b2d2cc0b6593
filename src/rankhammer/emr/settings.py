"""The content of conf/<env>/emr.yml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, model_validator

from rankhammer.errors import ConfigError
from rankhammer.strict_model import StrictModel
from rankhammer.validation_text import describe_fault, hint_for

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")


class FleetSettings(StrictModel):
    """One group of instances; EMR takes whichever of the types is to be had."""

    types: tuple[str, ...] = Field((), max_length=30, description="instance types, the preferred first")
    on_demand: int = Field(0, ge=0, le=1000, description="instances at the list price, which nobody takes away")
    spot: int = Field(0, ge=0, le=1000, description="spot instances, which AWS may take back")

    @model_validator(mode="after")
    def _has_types(self) -> FleetSettings:
        wrong = [name for name in self.types if not _INSTANCE_TYPE.fullmatch(name)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no instance type; one looks like m6g.xlarge")
        if self.on_demand + self.spot and not self.types:
            raise ValueError("a fleet with instances names no types")
        return self


class SpotSettings(StrictModel):
    """What happens where no spot instances are to be had."""

    wait_min: int = Field(10, ge=5, le=1440, description="minutes that EMR waits for spot instances")
    otherwise: Literal["on_demand", "terminate"] = Field("on_demand", description="what it does then")


class FleetsSettings(StrictModel):
    """The instances of a cluster."""

    primary: FleetSettings = Field(FleetSettings(types=("m6g.xlarge",), on_demand=1), description="runs the driver")
    core: FleetSettings = Field(FleetSettings(types=("m6g.xlarge",), on_demand=1), description="HDFS and executors")
    task: FleetSettings = Field(FleetSettings(), description="executors alone: the place for spot instances")
    spot: SpotSettings = SpotSettings()
    disk_gb: int = Field(64, ge=15, le=2000, description="size of each instance's disk")

    @model_validator(mode="after")
    def _can_start(self) -> FleetsSettings:
        if self.primary.on_demand + self.primary.spot != 1:
            raise ValueError("the primary fleet has one instance")
        if self.core.on_demand + self.core.spot < 1:
            raise ValueError("the core fleet has at least one instance")
        return self


class NetworkSettings(StrictModel):
    """Where the instances stand."""

    subnets: tuple[str, ...] = Field((), description="subnets; EMR takes the one with the most room")
    primary_group: str | None = Field(None, pattern="^sg-", description="security group of the primary node")
    other_group: str | None = Field(None, pattern="^sg-", description="security group of the other nodes")
    service_group: str | None = Field(None, pattern="^sg-", description="of EMR's access to private subnets")


class RoleSettings(StrictModel):
    """Names of IAM roles: nodes never hold keys."""

    service: str = Field("rankhammer-emr-service", min_length=1, max_length=64, description="EMR's own role")
    instance_profile: str = Field("rankhammer-emr-node", min_length=1, max_length=128, description="the nodes' profile")


class NodeSettings(StrictModel):
    """What is put on the nodes."""

    folder: str = Field("/mnt/rankhammer", pattern=r"^/[\w./-]+$", description="folder for it")
    python: str | None = Field(None, pattern="^/", description="a Python that an image of yours has; null: it travels")
    jars: tuple[str, ...] = Field((), description="jars for Spark: files or patterns of this machine")
    spark_submit: str = Field(
        "spark-submit", min_length=1, description="for scripts and wheels: the release's, or ours"
    )


class ServerlessSettings(StrictModel):
    """EMR Serverless instead of instances: for scripts and wheels, which run by the release's own Spark."""

    use: bool = Field(False, description="whether launches use it without --serverless")
    role: str = Field("rankhammer-emr-serverless", min_length=1, max_length=64, description="role of the job")
    vcpus: int = Field(16, ge=2, le=10_000, description="vCPUs that the job may have at a time")
    memory_gb: int = Field(64, ge=4, le=100_000, description="GB of memory that it may have at a time")
    architecture: Literal["X86_64", "ARM64"] = Field("X86_64", description="of its workers")


class EmrSettings(StrictModel):
    """Everything about a cluster on EMR."""

    region: str | None = Field(None, pattern="^[a-z0-9-]+$", description="region; null: this environment has none")
    account: str | None = Field(None, pattern=r"^\d{12}$", description="account that launches are for; null: any")
    release: str = Field("emr-7.10.0", pattern=r"^emr-[\w.-]+$", description="release of EMR")
    bucket: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="bucket of all of it")
    prefix: str = Field("rankhammer/emr", pattern=r"^[\w.-]+(/[\w.-]+)*$", description="folder in the bucket")
    owner: str | None = Field(None, max_length=128, description="tag that says whose cluster it is; null: who launches")
    ttl_h: float = Field(2.0, gt=0, le=168, description="hours after which a job is ended, and its cluster with it")
    max_cost: float = Field(10.0, gt=0, le=1_000_000, description="dollars that a launch may cost at most")
    prices: str | None = Field(None, description="file of prices of your own; null: the table of the release")
    network: NetworkSettings = NetworkSettings()
    roles: RoleSettings = RoleSettings()
    fleets: FleetsSettings = FleetsSettings()
    security_configuration: str | None = Field(None, min_length=1, description="EMR's name of the one to use")
    configurations: dict[str, dict[str, str]] = Field({}, description="classification to properties, over ours")
    node: NodeSettings = NodeSettings()
    serverless: ServerlessSettings = ServerlessSettings()
    poll_s: float = Field(5.0, ge=0.01, le=60, description="pause between two questions to EMR")
    log_s: int = Field(10, ge=1, le=600, description="pause between two parts of a job's log")

    @property
    def home(self) -> str:
        """URI of the folder of artifacts and launches."""
        return f"s3://{self.bucket}/{self.prefix}"


def read_settings(values: Mapping[str, Any]) -> EmrSettings:
    """Check what emr.yml says.

    Args:
        values: Its content.

    Raises:
        ConfigError: A key is unknown, a value is not of its kind, or no region and bucket are named.
    """
    try:
        settings = EmrSettings.model_validate(dict(values))
    except ValidationError as exc:
        hint = f"{hint_for(exc, EmrSettings)} conf/base/emr.yml holds every key with its meaning.".strip()
        raise ConfigError(f"conf/<env>/emr.yml: {describe_fault(exc)}.", hint=hint) from None
    missing = [name for name in ("region", "bucket") if getattr(settings, name) is None]
    if missing:
        hint = "Set them, as conf/emr does; `rankhammer emr setup` makes the bucket. Is --env the right one?"
        raise ConfigError(f"conf/<env>/emr.yml names no {' and no '.join(missing)}.", hint=hint)
    return settings
