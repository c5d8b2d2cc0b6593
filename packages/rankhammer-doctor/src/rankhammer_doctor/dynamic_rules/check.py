"""Runs all dynamic rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer_doctor.dynamic_rules import commits, failures, memory_kills, skew, stages, whole_run
from rankhammer_doctor.dynamic_rules.context import RunContext
from rankhammer_doctor.findings import ConfChange, Finding, Severity, ranked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rankhammer_doctor.event_log.run import Run
    from rankhammer_doctor.text_logs import TextLogs
    from rankhammer_doctor.thresholds import Thresholds

RULES: tuple[Callable[[RunContext], Iterator[Finding]], ...] = (
    memory_kills.physical_kill,
    memory_kills.virtual_kill,
    failures.results_too_large,
    failures.lost_connections,
    skew.skew,
    commits.commits,
    memory_kills.heap_exhausted,
    failures.large_tasks,
    failures.retried_tasks,
    failures.barrier,
    failures.no_resources,
    memory_kills.python_crash,
    memory_kills.executor_failures,
    failures.broadcast_timeout,
    failures.lost_blocks,
    stages.spill,
    stages.garbage_collection,
    whole_run.idle_cores,
    stages.repeated_stages,
    stages.tiny_tasks,
    stages.small_files,
    failures.failed_jobs,
    whole_run.incomplete_log,
    whole_run.exploding_joins,
    whole_run.partial_cache,
    failures.disk_full,
    failures.unexplained_losses,
    whole_run.stuck_stages,
)
"""In the order of their ids; D10 has no rule: what it is about is never reported."""


def check_run(run: Run, thresholds: Thresholds, logs: TextLogs | None = None) -> list[Finding]:
    """Return everything that is wrong with a run, the gravest first.

    Args:
        run: Its event log.
        thresholds: Rule to names to numbers.
        logs: Of its driver and executors.
    """
    context = RunContext(run, thresholds, logs)
    found = [finding for rule in RULES for finding in rule(context)]
    return ranked([*found, *_refusals(context)])


def _refusals(context: RunContext) -> Iterator[Finding]:
    """Yield what drivers are told before they begin: static rules that a log shows were broken."""
    said = {
        "S3": ("YARN refused an executor that is larger than its largest container", "ask for a smaller executor"),
        "S12": (
            "Spark refused its own time-outs",
            "spark.network.timeout has to exceed spark.executor.heartbeatInterval",
        ),
        "S22": ("driver and executors run different versions of Python", "ship one Python, or set PYSPARK_PYTHON"),
        "S23": ("no configuration of a cluster was found", "export HADOOP_CONF_DIR"),
        "S24": ("the nodes' Java is too old for Spark's classes", "ship a JDK 17, or set JAVA_HOME for the executors"),
    }
    for rule, (summary, remedy) in said.items():
        lines = context.symptoms(rule)
        if lines:
            change = (ConfChange("spark.network.timeout", "300s"),) if rule == "S12" else ()
            yield Finding(rule, Severity.ERROR, summary, evidence=tuple(lines), remedies=(remedy,), changes=change)
