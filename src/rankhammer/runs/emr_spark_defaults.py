"""What `spark-defaults` of a cluster on EMR says about executors: what the doctor works out for its instances."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from rankhammer.emr import prices
from rankhammer.emr.cluster_request import CONFIGURATIONS, SPARK_DEFAULTS
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from rankhammer.emr.prices import InstancePrice
    from rankhammer.emr.settings import EmrSettings

_GB, _MB = 2**30, 2**20
_RESERVED, _RESERVED_SHARE = 8 * _GB, 0.25
_OF_EMR = {
    "spark.master": "yarn",
    "spark.submit.deployMode": "client",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.dir": "hdfs:///var/log/spark/apps",
    "spark.dynamicAllocation.enabled": "true",
    "spark.shuffle.service.enabled": "true",
}
"""Keys that every release sets."""


def with_spark_defaults(settings: EmrSettings) -> EmrSettings:
    """Add executors that fill the smallest instances of a cluster; what emr.yml says itself counts.

    Args:
        settings: Of emr.yml.

    Returns:
        The same settings where the doctor is not installed, or an instance type is in no table of prices.
    """
    found = spark_defaults(settings)
    if not found:
        return settings
    own = {**settings.configurations, SPARK_DEFAULTS: found | dict(settings.configurations.get(SPARK_DEFAULTS, {}))}
    return settings.model_copy(update={"configurations": own})


def spark_defaults(settings: EmrSettings) -> dict[str, str]:
    """Return the keys that `with_spark_defaults` adds."""
    if find_spec("rankhammer_doctor") is None:
        return {}
    from rankhammer_doctor.static_rules.proposal import proposed
    from rankhammer_doctor.static_rules.shape import ClusterShape

    try:
        least = _smallest(settings)
    except ConfigError:
        # The estimate of the price says so.
        return {}
    fleets = settings.fleets
    memory = int(least.memory_gb * _GB)
    # What EMR leaves to containers: a node keeps a quarter of its memory for itself, 8 GB at most.
    yarn_memory = int(memory - min(memory * _RESERVED_SHARE, _RESERVED))
    shape = ClusterShape(
        nodes=fleets.core.on_demand + fleets.core.spot + fleets.task.on_demand + fleets.task.spot,
        node_memory=memory,
        yarn_memory=yarn_memory,
        yarn_vcores=least.vcpu,
        min_allocation=32 * _MB,
        max_allocation=yarn_memory,
        max_vcores=least.vcpu,
        shared=False,
        vmem_check=False,
    )
    own = settings.configurations.get(SPARK_DEFAULTS, {})
    return proposed(shape, {**_OF_EMR, **CONFIGURATIONS[SPARK_DEFAULTS], **own})


def _smallest(settings: EmrSettings) -> InstancePrice:
    """Return the instance with the least memory that executors may get.

    Raises:
        ConfigError: A type is in no table.
    """
    table = prices.read_prices(settings.prices)
    fleets = [fleet for fleet in (settings.fleets.core, settings.fleets.task) if fleet.on_demand + fleet.spot]
    found = [table.instance(name) for fleet in fleets for name in fleet.types]
    return min(found, key=lambda one: (one.memory_gb, one.vcpu))
