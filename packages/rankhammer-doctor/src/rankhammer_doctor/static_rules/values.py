"""Values that Spark cannot read, so that it does not start (S17).

References:
    Apache Spark, common/utils: JavaUtils.byteStringAs and timeStringAs; core: ConfigBuilder's toBoolean and toNumber,
    UnifiedMemoryManager's least memory (1.5 times the 300 MiB that it reserves).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rankhammer_doctor.findings import Finding, Severity
from rankhammer_doctor.redaction import redact_value
from rankhammer_doctor.units import MIB, parse_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.static_rules.context import ConfContext

_SIZE, _TIME, _WHOLE, _FLAG = "a size, such as 4g", "a time, such as 300s", "a whole number", "true or false"
_FORMS = {
    _SIZE: re.compile(r"(?i)\s*-?\d+(?:b|[kmgtp]i?b?)?\s*"),
    _TIME: re.compile(r"(?i)\s*-?\d+(?:us|ms|s|m|min|h|d)?\s*"),
    _WHOLE: re.compile(r"\s*-?\d+\s*"),
    _FLAG: re.compile(r"(?i)\s*(?:true|false)\s*"),
}
_KEYS = {
    **dict.fromkeys(
        (
            "spark.executor.memory", "spark.driver.memory", "spark.executor.memoryOverhead",
            "spark.driver.memoryOverhead",
            "spark.yarn.am.memory", "spark.executor.pyspark.memory", "spark.memory.offHeap.size",
            "spark.driver.maxResultSize", "spark.kryoserializer.buffer.max", "spark.sql.files.maxPartitionBytes",
            "spark.sql.adaptive.advisoryPartitionSizeInBytes",
        ),
        _SIZE,
    ),
    **dict.fromkeys(
        (
            "spark.network.timeout", "spark.executor.heartbeatInterval", "spark.locality.wait",
            "spark.dynamicAllocation.executorIdleTimeout", "spark.dynamicAllocation.schedulerBacklogTimeout",
        ),
        _TIME,
    ),
    **dict.fromkeys(
        (
            "spark.executor.cores", "spark.executor.instances", "spark.driver.cores", "spark.task.cpus",
            "spark.task.maxFailures", "spark.sql.shuffle.partitions", "spark.default.parallelism",
            "spark.dynamicAllocation.minExecutors", "spark.dynamicAllocation.maxExecutors",
            "spark.dynamicAllocation.initialExecutors",
        ),
        _WHOLE,
    ),
    **dict.fromkeys(
        (
            "spark.eventLog.enabled", "spark.dynamicAllocation.enabled", "spark.sql.adaptive.enabled",
            "spark.memory.offHeap.enabled", "spark.speculation", "spark.shuffle.service.enabled", "spark.ui.enabled",
        ),
        _FLAG,
    ),
}  # fmt: skip

_LEAST_HEAP = 450 * MIB
"""Bytes of heap below which Spark's memory manager refuses to start."""
_HEAPS = ("spark.executor.memory", "spark.driver.memory")
_COUNTS = ("spark.executor.cores", "spark.task.cpus", "spark.task.maxFailures", "spark.sql.shuffle.partitions")


def too_small_values(context: ConfContext) -> Iterator[Finding]:
    """S17: heaps and counts that Spark can read, and with which it does not start."""
    for key, least, words in (*((key, _LEAST_HEAP, "450m") for key in _HEAPS), *((key, 1, "1") for key in _COUNTS)):
        value = str(context.conf.get(key, "")).strip()
        # Of a heap, a number alone is in MiB.
        n = -1 if re.fullmatch(r"-\d+\w*", value) else parse_bytes(value, unit="m" if key in _HEAPS else "b")
        if n is None or n >= least:
            continue
        unit = " MiB, its unit where none is written" if key in _HEAPS and value.isdigit() else ""
        yield Finding(
            rule="S17",
            severity=Severity.ERROR,
            summary=f"Spark does not start with {key}={value}{unit}: the least is {words}",
            place=key,
            remedies=(f"write {words} or more" + (", with the unit, such as 4g" if key in _HEAPS else ""),),
            effect="Spark starts",
        )


def unreadable_values(context: ConfContext) -> Iterator[Finding]:
    """S17: Spark refuses a value of another kind, some only when a job begins."""
    for key, form in _KEYS.items():
        value = context.conf.get(key)
        # What another program fills in is not known here.
        if value is None or "${" in value or _FORMS[form].fullmatch(value):
            continue
        yield Finding(
            rule="S17",
            severity=Severity.ERROR,
            summary=f"Spark cannot read {key}: {redact_value(key, value)[:80]!r} is not {form}",
            place=key,
            remedies=(f"write {form}; sizes and times are whole numbers with the unit right behind them",),
            effect="Spark starts",
        )
