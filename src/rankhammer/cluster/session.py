"""What a session on YARN is opened with beside the keys of spark.yml."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from rankhammer import spark
from rankhammer.cluster import limits, resources
from rankhammer.cluster.nodes import check_nodes
from rankhammer.cluster.resource_manager import ResourceManager
from rankhammer.cluster.runtime import yarn_settings
from rankhammer.cluster.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pyspark.sql import SparkSession

    from rankhammer.cluster.resources import Matrix, Request
    from rankhammer.cluster.settings import ClusterSettings

logger = logging.getLogger(__name__)
_EXECUTORS_PYTHON = "spark.executorEnv.PYSPARK_PYTHON"


def session_settings(
    settings: ClusterSettings, *, project: Path, is_training: bool, matrix: Matrix | None = None
) -> Mapping[str, str]:
    """Work out what a session in client mode asks YARN for, and put on the cluster what its nodes need.

    Args:
        settings: Of cluster.yml.
        project: Folder of the project.
        is_training: See `plan`.
        matrix: See `plan`.

    Returns:
        Flat Spark keys.

    Raises:
        ClusterError: The cluster does not answer, has no room for what is asked for, or the runtime cannot be built.
    """
    request = plan(settings, is_training=is_training, matrix=matrix, driver_in_cluster=False)
    size = f"{request.profile.instances} executors of {request.profile.container_mb} MB, {request.profile.cores} cores"
    logger.info("Resources: profile %s, at most %s", request.name, size)
    uploads = Uploads(*spark.hadoop(), settings.runtime.root, logger.info)
    keys = yarn_settings(settings, uploads, project=project, told=logger.info)
    # Spark tells executors the driver's value.
    os.environ["PYSPARK_PYTHON"] = keys[_EXECUTORS_PYTHON]
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    return {**resources.spark_settings(request, settings.resources), **keys}


def require_nodes(session: SparkSession) -> None:
    """Let every executor say whether it can run our Python, before work starts.

    Args:
        session: Just opened, on YARN.

    Raises:
        ClusterError: One cannot; it is named with the reason.
    """
    python = session.conf.get(_EXECUTORS_PYTHON, None) or os.environ.get("PYSPARK_PYTHON")
    check_nodes(session, python or "python3")


def plan(settings: ClusterSettings, *, is_training: bool, matrix: Matrix | None, driver_in_cluster: bool) -> Request:
    """Work out what a run asks YARN for; nothing is asked for yet.

    Args:
        settings: Of cluster.yml.
        is_training: Whether every stage of the run belongs to training: then a task may use many cores.
        matrix: Largest training matrix of a run that trains, where it is known.
        driver_in_cluster: Whether YARN runs the driver, too.
    """
    wanted = settings.resources
    found = limits.read(ResourceManager(), queue=wanted.queue, node_label=wanted.node_label)
    return resources.work_out(
        wanted, found, is_training=is_training, driver_in_cluster=driver_in_cluster, matrix=matrix
    )
