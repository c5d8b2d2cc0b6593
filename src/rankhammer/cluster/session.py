"""What a session on YARN is opened with beside the keys of spark.yml."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rankhammer.cluster import limits, resources
from rankhammer.cluster.resource_manager import ResourceManager

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.cluster.resources import Matrix, Request
    from rankhammer.cluster.settings import ClusterSettings

logger = logging.getLogger(__name__)
TRAINING = frozenset({"folding", "training", "export"})


def session_settings(
    settings: ClusterSettings, *, stages: frozenset[str], matrix: Matrix | None = None
) -> Mapping[str, str]:
    """Work out what a session in client mode asks YARN for.

    Args:
        settings: Of cluster.yml.
        stages: That the run has; empty where the session is somebody's own, as in a notebook.
        matrix: Largest training matrix, where it is known.

    Returns:
        Flat Spark keys.

    Raises:
        ClusterError: The cluster does not answer, or has no room for what is asked for.
    """
    request = plan(settings, stages=stages, matrix=matrix, driver_in_cluster=False)
    logger.info(
        "Resources: profile %s, at most %d executors of %d MB and %d cores",
        request.name,
        request.profile.instances,
        request.profile.container_mb,
        request.profile.cores,
    )
    return resources.spark_settings(request, settings.resources)


def plan(
    settings: ClusterSettings, *, stages: frozenset[str], matrix: Matrix | None, driver_in_cluster: bool
) -> Request:
    """Work out what a run asks YARN for; nothing is asked for yet.

    Args:
        settings: Of cluster.yml.
        stages: That the run has.
        matrix: Largest training matrix, where it is known.
        driver_in_cluster: Whether YARN runs the driver, too.
    """
    wanted = settings.resources
    found = limits.read(ResourceManager(), queue=wanted.queue, node_label=wanted.node_label)
    is_training = "training" in stages and stages <= TRAINING
    return resources.work_out(
        wanted,
        found,
        is_training=is_training,
        driver_in_cluster=driver_in_cluster,
        matrix=matrix if "training" in stages else None,
    )
