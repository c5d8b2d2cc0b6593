"""The cluster's shape and the job's facts, as far as somebody knows them: one YAML file, or plain values.

```yaml
nodes: 8                 # NodeManagers
node_memory: 64g         # of a machine
yarn_memory: 56g         # yarn.nodemanager.resource.memory-mb
yarn_vcores: 16
all_memory: 448g         # of all NodeManagers, where they differ: the two above are then the smallest one's
all_vcores: 128
min_allocation: 1g       # yarn.scheduler.minimum-allocation-mb
max_allocation: 56g      # yarn.scheduler.maximum-allocation-mb
max_vcores: 16
queue_share: 0.5         # part of the cluster that the queue may grow to
counts_cores: true       # whether that is so of cores, too (YARN's DominantResourceCalculator), or of memory alone
shared: true             # whether others run on it, too
vmem_check: false        # yarn.nodemanager.vmem-check-enabled
java: 17
python: "3.11"
job:
  python_udfs: true      # Python code in tasks: UDFs, RDD functions, mapInPandas
  barrier: false
  xgboost: false
  workers: 4             # tasks of one model that have to run at once
  models_in_parallel: 1
  matrix: 2g             # training matrix of a worker
  input: 500g
  shuffle: 100g          # largest shuffle
  output: s3a://bucket/table
  output_size: 80g
  output_files: 200
  hours: 3
  python: "3.11"         # of the driver
```
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import yaml

from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BYTES = frozenset(
    {
        "node_memory",
        "yarn_memory",
        "all_memory",
        "min_allocation",
        "max_allocation",
        "matrix",
        "input",
        "shuffle",
        "output_size",
    }
)
_FLAGS = frozenset({"shared", "counts_cores", "vmem_check", "python_udfs", "barrier", "xgboost"})
_TEXTS = frozenset({"python", "output"})
_WHOLE = frozenset(
    {"nodes", "yarn_vcores", "all_vcores", "max_vcores", "workers", "models_in_parallel", "output_files", "java"}
)
_MOST = 1e12
_HINT = "docs/doctor/index.md shows a file with every name."


@dataclass(frozen=True)
class Job:
    """What is known of the work; None where nobody knows. Sizes in bytes."""

    python_udfs: bool | None = None
    barrier: bool | None = None
    xgboost: bool | None = None
    workers: int | None = None
    models_in_parallel: int | None = None
    matrix: int | None = None
    input: int | None = None
    shuffle: int | None = None
    output: str | None = None
    output_size: int | None = None
    output_files: int | None = None
    hours: float | None = None
    python: str | None = None


@dataclass(frozen=True)
class ClusterShape:
    """What is known of the cluster; None where nobody knows. Sizes in bytes."""

    nodes: int | None = None
    node_memory: int | None = None
    yarn_memory: int | None = None
    yarn_vcores: int | None = None
    all_memory: int | None = None
    all_vcores: int | None = None
    min_allocation: int | None = None
    max_allocation: int | None = None
    max_vcores: int | None = None
    queue_share: float | None = None
    counts_cores: bool | None = None
    shared: bool | None = None
    vmem_check: bool | None = None
    java: int | None = None
    python: str | None = None
    job: Job = field(default_factory=Job)

    def rounded(self, size: int) -> int:
        """Return the container that YARN makes for so many bytes."""
        step = self.min_allocation or 1
        return -(-size // step) * step

    @property
    def granted_memory(self) -> int | None:
        """Memory that the queue may have."""
        every = self.all_memory or (self.nodes or 0) * (self.yarn_memory or 0)
        return int(every * self.share) if every else None

    @property
    def granted_cores(self) -> int | None:
        """Virtual cores that the queue may have; all where its share is of memory alone."""
        every = self.all_vcores or (self.nodes or 0) * (self.yarn_vcores or 0)
        return max(1, int(every * (1.0 if self.counts_cores is False else self.share))) if every else None

    @property
    def largest_container(self) -> int | None:
        """Memory that a container may have: YARN's limit, a node's, the queue's."""
        limits = (self.max_allocation, self.yarn_memory, self.granted_memory)
        return min((one for one in limits if one), default=None)

    @property
    def share(self) -> float:
        """Part of the cluster that the queue may have; 1 where nobody says."""
        return self.queue_share if self.queue_share is not None else 1.0


def read_shape(file: Path | None) -> ClusterShape:
    """Read a cluster's shape.

    Args:
        file: YAML, as above; None for none.

    Raises:
        DoctorError: It cannot be read, or a name or a value is wrong.
    """
    if file is None:
        return ClusterShape()
    try:
        values = yaml.safe_load(file.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as exc:
        raise DoctorError(f"{file} cannot be read: {str(exc).splitlines()[0]}", hint=_HINT) from exc
    if not isinstance(values, dict):
        raise DoctorError(f"{file} holds no names with values.", hint=_HINT)
    return shape_of(values, str(file))


def shape_of(values: Mapping[str, Any], where: str = "the cluster's shape") -> ClusterShape:
    """Check plain values.

    Args:
        values: Names as in the file.
        where: Who says so, for messages.

    Raises:
        DoctorError: A name or a value is wrong.
    """
    job = values.get("job") or {}
    if not isinstance(job, dict):
        raise DoctorError(f"{where}: job holds no names with values.", hint=_HINT)
    checked = _checked({key: value for key, value in values.items() if key != "job"}, ClusterShape, where)
    return ClusterShape(**checked, job=Job(**_checked(job, Job, f"{where}: job")))


_SITE = {
    "yarn_memory": "yarn.nodemanager.resource.memory-mb",
    "yarn_vcores": "yarn.nodemanager.resource.cpu-vcores",
    "min_allocation": "yarn.scheduler.minimum-allocation-mb",
    "max_allocation": "yarn.scheduler.maximum-allocation-mb",
    "max_vcores": "yarn.scheduler.maximum-allocation-vcores",
    "vmem_check": "yarn.nodemanager.vmem-check-enabled",
}
_CALCULATOR = "yarn.scheduler.capacity.resource-calculator"


def with_site(shape: ClusterShape, site: Mapping[str, str]) -> ClusterShape:
    """Add what keys of yarn-site.xml and capacity-scheduler.xml say; what the shape says itself counts.

    Args:
        shape: As far as it is known.
        site: Keys of both.
    """
    given: dict[str, Any] = {name: site[key] for name, key in _SITE.items() if key in site}
    for name in ("yarn_vcores", "max_vcores"):
        if name in given and str(given[name]).isdigit():
            given[name] = int(given[name])
    if "vmem_check" in given:
        given["vmem_check"] = str(given["vmem_check"]).lower() == "true"
    if _CALCULATOR in site:
        given["counts_cores"] = site[_CALCULATOR].endswith("DominantResourceCalculator")
    checked = _checked(given, ClusterShape, "yarn-site")
    return replace(shape, **{name: value for name, value in checked.items() if getattr(shape, name) is None})


def _checked(values: Mapping[str, Any], kind: type, where: str) -> dict[str, Any]:
    known = [one.name for one in fields(kind) if one.name != "job"]
    for name in values:
        if name not in known:
            raise DoctorError(f"{where}: there is no {str(name)[:60]!r}.", hint=f"Names: {', '.join(known)}.")
    return {name: _value(name, value, where) for name, value in values.items() if value is not None}


def _value(name: str, value: Any, where: str) -> Any:
    found = _parsed(name, value)
    if found is None:
        raise DoctorError(f"{where}: {name} is {str(value)[:60]!r}.", hint=_HINT)
    return found


def _parsed(name: str, value: Any) -> Any:
    """Return a value in its kind, or None where it is of another one."""
    if name in _BYTES:
        # A bare number is MiB, as YARN's own keys are.
        return parse_bytes(value, unit="m")
    if name in _FLAGS:
        return value if isinstance(value, bool) else None
    if name in _TEXTS:
        return str(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MOST:
        return None
    return int(value) if name in _WHOLE else float(value)
