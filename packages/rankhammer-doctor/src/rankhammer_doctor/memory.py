"""What an executor's container holds, by Spark's arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer_doctor.findings import ConfChange
from rankhammer_doctor.units import GIB, MIB, format_bytes, parse_bytes, to_mib

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_OVERHEAD = 384 * MIB
OVERHEAD_FACTOR = 0.1
_STEP = 256
_ENDLESS = 1e6
_OVERHEAD_KEYS = ("spark.{who}.memoryOverhead", "spark.yarn.{who}.memoryOverhead")


@dataclass(frozen=True)
class ContainerMemory:
    """The memory of one executor, or of the driver, in bytes.

    Args:
        heap: -Xmx.
        overhead: Beside it: the JVM's own, Python workers, native libraries.
        off_heap: Spark's own off-heap memory.
        python: spark.executor.pyspark.memory.
        is_overhead_set: Whether a key says so; else it is the default.
        who: executor or driver.
        old_key: Old name of the key that sets it, where that is used.
        factor: Part of the heap that the default overhead is.
        floor: The least that it is.
    """

    heap: int
    overhead: int
    off_heap: int
    python: int
    is_overhead_set: bool
    who: str
    old_key: str = ""
    factor: float = OVERHEAD_FACTOR
    floor: int = MIN_OVERHEAD

    @property
    def overhead_key(self) -> str:
        """The key that sets the overhead."""
        return f"spark.{self.who}.memoryOverhead"

    def with_overhead(self, mib: int) -> tuple[ConfChange, ...]:
        """Return the changes that set another overhead; an old name of the key goes."""
        old = f"{to_mib(self.overhead)}m" if self.is_overhead_set else None
        gone = (ConfChange(self.old_key, None, old),) if self.old_key else ()
        return ConfChange(self.overhead_key, f"{mib}m", None if self.old_key else old), *gone

    def heap_within(self, room: int) -> tuple[int, str]:
        """Return the largest heap with which the container fits into a room, and the arithmetic.

        Args:
            room: Bytes.

        Returns:
            (MiB, a multiple of 256 where it is at least that; a sum). 0 MiB where nothing is left for the heap.
        """
        left = room - self.off_heap - self.python
        by_factor = left / (1 + self.factor)
        if self.is_overhead_set:
            heap, how = left - self.overhead, f"- overhead {format_bytes(self.overhead)}"
        elif by_factor * self.factor < self.floor:
            heap, how = left - self.floor, f"- overhead {format_bytes(self.floor)}"
        else:
            heap, how = int(by_factor), f"/ {1 + self.factor:g}"
        mib = max(0, to_mib(heap))
        mib = mib // _STEP * _STEP or mib
        beside = "".join(f" - {format_bytes(one)}" for one in (self.off_heap, self.python) if one)
        return mib, f"{format_bytes(room)}{beside} {how} = {mib} MiB of heap"

    @property
    def total(self) -> int:
        """What the container is asked for."""
        return self.heap + self.overhead + self.off_heap + self.python

    def arithmetic(self) -> str:
        """Write it as a sum."""
        parts = [f"heap {format_bytes(self.heap)}", f"overhead {format_bytes(self.overhead)}"]
        parts += [f"off-heap {format_bytes(self.off_heap)}"] if self.off_heap else []
        parts += [f"pyspark.memory {format_bytes(self.python)}"] if self.python else []
        return f"{' + '.join(parts)} = {format_bytes(self.total)}"


def of_executor(conf: Mapping[str, str]) -> ContainerMemory:
    """Return the memory of an executor's container."""
    return _container(conf, "executor")


def of_driver(conf: Mapping[str, str]) -> ContainerMemory:
    """Return the memory of the driver's container, in cluster mode."""
    return _container(conf, "driver")


def grown(memory: ContainerMemory, factor: float, at_least: int = 0) -> int:
    """Return a larger overhead: by a factor, or by what is known to be needed, in MiB, a multiple of 128."""
    wanted = max(memory.overhead * factor, at_least, MIN_OVERHEAD)
    return -(-to_mib(wanted) // 128) * 128


def _container(conf: Mapping[str, str], who: str) -> ContainerMemory:
    heap = parse_bytes(conf.get(f"spark.{who}.memory", "1g"), unit="m") or GIB
    keys = [key.format(who=who) for key in _OVERHEAD_KEYS]
    key = next((one for one in keys if conf.get(one)), keys[0])
    given = parse_bytes(conf.get(key, ""), unit="m")
    factor = _number(conf.get(f"spark.{who}.memoryOverheadFactor"), OVERHEAD_FACTOR)
    floor = parse_bytes(conf.get(f"spark.{who}.minMemoryOverhead", ""), unit="m") or MIN_OVERHEAD
    is_off_heap = conf.get("spark.memory.offHeap.enabled", "false").lower() == "true" and who == "executor"
    off_heap = (parse_bytes(conf.get("spark.memory.offHeap.size", "0")) or 0) if is_off_heap else 0
    python = parse_bytes(conf.get("spark.executor.pyspark.memory", ""), unit="m") or 0
    return ContainerMemory(
        heap=heap,
        overhead=max(int(heap * factor), floor) if given is None else given,
        off_heap=off_heap,
        python=python if who == "executor" else 0,
        is_overhead_set=given is not None,
        who=who,
        old_key=key if key != keys[0] else "",
        factor=factor,
        floor=floor,
    )


def _number(text: str | None, default: float) -> float:
    try:
        found = float(text) if text else default
    except ValueError:
        return default
    return found if 0 <= found < _ENDLESS else default
