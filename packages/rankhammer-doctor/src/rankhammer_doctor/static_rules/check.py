"""Runs all static rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer_doctor.findings import Finding, ranked
from rankhammer_doctor.static_rules import keys, machine, parallelism, sizes, storage, values
from rankhammer_doctor.static_rules.context import ConfContext
from rankhammer_doctor.static_rules.shape import ClusterShape
from rankhammer_doctor.thresholds import defaults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rankhammer_doctor.thresholds import Thresholds

RULES: tuple[Callable[[ConfContext], Iterator[Finding]], ...] = (
    sizes.node_is_filled,
    sizes.default_heap,
    sizes.overhead_is_enough,
    sizes.ask_fits,
    sizes.cores_for_python,
    parallelism.shuffle_partitions,
    parallelism.partitions_per_slot,
    parallelism.dynamic_allocation,
    parallelism.cap_on_executors,
    parallelism.cores_of_a_fit,
    parallelism.workers_fit,
    keys.timeouts,
    parallelism.failures_allowed,
    sizes.results_fit_the_driver,
    sizes.virtual_memory,
    keys.broadcasts,
    keys.dead_keys,
    values.unreadable_values,
    values.too_small_values,
    storage.s3_committer,
    storage.half_written,
    storage.file_sizes,
    keys.event_log,
    machine.python_versions,
    machine.hadoop_conf,
    machine.java_of_nodes,
    keys.secrets,
    machine.other_installation,
)
"""In the order of their ids."""


def check_conf(
    conf: Mapping[str, str],
    shape: ClusterShape | None = None,
    *,
    thresholds: Thresholds | None = None,
    environ: Mapping[str, str] | None = None,
    is_python: bool | None = None,
    platform: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Return everything that is wrong with a configuration, the gravest first.

    Args:
        conf: Flat Spark keys.
        shape: Of the cluster, with facts of the job; None where nothing is known.
        thresholds: Rule to names to numbers; None for the package's own.
        environ: Environment of the machine that submits; None where it is another one.
        is_python: Whether the application is a Python program.
        platform: Keys that the platform sets where the configuration does not, such as EMR's.
    """
    conf = {**(platform or {}), **conf}
    context = ConfContext(conf, thresholds or defaults(), shape or ClusterShape(), environ, is_python)
    return ranked(finding for rule in RULES for finding in rule(context))
