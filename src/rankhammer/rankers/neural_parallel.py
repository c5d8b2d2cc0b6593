"""One network that several processes train together: each takes its share of every mini-batch, slopes are averaged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.rankers.neural_training import load_jax

if TYPE_CHECKING:
    from collections.abc import Callable

_SILENT_S = 10
"""Seconds without a heartbeat after which a process counts as lost; JAX's own 100 are too long to wait."""


def join(rank: int, world_size: int) -> Callable[[Any], Any] | None:
    """Meet the other processes at MASTER_ADDR and MASTER_PORT, which an experiment sets.

    A process that is lost ends the others: a collective fails, or JAX ends the process. An experiment starts all of
    them again.

    Args:
        rank: Of this process, from 0.
        world_size: How many there are.

    Returns:
        What `neural.new_network` takes as `place`; None where there is one process.

    Raises:
        ConfigError: The extra `neural` is not installed.
    """
    jax = load_jax()
    if world_size == 1:
        return None
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}",
        world_size,
        rank,
        heartbeat_timeout_seconds=_SILENT_S,
    )
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    spec: Any = PartitionSpec
    sharding = NamedSharding(Mesh(np.array(jax.devices()), ("queries",)), spec("queries"))

    def place(array: Any) -> Any:
        shape = (array.shape[0] * world_size, *array.shape[1:])
        return jax.make_array_from_process_local_data(sharding, array, shape)

    return place


def agreed(value: float) -> float:
    """Return what the process of rank 0 says; all of them have to ask."""
    from jax.experimental import multihost_utils

    return float(np.asarray(multihost_utils.broadcast_one_to_all(np.float32(value))))
