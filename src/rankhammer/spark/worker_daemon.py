"""The process that forks Spark's Python workers, with what every worker imports imported once.

Spark's own daemon lets each worker import NumPy, pyarrow, pandas and the rest of pyspark again, because a library might
start threads, and a fork takes none along. These start none where OMP_NUM_THREADS is 1; Spark sets that to the cores
of a task; where there is a thread anyway, Spark's own daemon takes over.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MODULES = ("pyspark.daemon", "pyspark.worker", "pyarrow.compute", "pandas", "pyspark.sql.functions")
"""What the first task of a worker imports, whatever it computes."""
KEY = "spark.python.daemon.module"
_THREADS = Path("/proc/self/task")


def settings(master: str) -> dict[str, str]:
    """Return the Spark settings that make Spark start this.

    Args:
        master: Of the session; on a cluster whoever sends the code there says so.
    """
    return {KEY: "rankhammer.spark.worker_daemon"} if master.startswith("local") else {}


def main(more: Sequence[str] = ()) -> None:
    """Import, then fork a worker whenever Spark asks for one.

    Args:
        more: Names of modules that are imported, too; none of them may start a thread.
    """
    if _THREADS.exists():
        sys.path[:] = installed_first(sys.path)
        import_early(more)
        if n_threads() == 1:
            import_module("pyspark.daemon").manager()
    os.execv(sys.executable, [sys.executable, "-m", "pyspark.daemon", *sys.argv[1:]])


def installed_first(path: Sequence[str]) -> list[str]:
    """Put Spark's archives of its Python code behind the folder that the same code is installed in.

    Spark puts them first. Python keeps no compiled code of an archive, so that each run would compile all of it again.

    Args:
        path: Where Python looks for modules.
    """
    folders = {Path(entry) for entry in path}
    behind = {entry for entry in path if entry.endswith(".zip") and _installed(Path(entry).parent) in folders}
    return [entry for entry in path if entry not in behind] + [entry for entry in path if entry in behind]


def _installed(archives: Path) -> Path | None:
    """Return the folder that a folder of archives was installed into with pyspark; None for those of another Spark."""
    return archives.parents[2] if archives.parts[-3:] == ("pyspark", "python", "lib") else None


def import_early(more: Sequence[str] = ()) -> None:
    """Import what every worker needs, and keep it out of the garbage that each collects after each task.

    Args:
        more: Names of further modules.
    """
    # The one thread that importing pyarrow starts: of an allocator that it does not use by default.
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    for name in (*MODULES, *more):
        import_module(name)
    gc.collect()
    gc.freeze()


def n_threads() -> int:
    """Return how many threads this process has, those of libraries included."""
    return len(list(_THREADS.iterdir()))


if __name__ == "__main__":
    main()
