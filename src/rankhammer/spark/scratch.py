"""Where Spark on this machine keeps what it sorts and shuffles, so that a killed JVM's is found and removed.

Spark names its folders at random, and removes them when it ends; whoever kills it leaves gigabytes that no later run
knows of. Here they stand in a folder that is named by its process:

    <temporary folder>/rankhammer-<user>/<pid>-<when it started>/blockmgr-..., spark-...
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL_DIR = "spark.local.dir"
_OWNED = re.compile(r"(\d+)-(\d*)")


def settings(given: Mapping[str, str]) -> dict[str, str]:
    """Return where a session on this machine keeps its scratch files, and remove those of processes that are gone.

    Args:
        given: Flat Spark keys; what `spark.local.dir` names is where the folders are made.

    Returns:
        `spark.local.dir`; nothing on a cluster, or where the variable SPARK_LOCAL_DIRS is set, which wins.
    """
    if not given.get("spark.master", "local[*]").startswith("local") or os.environ.get("SPARK_LOCAL_DIRS"):
        return {}
    roots = [path.strip() for path in given.get(LOCAL_DIR, "").split(",") if path.strip()] or [tempfile.gettempdir()]
    ours = [Path(root, f"rankhammer-{_user()}") for root in roots]
    for folder in ours:
        remove_left(folder)
    own = f"{os.getpid()}-{processes.started(os.getpid())}"
    return {LOCAL_DIR: ",".join(str(folder / own) for folder in ours)}


def remove_left(folder: Path) -> None:
    """Remove the folders of processes that are gone; one that cannot be removed is left for the next start.

    Args:
        folder: Holds a folder for each process, named by its number and when it started.
    """
    for place in folder.glob("*-*"):
        owner = _OWNED.fullmatch(place.name)
        if owner and not place.is_symlink() and not processes.is_alive(int(owner[1]), owner[2]):
            shutil.rmtree(place, ignore_errors=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
