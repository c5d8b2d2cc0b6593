"""Reads the logs of online tests: CSV, JSON lines or Parquet, only the columns that are needed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ConfigError, DataError, did_you_mean
from rankhammer.evaluation.online_tests import Arms, Interleaved

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

_LARGEST = 1e100
_MOST_NAMES = 10
_READ_AS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "json", ".ndjson": "json", ".json": "json"}


def interleaved_log(path: str, *, clicks_a: str, clicks_b: str, unit: str) -> Interleaved:
    """Read the log of an interleaving test, one row per search.

    Args:
        path: A file, or a folder of files of one kind.
        clicks_a: Column with the clicks on documents of A.
        clicks_b: The same of B.
        unit: Column with the user, session or search that is drawn as a whole.

    Raises:
        ConfigError: There is no such file, its kind is unknown, it has no such column, or one is named twice.
        DataError: It cannot be read, has no rows, or a value is missing.
    """
    _require_different({"clicks of A": clicks_a, "clicks of B": clicks_b, "unit": unit})
    table = _read(path, (clicks_a, clicks_b, unit))
    return Interleaved(_numbers(table, clicks_a), _numbers(table, clicks_b), _texts(table, unit))


def ab_log(
    path: str, *, variant: str, value: str, unit: str, arms: tuple[str, str], left_out: Collection[str] = ()
) -> Arms:
    """Read the log of an A/B test, one row per observation.

    Args:
        path: A file, or a folder of files of one kind.
        variant: Column that says which arm a row is of.
        value: Column with what is compared.
        unit: Column with the user, session or search that was assigned.
        arms: Values of `variant` of A and B.
        left_out: Other values of `variant`, whose rows are not looked at.

    Raises:
        ConfigError: As for `interleaved_log`; no row is of an arm or of one that is left out, one is named twice, or
            rows are of others.
        DataError: As for `interleaved_log`.
    """
    _require_different({"variant": variant, "value": value, "unit": unit})
    _require_different({"A": arms[0], "B": arms[1]} | {f"left out ({name})": name for name in left_out}, what="variant")
    table = _read(path, (variant, value, unit))
    found = _texts(table, variant)
    for arm in (*arms, *left_out):
        if not (found == arm).any():
            known = np.unique(found).tolist()
            raise ConfigError(f"No row has {variant} = {arm!r}.", hint=did_you_mean(arm, known), path=path)
    kept = np.isin(found, arms)
    _require_no_others(found[~kept], arms, left_out, path)
    return Arms(found[kept] == arms[1], _numbers(table, value)[kept], _texts(table, unit)[kept])


def _require_different(names: Mapping[str, str], *, what: str = "column") -> None:
    """Refuse one name for two things: a comparison of something with itself would find no difference."""
    for role, name in names.items():
        others = [other for other in names if other != role and names[other] == name]
        if others:
            raise ConfigError(
                f"The {what} {name!r} is named for {role} and for {others[0]}.",
                hint=f"Name another {what} for one of them.",
            )


def _require_no_others(rest: NDArray[Any], arms: tuple[str, str], left_out: Collection[str], path: str) -> None:
    """Refuse a log with a variant that nobody has named: a third arm is not dropped without a word."""
    names, counts = np.unique(rest, return_counts=True)
    others = {name: int(n) for name, n in zip(names.tolist(), counts, strict=True) if name not in left_out}
    if others:
        shown = ", ".join(f"{name} ({n:,} rows)" for name, n in list(others.items())[:_MOST_NAMES])
        flags = " ".join(f"--leave-out {shlex.quote(name)}" for name in list(others)[:_MOST_NAMES])
        raise ConfigError(
            f"The log has other variants than {arms[0]!r} and {arms[1]!r}: {shown}.",
            hint=f"Two variants are compared: name them by --a and --b, and the others by {flags}.",
            path=path,
        )


def _read(path: str, columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import dataset

    files = _files(path)
    kind = _READ_AS.get(files[0].suffix.lower())
    if kind is None:
        raise ConfigError(
            f"{files[0].name} is of no kind that can be read: {', '.join(_READ_AS)}.",
            hint="Write the log as CSV, JSON lines or Parquet.",
            path=path,
        )
    try:
        found = dataset.dataset([str(file) for file in files], format=kind)
        for name in columns:
            if name not in found.schema.names:
                hint = did_you_mean(name, found.schema.names)
                raise ConfigError(f"The log has no column {name!r}.", hint=hint, path=path)
        table = found.to_table(columns=list(dict.fromkeys(columns)))
    except (pa.ArrowException, OSError) as exc:
        raise DataError(
            f"{path} cannot be read as {kind}: {str(exc).splitlines()[0]}", hint="Look at its first lines.", path=path
        ) from exc
    if not len(table):
        raise DataError(f"{path} has no rows.", hint="Give the log of the test.", path=path)
    for name in columns:
        if table[name].null_count:
            raise DataError(
                f"{table[name].null_count} of {len(table)} rows have no {name}.",
                hint="Write 0 where there was no click, and leave rows without a unit or variant out.",
                path=path,
            )
    return table


def _files(path: str) -> list[Path]:
    place = Path(path)
    shown = (one for one in place.iterdir() if one.is_file()) if place.is_dir() else (one for one in [place])
    files = sorted(file for file in shown if file.is_file() and not file.name.startswith(("_", ".")))
    if not files:
        raise ConfigError(f"There is no log at {path}.", hint="Name a file, or a folder of files.", path=path)
    return files


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    import pyarrow as pa

    try:
        values: NDArray[np.float64] = table[name].cast(pa.float64()).to_numpy()
    except pa.ArrowException as exc:
        raise DataError(
            f"Column {name!r} holds values that are no numbers: {str(exc).splitlines()[0]}",
            hint="Name a column of numbers; true and false count as 1 and 0.",
        ) from exc
    # Their sum and the sum of their squares have to be numbers, too.
    wrong = values[~(np.abs(values) < _LARGEST)]
    if len(wrong):
        raise DataError(
            f"Column {name!r} holds {wrong[0]:g}: values have to be numbers between -1e100 and 1e100.",
            hint="Leave such rows out, or correct them.",
        )
    return values


def _texts(table: pa.Table, name: str) -> NDArray[Any]:
    import pyarrow as pa

    try:
        return np.asarray(table[name].cast(pa.string()).to_numpy(zero_copy_only=False)).astype(str)
    except (pa.ArrowException, UnicodeDecodeError) as exc:
        raise DataError(f"Column {name!r} is no text in UTF-8.", hint="Write the log in UTF-8.") from exc
