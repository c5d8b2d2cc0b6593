"""Asks every part of a cluster that a run needs, one after the other, and says what to fix."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rankhammer import spark
from rankhammer.errors import ClusterError, RankhammerError
from rankhammer.storage.base import split_scheme, storage_for
from rankhammer.yarn import hadoop_conf, limits, resources
from rankhammer.yarn.resource_manager import ResourceManager

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from rankhammer.yarn.settings import ClusterSettings

OK, FAILED = "ok", "failed"
S3_HINTS = {
    "403": "S3 refuses: are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY right, and may they write here?",
    "404": "Is the bucket there? Make it, or correct the path in conf/<env>/globals.yml.",
    "Unable to load credentials": "Export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.",
    "S3AFileSystem not found": "Put the connector's jars where spark.jars of conf/<env>/spark.yml looks for them.",
}
HDFS_HINTS = {
    "safe mode": "HDFS takes no writes now: `hdfs dfsadmin -safemode get` says when it will.",
    "Permission denied": "Ask the folder's owner for the right to write, or choose another in conf/<env>/globals.yml.",
    "quota": "The folder's quota is used up: delete old runs, or ask for more.",
    "Connection refused": "Is the NameNode up, and does fs.defaultFS in core-site.xml name it?",
}


@dataclass(frozen=True)
class ProbeResult:
    """What one part said.

    Args:
        part: Its name.
        state: ok or failed.
        message: What was found.
        hint: What to do where it failed.
        seconds: That it took.
    """

    part: str
    state: str
    message: str
    hint: str = ""
    seconds: float = 0.0


def probe(
    settings: ClusterSettings, roots: Mapping[str, str], *, run_container: Callable[[], str] | None
) -> Iterator[ProbeResult]:
    """Ask every part.

    Args:
        settings: Of cluster.yml.
        roots: Name to URI of each folder that runs write to.
        run_container: Runs Python in a container of YARN and says what it found; None leaves that out.

    Yields:
        One answer a part, as soon as it is there; what stands on a part that failed is not asked.
    """
    configuration = _ask("configuration", _configuration)
    yield configuration
    if configuration.state == OK:
        yield _ask("namenode", _namenode)
        queue = yield from _ask_yarn(settings)
        for uri in sorted(set(roots.values())):
            names = ", ".join(sorted(name for name, root in roots.items() if root == uri))
            yield _ask(f"write {uri}", partial(_write, uri, names))
        if run_container is not None and queue.state == OK:
            yield _ask("container", run_container)


def _ask_yarn(settings: ClusterSettings) -> Generator[ProbeResult, None, ProbeResult]:
    manager = _ask("resource manager", _resource_manager)
    yield manager
    if manager.state != OK:
        return manager
    queue = _ask("queue", lambda: _queue(settings))
    yield queue
    return queue


def _ask(part: str, question: Callable[[], str]) -> ProbeResult:
    started = time.monotonic()
    try:
        message, state, hint = question(), OK, ""
    except RankhammerError as error:
        message, state, hint = error.message, FAILED, error.hint
    except Exception as error:  # noqa: BLE001 - whatever a part dies of is its answer
        message, state, hint = first_line(error), FAILED, hint_for(str(error))
    return ProbeResult(part, state, message, hint, time.monotonic() - started)


def first_line(error: BaseException) -> str:
    """Return what an error says, without its trace; of one of the JVM, what the JVM says."""
    thrown = getattr(error, "java_exception", None)
    return (str(thrown.toString()) if thrown is not None else str(error)).strip().split("\n")[0][:500]


def hint_for(message: str) -> str:
    """Return what to do about an answer of HDFS or S3; empty where nothing is known."""
    known = {**S3_HINTS, **HDFS_HINTS}
    return next((hint for sign, hint in known.items() if sign.lower() in message.lower()), "")


def _configuration() -> str:
    where = hadoop_conf.require_folders()
    default = hadoop_conf.read(where).get("fs.defaultFS")
    if not default or not default.startswith("hdfs"):
        raise ClusterError(
            f"fs.defaultFS in {where[0]} is {default or 'not set'}.",
            hint="hdfs:/// has to lead somewhere: set it in core-site.xml, or name the HDFS in conf/<env>/globals.yml.",
        )
    return f"{', '.join(map(str, where))}: {default}"


def _namenode() -> str:
    jvm, conf = spark.hadoop()
    filesystem = jvm.org.apache.hadoop.fs.FileSystem.get(conf)
    status = filesystem.getStatus()
    if filesystem.getScheme() == "hdfs" and filesystem.isInSafeMode():
        raise ClusterError("HDFS is in safe mode.", hint=HDFS_HINTS["safe mode"])
    free, whole = (f"{n_bytes / 2**30:.0f}" for n_bytes in (status.getRemaining(), status.getCapacity()))
    return f"{filesystem.getUri().toString()}: {free} of {whole} GiB free"


def _resource_manager() -> str:
    manager = ResourceManager()
    nodes = manager.nodes()
    if not nodes:
        raise ClusterError("YARN answers, but no node runs.", hint="Start its NodeManagers, or wait for them.")
    memory, cores = sum(node.memory_mb for node in nodes), sum(node.cores for node in nodes)
    return f"YARN {manager.version()}, {len(nodes)} nodes with {memory} MB and {cores} cores"


def _queue(settings: ClusterSettings) -> str:
    wanted = settings.resources
    found = limits.read(ResourceManager(), queue=wanted.queue, node_label=wanted.node_label)
    request = resources.work_out(wanted, found, is_training=False, driver_in_cluster=False)
    size = f"{request.profile.instances} executors of {request.profile.container_mb} MB"
    return f"{found.queue}: profile {request.name}, {size}; {found.free_mb} of {found.memory_mb} MB are free now"


def _write(uri: str, names: str) -> str:
    storage = storage_for(uri)
    path, content = f"{uri.rstrip('/')}/.probe-{secrets.token_hex(6)}", secrets.token_bytes(64)
    try:
        storage.write(path, content)
        if storage.read(path) != content:
            raise ClusterError(f"{path} does not hold what was written.", hint="Ask the administrator of the storage.")
    finally:
        storage.delete(path)
    return f"written, read and deleted ({names}; {split_scheme(uri)[0] or 'this machine'})"


def run_container() -> str:
    """Run a task a slot in containers, and let each say which Python it has and whether it can import the product.

    Returns:
        What the containers said, each different answer once.
    """
    context = spark.session().sparkContext
    n_tasks = max(2, context.defaultParallelism)
    # An action: one short line per task comes back.
    workers = context.parallelize(range(n_tasks), n_tasks).map(_describe_worker).distinct().collect()
    return f"{context.applicationId}: {'; '.join(sorted(workers))}"


def _describe_worker(_: int) -> str:
    import platform
    import sys

    import numpy
    import pyarrow
    import xgboost

    import rankhammer

    packages = f"numpy {numpy.__version__}, pyarrow {pyarrow.__version__}, xgboost {xgboost.__version__}"
    return (
        f"{platform.node()} Python {platform.python_version()} ({sys.executable}), "
        f"rankhammer {rankhammer.__version__}, {packages}"
    )
