"""The limit of file sizes that a shell or service sets (`ulimit -f`): writing beyond it fails as on a full disk."""

from __future__ import annotations

import errno
import re
import resource
from typing import TYPE_CHECKING

from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_BYTES = 4 << 20
"""A smaller limit ends each run: Spark unpacks libraries of some megabytes."""
_HINT = "Raise it where runs are started: `ulimit -f unlimited` in a shell, LimitFSIZE=infinity in a service."
_FROM_IT = re.compile(r"^.*(?:File too large|UnsatisfiedLinkError|Could not initialize class).*$", re.MULTILINE)
"""What Java says where it could not write a file, or a library that it unpacks."""


def limit() -> int | None:
    """Return the largest size of a file, bytes; None where there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if soft == resource.RLIM_INFINITY else soft


def require_large_files() -> None:
    """Refuse to begin a run that cannot end.

    Raises:
        ConfigError: No file may be as large as `LEAST_BYTES`.
    """
    found = limit()
    if found is not None and found < LEAST_BYTES:
        raise ConfigError(
            f"No file may be larger than {_shown(found)} here (`ulimit -f`), and runs need {_shown(LEAST_BYTES)}.",
            hint=_HINT,
            limit=found,
        )


def too_large(chain: Sequence[BaseException]) -> ConfigError | None:
    """Say that a file met the limit, where one is set.

    Args:
        chain: An error, and what it was raised from.
    """
    found = limit()
    for error in chain if found is not None else ():
        is_of_python = isinstance(error, OSError) and error.errno == errno.EFBIG
        is_of_java = type(error).__module__.partition(".")[0] in ("py4j", "pyspark")
        line = _FROM_IT.search(str(error)) if is_of_java else None
        if is_of_python or line:
            what = str(error) if is_of_python or line is None else line[0].strip().removeprefix("Caused by: ")
            return ConfigError(
                f"No file may be larger than {_shown(found or 0)} here (`ulimit -f`), and one had to be: {what[:300]}",
                hint=f"{_HINT} `kedro run --only-missing-outputs` continues with what is finished.",
                limit=found,
            )
    return None


def _shown(n_bytes: int) -> str:
    return f"{n_bytes / (1 << 20):,.0f} MiB" if n_bytes >= 1 << 20 else f"{n_bytes / 1024:,.0f} KiB"
