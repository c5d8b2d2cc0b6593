"""Keys themselves: dead, misspelt, secret, time-outs, broadcasts, logs (S12, S16, S17, S21, S25)."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.redaction import is_secret_key, redact_text, redact_value
from rankhammer_doctor.units import MIB, format_bytes, format_ms, parse_bytes, parse_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.static_rules.context import ConfContext

_DEAD = {
    "spark.storage.memoryFraction": "spark.memory.storageFraction",
    "spark.shuffle.memoryFraction": "spark.memory.fraction",
    "spark.storage.unrollFraction": "spark.memory.storageFraction",
    "spark.shuffle.consolidateFiles": "",
    "spark.shuffle.spill": "",
    "spark.tachyonStore.baseDir": "",
    "spark.memory.useLegacyMode": "",
    "spark.yarn.applicationMaster.waitTries": "spark.yarn.am.waitTime",
    "spark.cleaner.ttl": "",
    "spark.sql.tungsten.enabled": "",
    "spark.sql.codegen": "spark.sql.codegen.wholeStage",
    "spark.sql.parquet.useDataSourceApi": "",
    "spark.kryoserializer.buffer.mb": "spark.kryoserializer.buffer",
    "spark.kryoserializer.buffer.max.mb": "spark.kryoserializer.buffer.max",
}
_DEPRECATED = {
    "spark.yarn.executor.memoryOverhead": "spark.executor.memoryOverhead",
    "spark.yarn.driver.memoryOverhead": "spark.driver.memoryOverhead",
    "spark.yarn.jar": "spark.yarn.jars",
    "spark.yarn.access.namenodes": "spark.kerberos.access.hadoopFileSystems",
    "spark.yarn.access.hadoopFileSystems": "spark.kerberos.access.hadoopFileSystems",
    "spark.yarn.keytab": "spark.kerberos.keytab",
    "spark.yarn.principal": "spark.kerberos.principal",
    "spark.blacklist.enabled": "spark.excludeOnFailure.enabled",
    "spark.sql.execution.arrow.enabled": "spark.sql.execution.arrow.pyspark.enabled",
    "spark.sql.adaptive.shuffle.targetPostShuffleInputSize": "spark.sql.adaptive.advisoryPartitionSizeInBytes",
    "spark.reducer.maxMbInFlight": "spark.reducer.maxSizeInFlight",
    "spark.shuffle.file.buffer.kb": "spark.shuffle.file.buffer",
}
_OPEN_FAMILIES = (
    "spark.hadoop.",
    "spark.executorEnv.",
    "spark.yarn.appMasterEnv.",
    "spark.kubernetes.driver.",
    "spark.kubernetes.executor.",
    "spark.sql.catalog.",
    "spark.metrics.conf.",
    "spark.ssl.",
    "spark.ui.",
    "spark.emr",
)
"""Beginnings of keys of which anything may follow, or that others add."""
_CLOSE = 0.92
_SLIP = 2
_SPARK_REDACTS = re.compile(r"(?i)secret|password|token|access[.]?key|credential")
_EVENT_LOG = "spark.eventLog.enabled"
_BROADCAST = "spark.sql.autoBroadcastJoinThreshold"
_DOUBTFUL = 60


@cache
def known_keys() -> frozenset[str]:
    """Return the keys that Spark 4.3 names in its own code."""
    return frozenset(Path(__file__).with_name("spark_keys.txt").read_text().split())


def timeouts(context: ConfContext) -> Iterator[Finding]:
    """S12: the network's time-out is longer than the time between two heartbeats."""
    network = parse_ms(context.conf.get("spark.network.timeout", "120s"))
    beat = parse_ms(context.conf.get("spark.executor.heartbeatInterval", "10s"), unit="ms")
    if network is None or beat is None or network > beat:
        return
    yield Finding(
        rule="S12",
        severity=Severity.ERROR,
        summary=f"spark.network.timeout ({format_ms(network)}) is not longer than a heartbeat ({format_ms(beat)})",
        place="spark.network.timeout",
        remedies=("spark.network.timeout=300s and spark.executor.heartbeatInterval=10s",),
        changes=(
            ConfChange("spark.network.timeout", "300s", context.conf.get("spark.network.timeout")),
            ConfChange("spark.executor.heartbeatInterval", "10s", context.conf.get("spark.executor.heartbeatInterval")),
        ),
        effect="Spark does not refuse to start",
    )


def broadcasts(context: ConfContext) -> Iterator[Finding]:
    """S16: tables that are broadcast fit into each executor and into the driver."""
    limits, text = context.thresholds["S16"], context.conf.get(_BROADCAST)
    size = parse_bytes(text) if text else None
    if text is None or size is None or size <= limits["warning_mb"] * MIB:
        return
    is_huge = size > limits["error_mb"] * MIB
    yield Finding(
        rule="S16",
        severity=Severity.ERROR if is_huge else Severity.WARNING,
        summary=f"tables of up to {format_bytes(size)} are broadcast: each executor and the driver hold all of them",
        place=_BROADCAST,
        arithmetic=("in memory a table takes several times what its files take",),
        remedies=(f"{_BROADCAST}=64m", "a hint at the one join that needs it"),
        changes=(ConfChange(_BROADCAST, "64m", text),),
        effect="joins of large tables go by a shuffle",
    )


_OF_HADOOP = ("fs.", "dfs.", "hadoop.", "mapreduce.", "mapred.", "yarn.", "parquet.", "hive.", "orc.", "avro.")


def dead_keys(context: ConfContext) -> Iterator[Finding]:
    """S17: keys that Spark ignores without a word, keys that have a new name, and misspelt ones."""
    for key in context.conf:
        yield from _about(context, key)


def _about(context: ConfContext, key: str) -> Iterator[Finding]:
    if not key.startswith("spark."):
        yield _foreign(context, key)
    elif key in _DEAD or key.startswith("spark.akka."):
        yield _dead(context, key, _DEAD.get(key, ""))
    elif key in _DEPRECATED:
        yield _old_name(context, key, _DEPRECATED[key])
    else:
        yield from _misspelt(context, key)


def _old_name(context: ConfContext, key: str, new: str) -> Finding:
    return Finding(
        rule="S17",
        severity=Severity.INFO,
        summary=f"{key} is an old name of {new}; it still works",
        place=key,
        remedies=(f"use {new}",),
        changes=_renamed(context, key, new),
    )


def _foreign(context: ConfContext, key: str) -> Finding:
    """A key that Spark drops: of Hadoop, in other letters, or no key at all."""
    lower = key.lower()
    new = lower if lower.startswith("spark.") else f"spark.hadoop.{key}" if key.startswith(_OF_HADOOP) else ""
    return Finding(
        rule="S17",
        severity=Severity.WARNING,
        summary=f"{key} has no effect: Spark takes only keys that begin with spark.",
        place=key,
        remedies=(f"write {new}" if new else "take it out",),
        changes=_renamed(context, key, new) if new else (ConfChange(key, None, context.conf[key]),),
        effect="the configuration says what happens",
    )


def _dead(context: ConfContext, key: str, new: str) -> Finding:
    return Finding(
        rule="S17",
        severity=Severity.WARNING,
        summary=f"{key} has no effect: Spark ignores it without a word",
        place=key,
        remedies=(f"see {new} instead" if new else "take it out",),
        changes=(ConfChange(key, None, context.conf[key]),),
        effect="the configuration says what happens",
        facts=(("value", redact_value(key, context.conf[key])), ("new_key", new)),
    )


def _renamed(context: ConfContext, key: str, new: str) -> tuple[ConfChange, ...]:
    value = context.conf[key]
    return ConfChange(key, None, value), ConfChange(new, value, context.conf.get(new))


def _misspelt(context: ConfContext, key: str) -> Iterator[Finding]:
    known = known_keys()
    if key in known or not key.startswith("spark.") or key.startswith(_OPEN_FAMILIES):
        return
    by_case = {name.lower(): name for name in known}
    section = key.split(".")[1]
    nearby = [name for name in known if name.split(".")[1] == section] or list(known)
    close = [by_case[key.lower()]] if key.lower() in by_case else get_close_matches(key, nearby, 1, _CLOSE)
    if close:
        yield Finding(
            rule="S17",
            # Keys of vendors look like Spark's own; a slip of a letter or two is one.
            severity=Severity.WARNING if _edits(key.lower(), close[0].lower()) <= _SLIP else Severity.INFO,
            summary=f"Spark knows no {key}: did you mean {close[0]}?",
            place=key,
            remedies=(f"use {close[0]}", "leave it, where another program reads it"),
            changes=_renamed(context, key, close[0]),
            effect="the setting counts",
        )


def _edits(one: str, other: str) -> int:
    """Count the letters to insert, delete or replace (Levenshtein, 1966)."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        before, row[0] = row[0], place
        for column, second in enumerate(other, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (letter != second))
    return row[-1]


def event_log(context: ConfContext) -> Iterator[Finding]:
    """S21: the event log is on: without it nobody can say why a run was slow."""
    if context.is_local:
        return
    if not context.flag(_EVENT_LOG, default=False):
        yield Finding(
            rule="S21",
            severity=Severity.WARNING,
            summary="the event log is off, Spark's default: after a failure nothing is left to look at",
            place=_EVENT_LOG,
            remedies=("turn it on, with a folder that outlives the run",),
            changes=(
                ConfChange(_EVENT_LOG, "true", context.conf.get(_EVENT_LOG)),
                ConfChange("spark.eventLog.dir", "hdfs:///spark-history", context.conf.get("spark.eventLog.dir")),
            ),
            effect="`log` can say what to change",
        )
    elif not context.flag("spark.executor.processTreeMetrics.enabled", default=False) and context.uses_python:
        yield Finding(
            rule="S21",
            severity=Severity.INFO,
            summary="memory of Python workers is not measured",
            place="spark.executor.processTreeMetrics.enabled",
            remedies=("turn it on: heap, native and Python memory can be told apart",),
            changes=(
                ConfChange("spark.executor.processTreeMetrics.enabled", "true"),
                ConfChange("spark.eventLog.logStageExecutorMetrics", "true"),
            ),
        )


def secrets(context: ConfContext) -> Iterator[Finding]:
    """S25: no secret stands in the configuration."""
    for key, value in context.conf.items():
        text = value.strip()
        if not text or text.lower() in ("true", "false") or text.startswith(("$", "{{", "%{")):
            continue
        by_key = is_secret_key(key)
        if not by_key and redact_text(text) == text:
            continue
        hidden = bool(_SPARK_REDACTS.search(key))
        yield Finding(
            rule="S25",
            severity=Severity.WARNING if hidden else Severity.ERROR,
            summary=f"{key} holds a secret"
            + (", which stands in files and in `ps`" if hidden else ", which Spark shows in its web UI and event log"),
            place=key,
            remedies=(
                "a role of the machine (instance profile), or the environment",
                "a credential provider: spark.hadoop.hadoop.security.credential.provider.path",
                "change the secret, where the file was ever shared",
            ),
            effect="nobody who sees the configuration has the key",
        )
