"""What a cluster costs: an upper limit before it starts, and what it took by its instances' times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003 - pydantic reads it
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from rankhammer.errors import ConfigError, did_you_mean
from rankhammer.strict_model import StrictModel
from rankhammer.validation_text import describe_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rankhammer.emr.settings import EmrSettings

TABLE = Path(__file__).with_name("prices.yml")
_HOUR_S, _LEAST_S = 3600, 60
"""An instance is charged by the second, and for a minute at least."""


class InstancePrice(StrictModel):
    """One instance type."""

    vcpu: int = Field(gt=0)
    memory_gb: float = Field(gt=0)
    ec2: float = Field(ge=0, description="dollars an hour where the region's factor is 1")
    emr: float = Field(ge=0, description="what EMR adds, dollars an hour")


class ServerlessPrice(StrictModel):
    """EMR Serverless, dollars an hour where the region's factor is 1; 20 GB of disk a worker are free."""

    vcpu: float = Field(ge=0)
    memory_gb: float = Field(ge=0)
    storage_gb: float = Field(ge=0)


class Prices(StrictModel):
    """A table of prices of one day."""

    as_of: date
    currency: str = "USD"
    regions: dict[str, float]
    instances: dict[str, InstancePrice]
    serverless: dict[str, ServerlessPrice] = Field(default_factory=dict)
    hosts: dict[str, float] = Field(default_factory=dict)

    def instance(self, name: str) -> InstancePrice:
        """Return an instance type's row.

        Raises:
            ConfigError: The table does not have it.
        """
        if name not in self.instances:
            hint = f"{did_you_mean(name, self.instances)} Or add it to a table of yours: `prices` in emr.yml."
            raise ConfigError(f"The price of {name} is not known, so no launch with it can be bounded.", hint=hint)
        return self.instances[name]

    def hourly(self, name: str, region: str) -> float:
        """Return what an instance costs an hour, EMR's part included, in dollars.

        Raises:
            ConfigError: The table does not have the type, or the region.
        """
        row = self.instance(name)
        return row.ec2 * self.factor(region) + row.emr

    def factor(self, region: str) -> float:
        """Return what prices of a region are multiplied with.

        Raises:
            ConfigError: The table does not have the region.
        """
        if region not in self.regions:
            hint = f"{did_you_mean(region, self.regions)} Or add it to a table of yours: `prices` in emr.yml."
            raise ConfigError(f"Prices of the region {region} are not known.", hint=hint)
        return self.regions[region]

    def of_serverless(self, architecture: str) -> ServerlessPrice:
        """Return the prices of EMR Serverless.

        Raises:
            ConfigError: The table does not have them.
        """
        if architecture not in self.serverless:
            raise ConfigError(
                f"Prices of EMR Serverless ({architecture}) are not known.",
                hint="Add `serverless` to the table that `prices` in emr.yml names, as the release's has it.",
            )
        return self.serverless[architecture]


@dataclass(frozen=True)
class Estimate:
    """What a launch costs at most.

    Args:
        hourly: Dollars an hour with all instances there.
        hours: After which everything is ended.
        vcpus: vCPUs of instances at the list price, and of spot instances.
        as_of: Day of the prices.
    """

    hourly: float
    hours: float
    vcpus: tuple[int, int]
    as_of: date

    @property
    def most(self) -> float:
        """Dollars at most."""
        return self.hourly * self.hours

    def __str__(self) -> str:
        return (
            f"at most {self.most:.2f} $: {self.hourly:.2f} $ an hour, ended after {self.hours:g} h "
            f"(list prices of {self.as_of}, without disks and transfer)"
        )


def read_prices(path: str | None) -> Prices:
    """Read a table of prices.

    Args:
        path: File; None for the one that comes with this release.

    Raises:
        ConfigError: It cannot be read, or is none.
    """
    import yaml

    file = Path(path) if path else TABLE
    try:
        return Prices.model_validate(yaml.safe_load(file.read_text()))
    except ValidationError as exc:
        message = f"{file}: {describe_fault(exc)}."
    except (OSError, yaml.YAMLError) as exc:
        message = f"{file}: {exc}"
    raise ConfigError(message, hint="The table of a release shows what it looks like; `prices` in emr.yml names yours.")


def estimate(settings: EmrSettings, prices: Prices, *, hours: float) -> Estimate:
    """Return what a launch costs at most: every fleet's dearest type, until all is ended.

    Args:
        settings: Of emr.yml.
        prices: Table.
        hours: After which the cluster ends.

    Raises:
        ConfigError: A price is not known.
    """
    region = str(settings.region)
    fleets = (settings.fleets.primary, settings.fleets.core, settings.fleets.task)
    used = [fleet for fleet in fleets if fleet.on_demand + fleet.spot]
    hourly = sum((f.on_demand + f.spot) * max(prices.hourly(name, region) for name in f.types) for f in used)
    largest = [(fleet, max(prices.instance(name).vcpu for name in fleet.types)) for fleet in used]
    vcpus = (sum(f.on_demand * size for f, size in largest), sum(f.spot * size for f, size in largest))
    return Estimate(hourly, hours, vcpus, prices.as_of)


def serverless_estimate(settings: EmrSettings, prices: Prices, *, hours: float) -> Estimate:
    """Return what a job on EMR Serverless costs at most: all that it may have, for as long as it may take.

    Args:
        settings: Of emr.yml.
        prices: Table.
        hours: After which the job is ended.

    Raises:
        ConfigError: A price is not known.
    """
    bounds, factor = settings.serverless, prices.factor(str(settings.region))
    price = prices.of_serverless(bounds.architecture)
    hourly = factor * (bounds.vcpus * price.vcpu + bounds.memory_gb * price.memory_gb)
    return Estimate(hourly, hours, (bounds.vcpus, 0), prices.as_of)


def serverless_spent(used: Mapping[str, Any], prices: Prices, region: str, architecture: str = "X86_64") -> float:
    """Return what a job on EMR Serverless has cost, in dollars, at list prices.

    Args:
        used: `billedResourceUtilization` of the job.
        prices: Table.
        region: Where it ran.
        architecture: Of its workers.

    Raises:
        ConfigError: A price is not known.
    """
    price = prices.of_serverless(architecture)
    hours = {"vCPUHour": price.vcpu, "memoryGBHour": price.memory_gb, "storageGBHour": price.storage_gb}
    return prices.factor(region) * sum(float(used.get(name) or 0) * cost for name, cost in hours.items())


def require_within(found: Estimate, max_cost: float) -> None:
    """Refuse a launch that may cost too much.

    Raises:
        ConfigError: With the arithmetic.
    """
    if found.most > max_cost:
        raise ConfigError(
            f"This launch may cost {found.most:.2f} $ ({found.hourly:.2f} $ an hour for {found.hours:g} h), and "
            f"max_cost is {max_cost:g} $.",
            hint="Ask for fewer or smaller instances, a shorter ttl_h, or raise max_cost in conf/<env>/emr.yml.",
        )


def spent(instances: Iterable[Mapping[str, Any]], prices: Prices, region: str, *, now: Any) -> float:
    """Return what a cluster's instances have cost so far, in dollars, at list prices.

    Args:
        instances: As EMR's ListInstances names them.
        prices: Table.
        region: Where they stand.
        now: Time; those that still run are counted until then.
    """
    total = 0.0
    for instance in instances:
        times = instance.get("Status", {}).get("Timeline", {})
        begin = times.get("ReadyDateTime") or times.get("CreationDateTime")
        if begin is not None and instance.get("InstanceType"):
            seconds = max(((times.get("EndDateTime") or now) - begin).total_seconds(), _LEAST_S)
            total += prices.hourly(instance["InstanceType"], region) * seconds / _HOUR_S
    return total
