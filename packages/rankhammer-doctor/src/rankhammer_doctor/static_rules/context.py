"""What the static rules look at: keys, the cluster's shape, the job, and the machine that submits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rankhammer_doctor import memory
from rankhammer_doctor.static_rules.shape import ClusterShape
from rankhammer_doctor.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer_doctor.memory import ContainerMemory
    from rankhammer_doctor.static_rules.shape import Job
    from rankhammer_doctor.thresholds import Thresholds

_UNLIMITED = 2147483647


@dataclass
class ConfContext:
    """Everything that a static rule may ask.

    Args:
        conf: Flat Spark keys.
        thresholds: Rule to names to numbers.
        shape: The cluster's, as far as it is known, with the job's facts.
        environ: Environment of the machine that submits; None where it is another one.
        is_python: Whether the application is a Python program.
    """

    conf: Mapping[str, str]
    thresholds: Thresholds
    shape: ClusterShape = field(default_factory=ClusterShape)
    environ: Mapping[str, str] | None = None
    is_python: bool | None = None

    @property
    def job(self) -> Job:
        """What is known of the work."""
        return self.shape.job

    @property
    def on_yarn(self) -> bool:
        """Whether YARN runs it; a configuration without a master may be for YARN."""
        master = self.conf.get("spark.master", "yarn")
        return master.startswith("yarn")

    @property
    def is_local(self) -> bool:
        """Whether it runs on one machine."""
        return self.conf.get("spark.master", "").startswith("local")

    @property
    def executor(self) -> ContainerMemory:
        """Memory of an executor's container."""
        return memory.of_executor(self.conf)

    @property
    def driver(self) -> ContainerMemory:
        """Memory of the driver."""
        return memory.of_driver(self.conf)

    @property
    def cores(self) -> int:
        """Cores of an executor; on YARN 1 where nobody says."""
        return self.whole("spark.executor.cores", 1)

    @property
    def task_cpus(self) -> int:
        """Cores of a task."""
        return self.whole("spark.task.cpus", 1)

    @property
    def is_dynamic(self) -> bool:
        """Whether executors come and go."""
        return self.flag("spark.dynamicAllocation.enabled", default=False)

    @property
    def executors(self) -> int | None:
        """Executors at most; None where there is no limit, or nobody says."""
        if self.is_dynamic:
            most = self.whole("spark.dynamicAllocation.maxExecutors", _UNLIMITED)
            return None if most >= _UNLIMITED else most
        return self.whole("spark.executor.instances", 2 if "spark.executor.cores" in self.conf else 0) or None

    @property
    def slots(self) -> int | None:
        """Tasks that run at once; None where it is not known."""
        executors = self.executors
        return None if executors is None else executors * max(1, self.cores // max(1, self.task_cpus))

    @property
    def uses_python(self) -> bool:
        """Whether tasks run Python: somebody says so, or training with XGBoost from Python."""
        return bool(self.job.python_udfs or self.job.xgboost)

    def whole(self, key: str, default: int) -> int:
        """Return a whole number; the default where the key has none."""
        text = self.conf.get(key, "").strip()
        return int(text) if text.isdigit() else default

    def flag(self, key: str, *, default: bool) -> bool:
        """Return whether a key is true."""
        text = self.conf.get(key, "").strip().lower()
        return text == "true" if text in ("true", "false") else default

    def size(self, key: str, default: str, unit: str = "b") -> int:
        """Return a size in bytes."""
        found = parse_bytes(self.conf.get(key, default), unit=unit)
        return found if found is not None else parse_bytes(default, unit=unit) or 0
