"""The daemon of Python workers, which also writes down each process that it starts; see `spark_counts`.

Each line of the file that RANKHAMMER_PYTHON_STARTS names is the time of one start, in seconds since 1970.
"""

from __future__ import annotations

import os
import time

from rankhammer.spark import worker_daemon

_fork = os.fork


def _counted() -> int:
    """Fork, and let the process that continues write it down; one short line is written whole."""
    found = _fork()
    if found:
        with open(os.environ["RANKHAMMER_PYTHON_STARTS"], "a") as starts:
            starts.write(f"{time.time()}\n")
    return found


if __name__ == "__main__":
    os.fork = _counted
    worker_daemon.main()
