"""How many tasks a session can run at once, checked before work that needs so many."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from pyspark import SparkContext

STARTING_S = 10
"""How long executors that are still starting are waited for."""
_POLL_S = 0.5
_SIZES = ("spark.executor.instances", "spark.executor.cores", "spark.task.cpus")


def count_slots(context: SparkContext) -> int:
    """Return how many tasks the executors that are there can run at once.

    Args:
        context: The session's.
    """
    scheduler: Any = context._jsc.sc()
    return int(scheduler.maxNumConcurrentTasks(scheduler.resourceProfileManager().resourceProfileFromId(0)))


def has_moving_executors(context: SparkContext) -> bool:
    """Say whether executors come and go with the work: Spark then refuses tasks that have to begin together.

    Args:
        context: The session's.
    """
    return (context.getConf().get("spark.dynamicAllocation.enabled", "false") or "").lower() == "true"


def require_slots(context: SparkContext, n_tasks: int, *, wait_s: float = 0) -> None:
    """Refuse work whose tasks have to run at once where there is no room for all of them: Spark would wait, silently.

    Args:
        context: The session's.
        n_tasks: Tasks that have to run at once.
        wait_s: Seconds that executors may take to come; STARTING_S at least outside of local mode.

    Raises:
        ClusterError: There are too few slots, with the numbers; or executors come and go.
    """
    if has_moving_executors(context):
        raise ClusterError(
            f"{n_tasks} tasks have to train one model at once, which Spark refuses where executors come and go "
            "(spark.dynamicAllocation.enabled = true).",
            hint="Set resources.dynamic_allocation.enabled: false in cluster.yml, or training.workers.number: 1.",
        )
    patience = wait_s if context._jsc.sc().isLocal() else max(wait_s, STARTING_S)
    end = time.monotonic() + patience
    while (found := count_slots(context)) < n_tasks:
        if time.monotonic() >= end:
            conf = context.getConf()
            sizes = ", ".join(f"{key} = {conf.get(key, 'not set')}" for key in _SIZES)
            raise ClusterError(
                f"{n_tasks} tasks have to train one model at once, and there is room for {found} "
                f"(master {context.master}; {sizes}).",
                hint=f"Set training.workers.number to {found} or fewer, or ask for more executors (resources of "
                "cluster.yml).",
                found=found,
                wanted=n_tasks,
            )
        time.sleep(_POLL_S)
