"""Sizes of executors and driver, and whether the cluster has them (S1 to S4, S14, S15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.memory import MIN_OVERHEAD
from rankhammer_doctor.units import GIB, MIB, format_bytes, parse_bytes, to_mib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.memory import ContainerMemory
    from rankhammer_doctor.static_rules.context import ConfContext

_MEMORY, _CORES, _INSTANCES = "spark.executor.memory", "spark.executor.cores", "spark.executor.instances"
_LEAST_HEAP = 256
"""MiB."""


def node_is_filled(context: ConfContext) -> Iterator[Finding]:
    """S1: executors fill a node, and leave room for the system and its daemons."""
    shape, limits = context.shape, context.thresholds["S1"]
    if context.is_local or not shape.yarn_memory:
        return
    if shape.node_memory and shape.yarn_memory > 0.95 * shape.node_memory:
        yield Finding(
            rule="S1",
            severity=Severity.WARNING,
            summary="YARN may give all of a node's memory to containers: nothing is left for the system",
            evidence=(f"YARN {format_bytes(shape.yarn_memory)} of {format_bytes(shape.node_memory)}",),
            arithmetic=(f"{limits['node_share']:.0%} of it: {format_bytes(limits['node_share'] * shape.node_memory)}",),
            remedies=("lower yarn.nodemanager.resource.memory-mb",),
            changes=(
                ConfChange(
                    "yarn.nodemanager.resource.memory-mb",
                    str(to_mib(limits["node_share"] * shape.node_memory)),
                    str(to_mib(shape.yarn_memory)),
                    "yarn-site.xml",
                ),
            ),
            effect="the kernel ends no container for want of memory",
        )
    container = shape.rounded(context.executor.total)
    by_cores = shape.yarn_vcores // context.cores if shape.yarn_vcores else shape.yarn_memory // container
    count = min(shape.yarn_memory // container, by_cores)
    unused = 1 - count * container / shape.yarn_memory
    asks_for_all = bool(context.executors and shape.nodes and context.executors >= count * shape.nodes)
    if count >= 1 and unused > limits["unused_share"] and asks_for_all:
        yield _larger(context, int(count), container)


def _larger(context: ConfContext, count: int, container: int) -> Finding:
    shape, executor = context.shape, context.executor
    step = shape.min_allocation or 256 * MIB
    room = (shape.yarn_memory or 0) // count // step * step
    heap, sums = executor.heap_within(room)
    return Finding(
        rule="S1",
        severity=Severity.INFO,
        summary=f"executors use {count * container / (shape.yarn_memory or 1):.0%} of a node's memory",
        evidence=(f"{count} of {format_bytes(container)} fit on a node with {format_bytes(shape.yarn_memory or 0)}",),
        arithmetic=(
            f"container {executor.arithmetic()}, rounded up to {format_bytes(container)}",
            f"{format_bytes(shape.yarn_memory or 0)} / {count} = {format_bytes(room)}; {sums}",
        ),
        remedies=(f"give them the rest: {_MEMORY}={heap}m",),
        changes=(ConfChange(_MEMORY, f"{heap}m", context.conf.get(_MEMORY)),),
        effect="less spilling, or more executors",
    )


def overhead_is_enough(context: ConfContext) -> Iterator[Finding]:
    """S2: the memory beside the heap is set, and enough for Python and XGBoost."""
    if context.is_local or not context.uses_python:
        return
    limits, executor, job = context.thresholds["S2"], context.executor, context.job
    tasks = max(1, context.cores // max(1, context.task_cpus))
    if job.xgboost:
        matrix = job.matrix if job.matrix is not None else limits["xgboost_mb"] * MIB - MIN_OVERHEAD
        needed = int(tasks * matrix + MIN_OVERHEAD)
        sums = f"{tasks} workers x {format_bytes(matrix)} of matrix + 384 MiB = {format_bytes(needed)}"
    else:
        needed = int(MIN_OVERHEAD + tasks * limits["python_mb_per_core"] * MIB)
        sums = f"384 MiB + {tasks} Python workers x {limits['python_mb_per_core']} MiB = {format_bytes(needed)}"
    given = executor.overhead + executor.python
    if given >= needed:
        return
    wanted = -(-to_mib(needed - executor.python) // 128) * 128
    largest = context.shape.largest_container
    if largest and needed > largest // 2 and context.cores > 1 and not job.xgboost:
        yield _fewer_workers(context, largest, needed)
        return
    said = "is set" if executor.is_overhead_set else "is the default"
    yield Finding(
        rule="S2",
        severity=Severity.WARNING,
        summary=f"memory beside the heap ({format_bytes(given)}, which {said}) is too small for Python workers",
        place=executor.overhead_key,
        arithmetic=(sums, f"container: {executor.arithmetic()}"),
        remedies=(f"{executor.overhead_key}={wanted}m", "fewer cores an executor"),
        changes=executor.with_overhead(wanted),
        effect="YARN does not kill the executor for memory that is not its heap",
    )


def _fewer_workers(context: ConfContext, largest: int, needed: int) -> Finding:
    each = int(context.thresholds["S2"]["python_mb_per_core"]) * MIB * max(1, context.task_cpus)
    cores = max(1, min(context.cores - 1, (largest // 2 - MIN_OVERHEAD) // each))
    return Finding(
        rule="S2",
        severity=Severity.WARNING,
        summary=f"{context.cores} Python workers need {format_bytes(needed)} beside the heap, and a container may have "
        f"{format_bytes(largest)}",
        place=_CORES,
        arithmetic=(f"({format_bytes(largest)} / 2 - 384 MiB) / {format_bytes(each)}: {cores} cores",),
        remedies=(f"{_CORES}={cores}", "larger containers, where nodes have the memory"),
        changes=(ConfChange(_CORES, str(cores), context.conf.get(_CORES)),),
        effect="YARN does not kill the executor for memory that is not its heap",
    )


def ask_fits(context: ConfContext) -> Iterator[Finding]:
    """S3: containers fit into YARN's largest one, and all of them into the queue."""
    if context.is_local:
        return
    too_large = list(_largest_container(context))
    yield from too_large or _whole_ask(context)


def _largest_container(context: ConfContext) -> Iterator[Finding]:
    shape, in_cluster = context.shape, context.conf.get("spark.submit.deployMode", "client") == "cluster"
    limit = shape.largest_container
    parts = [("executor", context.executor, _MEMORY)]
    parts += [("driver", context.driver, "spark.driver.memory")] if in_cluster else []
    for who, container, key in parts:
        if limit and container.total > limit:
            heap, sums = container.heap_within(limit)
            changes: tuple[ConfChange, ...] = (ConfChange(key, f"{heap}m", context.conf.get(key)),)
            if heap < _LEAST_HEAP:
                # What is beside the heap fills the container: both are made again.
                heap, sums = to_mib(limit) // 2, f"{format_bytes(limit)} / 2, and a quarter beside it"
                changes = (
                    ConfChange(key, f"{heap}m", context.conf.get(key)),
                    *container.with_overhead(to_mib(limit) // 4),
                    *_without_extras(context, container),
                )
            yield Finding(
                rule="S3",
                severity=Severity.ERROR,
                summary=f"the {who}'s container ({format_bytes(container.total)}) is larger than YARN's largest",
                place=key,
                evidence=(f"largest container: {format_bytes(limit)}",),
                arithmetic=(container.arithmetic(), sums),
                remedies=(f"{key}={heap}m", "raise yarn.scheduler.maximum-allocation-mb, where nodes have the memory"),
                changes=changes,
                effect="Spark does not refuse to start",
            )
    most = min((one for one in (shape.max_vcores, shape.yarn_vcores, shape.granted_cores) if one), default=None)
    if most and context.cores > most:
        yield Finding(
            rule="S3",
            severity=Severity.ERROR,
            summary=f"an executor asks for {context.cores} cores, and a container may have {most}",
            place=_CORES,
            remedies=(f"{_CORES}={most}",),
            changes=(ConfChange(_CORES, str(most), context.conf.get(_CORES)),),
            effect="YARN can place it",
        )


def _without_extras(context: ConfContext, container: ContainerMemory) -> Iterator[ConfChange]:
    if container.off_heap:
        yield ConfChange("spark.memory.offHeap.enabled", "false", "true")
    if container.python:
        key = "spark.executor.pyspark.memory"
        yield ConfChange(key, None, context.conf.get(key))


def _whole_ask(context: ConfContext) -> Iterator[Finding]:
    shape, executors = context.shape, context.executors
    if executors is None:
        return
    container = shape.rounded(context.executor.total)
    asks = (
        ("cores", executors * context.cores, shape.granted_cores, context.cores),
        ("MiB", to_mib(executors * container), to_mib(shape.granted_memory or 0) or None, to_mib(container)),
    )
    over = [one for one in asks if one[2] is not None and one[1] > one[2]]
    if not over:
        return
    # What there is least of decides.
    unit, asked, granted, each = min(over, key=lambda one: (one[2] or 0) / one[3])
    fits = max(1, (granted or 0) // each)
    key = "spark.dynamicAllocation.maxExecutors" if context.is_dynamic else _INSTANCES
    of = f" x {shape.share:g} of the queue" if shape.share < 1 else ""
    yield Finding(
        rule="S3",
        severity=Severity.WARNING,
        summary=f"the ask is {asked:,} {unit}, and the cluster grants {granted:,}",
        place=key,
        arithmetic=(
            f"{executors} executors x {each:,} = {asked:,} {unit}",
            f"{shape.nodes} nodes{of}: {granted:,} {unit}; {granted:,} / {each:,} = {fits} executors",
        ),
        remedies=(f"{key}={fits}", "another queue"),
        changes=(ConfChange(key, str(fits), context.conf.get(key)),),
        effect="the run does not wait for executors that never come",
        facts=(("asked", asked), ("granted", granted), ("unit", unit)),
    )


def cores_for_python(context: ConfContext) -> Iterator[Finding]:
    """S4: an executor has not too many cores for its heap, and for what Python or XGBoost do."""
    limits, cores = context.thresholds["S4"], context.cores
    if context.is_local:
        return
    if cores > limits["max_cores"]:
        yield Finding(
            rule="S4",
            severity=Severity.WARNING,
            summary=f"{cores} cores an executor: above {limits['max_cores']:g} HDFS's client and the JVM lose by it",
            place=_CORES,
            remedies=(f"{_CORES}=5, and more executors",),
            changes=(ConfChange(_CORES, "5", context.conf.get(_CORES)),),
            effect="the same slots, with shorter garbage collections",
        )
    each = context.executor.heap / max(1, cores)
    if context.uses_python and not context.job.xgboost and cores > 1 and each < limits["min_heap_mb_per_core"] * MIB:
        yield Finding(
            rule="S4",
            severity=Severity.WARNING,
            summary=f"{format_bytes(each)} of heap for each core: little beside Python workers",
            place=_CORES,
            arithmetic=(f"{format_bytes(context.executor.heap)} / {cores} cores",),
            remedies=(f"{_CORES}={cores - 1}", f"or {_MEMORY}={cores * int(limits['min_heap_mb_per_core'])}m"),
            changes=(ConfChange(_CORES, str(cores - 1), context.conf.get(_CORES)),),
            effect="fewer batches at once",
        )


def results_fit_the_driver(context: ConfContext) -> Iterator[Finding]:
    """S14: what tasks return is bounded, and fits into the driver."""
    key = "spark.driver.maxResultSize"
    text = context.conf.get(key, "1g")
    size, heap = parse_bytes(text), context.driver.heap
    is_off, is_larger = size == 0, bool(size and size > context.thresholds["S14"]["heap_share"] * heap)
    if (is_off or is_larger) and key in context.conf:
        wanted = f"{max(256, to_mib(heap) // 2)}m"
        yield Finding(
            rule="S14",
            severity=Severity.WARNING,
            summary="results of any size are taken, until the driver runs out of memory"
            if is_off
            else f"{key} ({text}) is larger than the driver's heap ({format_bytes(heap)})",
            place=key,
            arithmetic=(f"half of {format_bytes(heap)}: {wanted}",),
            remedies=(f"{key}={wanted}", "write results instead of collecting them"),
            changes=(ConfChange(key, wanted, context.conf.get(key)),),
            effect="a job fails with a message instead of the driver with none",
        )


def virtual_memory(context: ConfContext) -> Iterator[Finding]:
    """S15: YARN does not kill containers for virtual memory."""
    shape = context.shape
    if shape.vmem_check and not context.is_local:
        limit = 2.1 * shape.rounded(context.executor.total)
        yield Finding(
            rule="S15",
            severity=Severity.WARNING,
            summary="YARN checks virtual memory, of which a JVM with native libraries reserves far more than it uses",
            place="yarn.nodemanager.vmem-check-enabled",
            arithmetic=(f"2.1 x the container = {format_bytes(limit)} of virtual memory at most",),
            remedies=("set it to false on all NodeManagers (EMR: classification yarn-site)",),
            changes=(ConfChange("yarn.nodemanager.vmem-check-enabled", "false", "true", "yarn-site.xml"),),
            effect="only memory that is used counts",
        )


def default_heap(context: ConfContext) -> Iterator[Finding]:
    """S2: on YARN somebody has thought about the heap: Spark's default is 1 GiB."""
    if context.on_yarn and "spark.master" in context.conf and _MEMORY not in context.conf:
        yield Finding(
            rule="S2",
            severity=Severity.INFO,
            summary=f"{_MEMORY} is not set: executors have {format_bytes(GIB)} of heap and 384 MiB beside it",
            place=_MEMORY,
            remedies=("set heap and overhead for the work and the nodes (S1)",),
        )
