"""Whether the nodes can run our Python, asked before work starts, and without a Python worker."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import SparkSession

_ARCHIVED = "./env/python"
_CHECK_ARCHIVE = ["sh", "./env/check", "report"]
_CHECK_INSTALLED = """
cat >/dev/null
said=$("$0" -c 'import numpy, pyarrow, xgboost, platform; print(platform.python_version())' 2>&1)
if [ $? = 0 ]; then echo "ok $(uname -n): Python $said"
else echo "refused $(uname -n): $0 cannot be used: $(echo "$said" | tail -n 1)"; fi
"""
_TASKS_AN_EXECUTOR = 2
logger = logging.getLogger(__name__)


def check_nodes(session: SparkSession, python: str) -> list[str]:
    """Let each executor say whether it can run the Python that tasks will ask for.

    A task a core or so, in the JVM: what a broken Python would say is too late and unclear. A node that joins later is
    checked by the archive itself, when Python starts on it.

    Args:
        session: On YARN.
        python: Value of PYSPARK_PYTHON for executors.

    Returns:
        One line a node.

    Raises:
        ClusterError: A node cannot, or has another minor version of Python than the driver.
    """
    context = session.sparkContext
    jvm, java = context._jvm, context._jsc
    command = jvm.java.util.ArrayList()  # type: ignore[union-attr]
    for part in _CHECK_ARCHIVE if python == _ARCHIVED else ["sh", "-c", _CHECK_INSTALLED, python]:
        command.add(part)
    n_tasks = max(context.defaultParallelism, _executors(session)) * _TASKS_AN_EXECUTOR
    numbers = jvm.java.util.ArrayList()  # type: ignore[union-attr]
    for number in range(n_tasks):
        numbers.add(str(number))
    told = sorted(set(java.parallelize(numbers, n_tasks).pipe(command).collect()))
    require_ready(told)
    logger.info("Nodes: %s", "; ".join(told))
    return told


def require_ready(told: Iterable[str], minor: tuple[int, int] = sys.version_info[:2]) -> None:
    """Refuse to start where a node has refused.

    Args:
        told: One line a node: `ok <host>: Python <version>...` or `refused <host>: <reason>`.
        minor: Version of the driver's Python.

    Raises:
        ClusterError: With the hosts and their reasons.
    """
    wanted = f"Python {minor[0]}.{minor[1]}."
    refused = [line.removeprefix("refused ") for line in told if not line.startswith("ok ")]
    refused += [
        f"{line.removeprefix('ok ')}, the driver runs {wanted.rstrip('.')}" for line in told if _differs(line, wanted)
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
