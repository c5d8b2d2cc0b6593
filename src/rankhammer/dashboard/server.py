"""The process that serves pages: small, because it opens no Spark, no Kedro, and no library of tables but DuckDB."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.headers import Binding
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.dashboard.site import Site

_UNWANTED = ("numpy", "pandas", "pyarrow", "pyspark")
"""DuckDB imports the first three to look for values of theirs when rows are fetched: 85 MB that nothing here uses."""
_MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}


@dataclass(frozen=True)
class Served:
    """What the process has to know.

    Args:
        places: Dataset to its path on this machine; see `results.Results`.
        access_file: Has the hash of the token.
        binding: Fields of `headers.Binding`.
        environment: Name of the environment.
        source: What results are copied from; None where they are read where they are.
        copied_file: Is touched at each copy.
        declared: Fields of `declared.DeclaredPage`, of each table that a job of the project's own writes.
        table_memory_mb: What one question to a table may take.
    """

    places: Mapping[str, str]
    access_file: str
    binding: Mapping[str, Any] = field(default_factory=dict)
    environment: str = ""
    source: str | None = None
    copied_file: str | None = None
    declared: Sequence[Mapping[str, Any]] = ()
    table_memory_mb: int = 48


def start(settings: Served) -> list[str]:
    """Return the command line that serves; its settings are in a file that is open, and whose name is gone.

    They hold paths only, but a command line is everybody's to read.
    """
    descriptor = os.memfd_create("dashboard") if hasattr(os, "memfd_create") else _unnamed()
    os.write(descriptor, json.dumps(asdict(settings)).encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(descriptor, True)
    return [sys.executable, "-m", "rankhammer.dashboard", str(descriptor)]


def _unnamed() -> int:
    import tempfile

    descriptor, name = tempfile.mkstemp()
    Path(name).unlink()
    return descriptor


def surroundings() -> dict[str, str]:
    """Return the environment of the process that serves: without what only runs need, keys of clouds among it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SPARK_", "HADOOP_"))}
    return {**kept, **_MALLOC}


def read(descriptor: int) -> Served:
    """Read the settings that `start` left."""
    with os.fdopen(descriptor, "rb") as file:
        return Served(**json.load(file))


def leave_out_large_libraries() -> None:
    """Let imports of libraries that this process never uses fail at once."""
    for name in _UNWANTED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def make_site(settings: Served) -> Site:
    """Open the results and the token's file.

    Args:
        settings: What the process has to know.
    """
    from rankhammer.dashboard.access import open_access
    from rankhammer.dashboard.declared import PREFIX, DeclaredPage
    from rankhammer.dashboard.results import TABLES, Results
    from rankhammer.dashboard.site import Site
    from rankhammer.dashboard.tables import Tables

    access, _ = open_access(Path(settings.access_file))
    own = [DeclaredPage(**dict(page)) for page in settings.declared]
    asked = [*TABLES, *(f"{PREFIX}{page.name}" for page in own)]
    tables = Tables([settings.places[name] for name in asked if name in settings.places], settings.table_memory_mb)
    binding = Binding(**{**settings.binding, "names": tuple(settings.binding.get("names", ()))})
    site = Site(
        Results(settings.places),
        tables,
        access,
        binding,
        environment=settings.environment,
        source=settings.source,
        declared={page.name: page for page in own},
    )
    if settings.copied_file:
        site.copied = lambda: _age(Path(settings.copied_file or ""))
    return site


def _age(file: Path) -> str:
    import time

    try:
        return f"{max(0.0, time.time() - file.stat().st_mtime):.0f} seconds ago"
    except OSError:
        return "never yet"


def serve(site: Site, *, announce: Any = None) -> None:
    """Serve until the process is asked to end.

    Args:
        site: What is shown.
        announce: Called with the address once it listens.

    Raises:
        ConfigError: The port is taken, or the address is not this machine's.
    """
    import uvicorn

    from rankhammer.dashboard.app import make_app

    binding = site.binding
    with closing(_listen(binding)) as listening:
        config = uvicorn.Config(
            make_app(site),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            timeout_keep_alive=15,
            limit_concurrency=200,
            ssl_certfile=binding.tls_cert,
            ssl_keyfile=binding.tls_key,
        )
        if announce is not None:
            announce(address(binding, listening.getsockname()[1]))
        uvicorn.Server(config).run(sockets=[listening])


def _listen(binding: Binding) -> socket.socket:
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((binding.host, binding.port))
    except (OSError, OverflowError) as exc:
        listening.close()
        raise ConfigError(
            f"{binding.host} port {binding.port} cannot be listened on: {exc}.", hint="Name another with --port."
        ) from exc
    listening.listen(128)
    return listening


def address(binding: Binding, port: int) -> str:
    """Return the address that a browser opens."""
    host = binding.names[0] if binding.names and not binding.is_loopback else binding.host
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if binding.tls_cert else 'http'}://{shown}:{port}/"
