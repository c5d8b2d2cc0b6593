"""The class-data archive from which the JVMs of a run on YARN map Spark's classes; see `class_archive`.

A JVM takes an archive where the first entries of its class path are the jars that the archive was made with, by the
same relative names. YARN puts the container's folder first, so the jars are named one by one before it, in the folder
that Spark unpacks its own archive to. A node with another build of Java than this machine's does without, in silence.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.digests import hex_digest
from rankhammer.errors import ClusterError
from rankhammer.spark import class_archive, class_archive_build, java
from rankhammer.yarn.environment import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rankhammer.yarn.uploads import UploadTarget

FILE = "spark.jsa"
"""Name of the archive in a container's folder."""
LIBRARIES = "__spark_libs__"
"""Spark's name of the folder that it unpacks `spark.yarn.archive` to."""
CLASS_PATHS = ("spark.executor.extraClassPath", "spark.driver.extraClassPath")
OPTIONS = f"-XX:SharedArchiveFile={FILE} -Xshare:auto -Xlog:cds*=off"
_FIRST = "slf4j-api-"
"""Jar that Spark itself puts before the others."""


def class_path(jars: Sequence[Path]) -> str:
    """Return the jars as containers see them, in one order.

    Args:
        jars: Spark's.
    """
    names = sorted((jar.name for jar in jars), key=lambda name: (not name.startswith(_FIRST), name))
    return ":".join(f"{LIBRARIES}/{name}" for name in names)


def put(jars: Sequence[Path], listed: str, uploads: UploadTarget, on_progress: Callable[[str], None]) -> str | None:
    """Put the archive on the cluster, made where it is not there.

    Args:
        jars: Spark's, as they travel.
        listed: Their names and sizes.
        uploads: Where it is put.
        on_progress: Called with a line for each step that takes time.

    Returns:
        Its URI; None where this machine cannot make one, which is said.
    """
    chosen = java.provide()
    key = hex_digest(f"{chosen.build}\0{listed}", 16)
    try:
        return uploads.put_made(
            f"spark-{key}.jsa", lambda: _make(jars, cache_folder() / "spark" / f"{key}.jsa", on_progress)
        )
    except ClusterError as error:
        on_progress(f"Containers start without a class-data archive: {error.message}")
        return None


def _make(jars: Sequence[Path], file: Path, on_progress: Callable[[str], None]) -> Path:
    """Run the workload on copies of the jars that have no time: YARN gives them another one when it unpacks them."""
    if not class_archive.look(file):
        return file
    on_progress("Making an archive of Spark's classes for the nodes (a minute, once)")
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=file.parent) as folder:
        place = Path(folder)
        (place / LIBRARIES).mkdir()
        for jar in jars:
            copy = Path(shutil.copy(jar, place / LIBRARIES))
            os.utime(copy, (0, 0))
        chosen = java.provide()
        class_archive_build.train(chosen, place / FILE, None, place, class_path=class_path(jars))
        (place / FILE).replace(file)
    class_archive.record(file, java=chosen.build, n_jars=len(jars))
    return file
