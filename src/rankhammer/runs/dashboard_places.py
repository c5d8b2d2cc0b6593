"""Where an environment's results are, for processes that know neither Kedro nor its configuration."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard import declared, server
from rankhammer.dashboard.declared import PREFIX
from rankhammer.dashboard.mirror import Mirror, is_remote
from rankhammer.dashboard.results import ANY, EXPERIMENT_METRICS, HISTORY, MODEL_SWEEPS, NAMES, TABLES, Results
from rankhammer.digests import hex_digest
from rankhammer.errors import ConfigError
from rankhammer.runs import run_selection
from rankhammer.runs.execute import find_runs, open_to_print
from rankhammer.runs.optional_settings import optional
from rankhammer.sql_tables.settings import read_settings
from rankhammer.storage.base import local_path

if TYPE_CHECKING:
    from collections.abc import Mapping

_REPORT_MEMORY_MB = 1024
"""Of a process that ends with its file: it need not be small."""


@dataclass(frozen=True)
class EnvironmentResults:
    """Where an environment's results are.

    Args:
        places: Dataset to its path or URI, with `ANY` for a run's id where runs have folders.
        environment: Its name.
        declared: Fields of `dashboard.declared.DeclaredPage`, of each table of tables.yml.
    """

    places: dict[str, str]
    environment: str
    declared: list[dict[str, Any]] = field(default_factory=list)


def result_places(env: str | None) -> EnvironmentResults:
    """Read the catalog, and tables.yml.

    Args:
        env: Kedro environment; None for the default one.

    Raises:
        ConfigError: The catalog has no history.
    """
    session = open_to_print({"env": env, "conf_source": None, "params": {run_selection.RUN: ANY}})
    with session:
        context = session.load_context()
        found: Mapping[str, Any] = context.config_loader["catalog"]
        places = {name: _path(context.project_path, found[name]) for name in NAMES if name in found}
        if HISTORY not in places:
            raise ConfigError(
                f"The catalog has no entry {HISTORY!r}.", hint="conf/base/catalog has one; write it there again."
            )
        places[MODEL_SWEEPS] = f"{places[HISTORY].rstrip('/').rpartition('/')[0]}/{MODEL_SWEEPS}.json"
        # A project's catalog may be older than experiments.
        places.setdefault(EXPERIMENT_METRICS, f"{places[HISTORY].rstrip('/')}_experiments.json")
        tables = read_settings(optional(context.config_loader, "tables"))
        for name, table in tables.declared.items():
            places[f"{PREFIX}{name}"] = _path(context.project_path, {"filepath": table.path.rstrip("/")})
        return EnvironmentResults(places, str(context.env or "local"), declared.pages(tables))


def _path(project: Any, entry: Mapping[str, Any]) -> str:
    path = local_path(str(entry["filepath"]))
    return path if "://" in path or path.startswith("/") else f"{project}/{path}"


def serve(
    found: EnvironmentResults, access_file: str, binding: Mapping[str, Any], *, every_s: float, table_memory_mb: int
) -> int:
    """Serve pages until the process is settings to end.

    Args:
        found: What `result_places` returned.
        access_file: Has the hash of the token.
        binding: Fields of `dashboard.headers.Binding`.
        every_s: Seconds between copies, where results are on another filesystem.
        table_memory_mb: What one question to a table may take.

    Returns:
        The server's exit code; where all results are on this machine, its process takes this one's place instead.
    """
    places = found.places
    own: dict[str, Any] = {"declared": found.declared, "table_memory_mb": table_memory_mb}
    if not is_remote(places):
        settings = server.Served(places, access_file, binding, found.environment, **own)
        # This process has read the project and is large; the one that takes its place is small.
        os.execve(sys.executable, server.start(settings), server.surroundings())
    from rankhammer.dashboard.keeper import keep

    mirror = _mirror(places)
    copied = mirror.folder / "copied"
    source = places[HISTORY].partition(ANY)[0]
    own |= {"source": source, "copied_file": str(copied)}
    settings = server.Served(mirror.local_places, access_file, binding, found.environment, **own)
    return keep(mirror, settings, copied, every_s=every_s)


def _mirror(places: Mapping[str, str]) -> Mirror:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "rankhammer" / "dashboard" / hex_digest(repr(sorted(places.items())), 16)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Mirror(places, folder)


def report_of_run(env: str | None, run: str) -> str:
    """Write the pages of a run as one HTML file.

    Args:
        env: Kedro environment; None for the default one.
        run: Number, id, beginning of an id, or `last`.

    Raises:
        DataError: There is no such run.
    """
    from rankhammer.dashboard.self_contained import report
    from rankhammer.dashboard.tables import Tables

    number = int(find_runs(env, [run])[0]["number"])
    found = result_places(env)
    places = found.places
    if is_remote(places):
        mirror = _mirror(places)
        mirror.copy()
        places = mirror.local_places
    tables = Tables([places[name] for name in TABLES if name in places], _REPORT_MEMORY_MB)
    return report(Results(places), tables, number, environment=found.environment)
