"""What a session on YARN is opened with beside the keys of spark.yml, and whether its nodes can run our Python."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from rankhammer import spark
from rankhammer.errors import ClusterError
from rankhammer.yarn import limits, resources
from rankhammer.yarn.resource_manager import ResourceManager
from rankhammer.yarn.runtime import JOINED, PACKAGES_KEY, merged, yarn_settings
from rankhammer.yarn.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pyspark.sql import SparkSession

    from rankhammer.yarn.resources import Matrix, ResourceRequest
    from rankhammer.yarn.settings import ClusterSettings

_ARCHIVED = "./env/python"
_CHECK_ARCHIVE = ["sh", "./env/check", "report"]
_CHECK_INSTALLED = """
cat >/dev/null
said=$("$0" -c 'import platform, sys
import numpy, pyarrow, xgboost
from importlib.util import find_spec
lacks = [name for name in sys.argv[1].split(",") if name and find_spec(name) is None]
sys.exit(f"{chr(32).join(lacks)} not installed" if lacks else print(platform.python_version()))' "$1" 2>&1)
if [ $? = 0 ]; then echo "ok $(uname -n): Python $said"
else echo "refused $(uname -n): $0 cannot be used: $(echo "$said" | tail -n 1)"; fi
"""
_TASKS_AN_EXECUTOR = 2
logger = logging.getLogger(__name__)


def check_nodes(session: SparkSession, python: str, packages: str = "") -> list[str]:
    """Let each executor say whether it can run the Python that tasks will ask for.

    A task a core or so, in the JVM: what a broken Python would say is too late and unclear. A node that joins later is
    checked by the archive itself, when Python starts on it.

    Args:
        session: On YARN.
        python: Value of PYSPARK_PYTHON for executors.
        packages: Names of packages that the run needs beside those of every run, with commas between; an archive has
            them.

    Returns:
        One line per node.

    Raises:
        ClusterError: A node cannot, or has another minor version of Python than the driver.
    """
    context = session.sparkContext
    jvm, java = context._jvm, context._jsc
    command = jvm.java.util.ArrayList()  # type: ignore[union-attr]
    for part in _CHECK_ARCHIVE if python == _ARCHIVED else ["sh", "-c", _CHECK_INSTALLED, python, packages]:
        command.add(part)
    n_tasks = max(context.defaultParallelism, _executors(session)) * _TASKS_AN_EXECUTOR
    numbers = jvm.java.util.ArrayList()  # type: ignore[union-attr]
    for number in range(n_tasks):
        numbers.add(str(number))
    answers = sorted(set(java.parallelize(numbers, n_tasks).pipe(command).collect()))
    require_ready(answers)
    logger.info("Nodes: %s", "; ".join(answers))
    return answers


def require_ready(answers: Iterable[str], minor: tuple[int, int] = sys.version_info[:2]) -> None:
    """Refuse to start where a node has refused.

    Args:
        answers: One line per node: `ok <host>: Python <version>...` or `refused <host>: <reason>`.
        minor: Version of the driver's Python.

    Raises:
        ClusterError: With the hosts and their reasons.
    """
    wanted = f"Python {minor[0]}.{minor[1]}."
    refused = [line.removeprefix("refused ") for line in answers if not line.startswith("ok ")]
    refused += [
        f"{line.removeprefix('ok ')}, the driver runs {wanted.rstrip('.')}"
        for line in answers
        if _differs(line, wanted)
    ]
    if refused:
        hosts = sorted({line.partition(":")[0] for line in refused})
        raise ClusterError(
            f"{len(hosts)} of the nodes cannot run this: {'; '.join(refused[:5])}",
            hint="docs/cluster.md says how to pack a Python for other nodes; a node label keeps a run off some nodes.",
            hosts=hosts,
        )


def _differs(line: str, wanted: str) -> bool:
    return line.startswith("ok ") and wanted not in line


def _executors(session: SparkSession) -> int:
    return int(session.conf.get("spark.executor.instances", "1") or 1)


_EXECUTORS_PYTHON = "spark.executorEnv.PYSPARK_PYTHON"


def session_settings(
    own: Mapping[str, str], settings: ClusterSettings, *, project: Path, is_training: bool, matrix: Matrix | None = None
) -> Mapping[str, str]:
    """Work out what a session in client mode asks YARN for, and put on the cluster what its nodes need.

    Args:
        own: Flat Spark keys of spark.yml; they win over what is worked out, and lists and Java's options are joined.
        settings: Of cluster.yml.
        project: Folder of the project.
        is_training: See `plan`.
        matrix: See `plan`.

    Returns:
        Flat Spark keys, those of `own` among them.

    Raises:
        ClusterError: The cluster does not answer, has no room for what is asked for, or the runtime cannot be built.
    """
    request = plan(settings, is_training=is_training, matrix=matrix, driver_in_cluster=False)
    size = f"{request.profile.instances} executors of {request.profile.container_mb} MB, {request.profile.cores} cores"
    logger.info("Resources: profile %s, at most %s", request.name, size)
    uploads = Uploads(*spark.hadoop(), settings.runtime.root, logger.info)
    keys = yarn_settings(settings, uploads, project=project, on_progress=logger.info)
    # Spark tells executors the driver's value.
    os.environ["PYSPARK_PYTHON"] = keys[_EXECUTORS_PYTHON]
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    return _joined({**resources.spark_settings(request, settings.resources), **own}, keys)


def _joined(asked: Mapping[str, str], needed: Mapping[str, str]) -> Mapping[str, str]:
    """Let what is asked for win over what nodes need, but for lists and Java's options, of which both hold."""
    both = merged(asked, needed)
    return {**needed, **asked, **{key: both[key] for key in JOINED if key in needed}}


def require_nodes(session: SparkSession) -> None:
    """Let every executor say whether it can run our Python, before work starts.

    Args:
        session: Just opened, on YARN.

    Raises:
        ClusterError: One cannot; it is named with the reason.
    """
    python = session.conf.get(_EXECUTORS_PYTHON, None) or os.environ.get("PYSPARK_PYTHON")
    check_nodes(session, python or "python3", session.conf.get(PACKAGES_KEY, None) or "")


def plan(
    settings: ClusterSettings, *, is_training: bool, matrix: Matrix | None, driver_in_cluster: bool
) -> ResourceRequest:
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
