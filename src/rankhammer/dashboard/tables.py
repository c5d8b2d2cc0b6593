"""Questions to the tables of a run: fixed statements over DuckDB, which opens no file but the results'."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.results import ANY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rankhammer.dashboard.results import TableFiles

MOST_TRIALS = 5000
MEMORY_MB = 48
_MOST_ANSWERS = 128
_DIFFERENCES = """
WITH measured AS (
    SELECT query,
        max(value) FILTER (WHERE system = 'ranker') AS ranker,
        max(value) FILTER (WHERE system = $against) AS other
    FROM read_parquet($files)
    WHERE corpus = $corpus AND metric = $metric AND truth = $truth AND system IN ('ranker', $against)
    GROUP BY query
), compared AS MATERIALIZED (
    SELECT query, ranker, other, ranker - other AS difference FROM measured WHERE ranker - other IS NOT NULL
)
"""
STATEMENTS = {
    "differences": _DIFFERENCES
    + """(SELECT 'gain' AS kind, * FROM compared WHERE difference > 0 ORDER BY difference DESC, query LIMIT $n)
        UNION ALL
        (SELECT 'loss' AS kind, * FROM compared WHERE difference < 0 ORDER BY difference, query LIMIT $n)
        UNION ALL
        (SELECT 'counts' AS kind, NULL, count(*) FILTER (WHERE difference > 0), count(*) FILTER (WHERE difference < 0),
            count(*) FROM compared)""",
    "values": """SELECT metric, truth, system, max(value) AS value FROM read_parquet($files)
        WHERE corpus = $corpus AND query = $query GROUP BY ALL ORDER BY ALL LIMIT 500""",
    "found": """SELECT DISTINCT query FROM read_parquet($files)
        WHERE corpus = $corpus AND metric = $metric AND truth = $truth AND system = 'ranker'
        AND contains(lower(query), lower($part)) ORDER BY query LIMIT $n""",
    "trials": f"""SELECT corpus, ranker, trial, loss, status, params, duration_s, chosen, error, standard_error
        FROM read_parquet($files) ORDER BY corpus, ranker, trial LIMIT {MOST_TRIALS}""",
}
"""All that is ever asked. What stands for `$name` is a value, never a part of the statement."""


@dataclass
class Tables:
    """One connection that can read the results' folders and nothing else.

    Args:
        folders: Paths, or patterns with `ANY`; what is below them can be read.
        memory_mb: What one question may take. Rows are read in blocks: what counts is the number of test queries
            of a corpus, and 48 MB do for a million.
        n_threads: Threads of one question; questions wait for each other. A second one takes memory and saves no time.
    """

    folders: Iterable[str]
    memory_mb: int = MEMORY_MB
    n_threads: int = 1
    _answers: OrderedDict[tuple[Any, ...], list[dict[str, Any]]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Open it, and lock it: no other file, no network, no extension, and no setting can be changed back."""
        import duckdb

        settings: dict[str, Any] = {
            "threads": self.n_threads,
            "memory_limit": f"{self.memory_mb}MB",
            "python_enable_replacements": False,
        }
        self._connection = duckdb.connect(":memory:", config={**settings, "autoload_known_extensions": False})
        self._connection.execute("SET allowed_directories = $folders", {"folders": sorted(map(_root, self.folders))})
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def ask(self, name: str, table: TableFiles, **values: Any) -> list[dict[str, Any]]:
        """Return the rows that answer a question; a second time they come from memory, until the table changes.

        Args:
            name: One of `STATEMENTS`.
            table: A finished table.
            values: For the statement's `$names`.

        Raises:
            duckdb.Error: The files are not as the statement needs them: another schema, or damaged.
        """
        sound = {key: _sound(value) for key, value in values.items()}
        key = (name, table.stamp, *sorted(sound.items()))
        return self._kept(key, STATEMENTS[name], {"files": list(table.files), **sound})

    def read(self, statement: str, table: TableFiles) -> list[dict[str, Any]]:
        """Return the rows of a statement that reads `$files`; a second time from memory, until the table changes.

        Args:
            statement: Of this program's own making: no part of it comes from a request.
            table: A finished table.

        Raises:
            duckdb.Error: The files are not as the statement needs them.
        """
        return self._kept((statement, table.stamp), statement, {"files": list(table.files)})

    def _kept(self, key: tuple[Any, ...], statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self._lock:
            if key not in self._answers:
                self._answers[key] = self._run(statement, values)
                if len(self._answers) > _MOST_ANSWERS:
                    self._answers.popitem(last=False)
            self._answers.move_to_end(key)
            return self._answers[key]

    def _run(self, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        if not values["files"]:
            return []
        found = self._connection.execute(statement, values)
        names: Sequence[str] = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _sound(value: Any) -> Any:
    """Return a value that DuckDB takes: no text of a table has half of a character."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _root(folder: str) -> str:
    """Return the part of a pattern that holds all that it finds."""
    before, is_pattern, _ = folder.partition(ANY)
    return before.rpartition("/")[0] + "/" if is_pattern else folder.rstrip("/") + "/"
