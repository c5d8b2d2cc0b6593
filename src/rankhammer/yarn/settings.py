"""The content of conf/<env>/cluster.yml."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from rankhammer.errors import ConfigError
from rankhammer.strict_model import StrictModel
from rankhammer.validation_text import describe_fault, hint_for
from rankhammer.yarn.extras import require_known
from rankhammer.yarn.resources import ResourceSettings
from rankhammer.yarn.standalone import GLIBC, Standalone

if TYPE_CHECKING:
    from collections.abc import Mapping


class PythonSettings(StrictModel):
    """Which Python the nodes run."""

    on_nodes: str | None = Field(None, pattern="^/", description="full path of a Python that every node has")
    interpreter: str | None = Field(None, pattern="^/", description="full path of the Python to pack")
    standalone: str | None = Field(None, description="archive with a Python for the nodes, which is no Python of here")
    glibc: str = Field(GLIBC, pattern=r"^2\.(17|2[89]|3\d)$", description="that the nodes have, for its packages")
    without: tuple[str, ...] = Field(("pyspark",), description="packages of the lock that nodes do not need")
    extras: tuple[str, ...] | None = Field(None, description="extras that nodes get; null: those of the ranker")

    @field_validator("extras")
    @classmethod
    def _are_known(cls, extras: tuple[str, ...] | None) -> tuple[str, ...] | None:
        require_known(extras or ())
        return extras

    @model_validator(mode="after")
    def _names_one_python(self) -> PythonSettings:
        named = [name for name in ("on_nodes", "interpreter", "standalone") if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} are given, and nodes run one Python")
        return self

    @property
    def of_nodes(self) -> Standalone | None:
        """The Python of another kind of machine, if it is one."""
        return Standalone(Path(self.standalone).expanduser(), self.glibc) if self.standalone else None


class LockSettings(StrictModel):
    """How a run shows that it is alive."""

    heartbeat_s: float = Field(30.0, gt=0, le=3600, description="seconds between two heartbeats")
    expires_s: float = Field(300.0, gt=0, le=86_400, description="seconds without one after which a run is taken over")

    @model_validator(mode="after")
    def _outlives_a_missed_beat(self) -> LockSettings:
        if self.expires_s < 3 * self.heartbeat_s:
            raise ValueError("expires_s is less than three times heartbeat_s")
        return self


class RunSettings(StrictModel):
    """Where runs write, and how they keep out of each other's way."""

    root: str | None = Field(None, description="folder of what a run writes; its lock stands there; null: no lock")
    folder: str | None = Field(None, description="folder with a folder for each run; null: runs have no ids")
    keep: int = Field(5, ge=1, le=10_000, description="complete runs that stay")
    lock: LockSettings = LockSettings()


class RuntimeSettings(StrictModel):
    """What else nodes need, and where on the cluster it is kept."""

    root: str | None = Field(None, min_length=1, description="folder on the cluster's filesystem; null: in the home")
    spark: str = Field("upload", pattern="^(upload|nodes:/.+)$", description="Spark's jars: ours, or a folder there")
    java: str | None = Field(None, pattern="^(nodes:)?/", description="JDK: an archive here, or a folder on the nodes")
    jars: tuple[str, ...] = Field((), description="jars for driver and executors: files or patterns here, or URIs")
    files: tuple[str, ...] = Field((), description="files for each container's folder, likewise")
    archives: tuple[str, ...] = Field((), description="archives to unpack there, likewise; #name names the folder")
    native: tuple[str, ...] = Field((), description="shared libraries, likewise; containers look for libraries there")


class SubmitSettings(StrictModel):
    """How `rankhammer submit` behaves."""

    deploy_mode: str = Field("cluster", pattern="^(cluster|client)$", description="where the driver runs")
    max_attempts: int = Field(1, ge=1, le=10, description="times that YARN starts a driver in cluster mode")
    poll_s: float = Field(1.0, ge=0.1, le=60, description="pause between two questions to the ResourceManager")
    log_lines: int = Field(40, ge=1, le=10_000, description="lines of a failed driver's log that are shown")


class ClusterSettings(StrictModel):
    """Everything about the cluster that is no Spark key."""

    python: PythonSettings = PythonSettings()
    runs: RunSettings = RunSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    submit: SubmitSettings = SubmitSettings()
    resources: ResourceSettings = ResourceSettings()


def read_settings(values: Mapping[str, Any]) -> ClusterSettings:
    """Check what cluster.yml says.

    Args:
        values: Its content.

    Raises:
        ConfigError: A key is unknown, or its value is not of its kind.
    """
    try:
        return ClusterSettings.model_validate(dict(values))
    except ValidationError as exc:
        hint = f"{hint_for(exc, ClusterSettings)} conf/base/cluster.yml holds every key with its meaning.".strip()
        raise ConfigError(f"conf/<env>/cluster.yml: {describe_fault(exc)}.", hint=hint) from None
