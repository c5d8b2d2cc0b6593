"""A log in one folder a day: `{date}` in its path, and each day read and compared by itself."""

from __future__ import annotations

import re
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Any

from rankhammer.datasets.file_reading import FilesReader
from rankhammer.digests import hex_digest
from rankhammer.errors import ConfigError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.datasets.input_files import InputFile

_FIELD = re.compile(r"\{date(?::([^{}]*))?\}")
_ISO = "%Y-%m-%d"
_PARTS = {"%Y": r"\d{4}", "%m": r"\d{2}", "%d": r"\d{2}"}


class DayTemplate:
    """A path with `{date}`, which stands for a day as 2024-05-01, or `{date:%Y/%m/%d}` in a form of its own.

    Args:
        path: Has the field once.

    Raises:
        ConfigError: The field is there twice, or its form has not %Y, %m and %d once each and no other code.
    """

    def __init__(self, path: str) -> None:
        fields = _FIELD.findall(path)
        self._form = fields[0] or _ISO
        codes = re.findall(r"%.?", self._form)
        if len(fields) != 1 or sorted(codes) != sorted(_PARTS):
            raise ConfigError(
                f"Path {path} has to hold one day: {{date}}, or a form of %Y, %m and %d such as {{date:%Y/%m/%d}}.",
                hint="Correct click_log.path in conf/<env>/globals.yml.",
                path=path,
            )
        before, _, after = path.partition(_FIELD.search(path).group())  # type: ignore[union-attr]
        self._before, self._after = before, after.rstrip("/")

    @property
    def pattern(self) -> str:
        """The pattern that the folders of all days match."""
        digits = {code: "[0-9]" * (4 if code == "%Y" else 2) for code in _PARTS}
        return self._before + _replaced(self._form, digits) + self._after

    def day_of(self, root: str) -> date | None:
        """Return the day of a folder; None where its name is no day, as 2024-02-30."""
        # Roots may be absolute where the path is relative: what stands before and behind the day is known to match.
        depth = self._after.count("/") + self._form.count("/")
        tail = "/".join(root.rsplit("/", depth + 1)[1:])
        last = self._before.rpartition("/")[2]
        groups = {code: f"(?P<{code[1]}>{digits})" for code, digits in _PARTS.items()}
        form = _replaced(re.escape(self._form).replace("\\%", "%"), groups)
        found = re.match(_of_pattern(last) + form + _of_pattern(self._after) + "$", tail)
        if found is None:
            return None
        try:
            return date(int(found["Y"]), int(found["m"]), int(found["d"]))
        except ValueError:
            return None


def is_daily(path: str | None) -> bool:
    """Tell whether a path has a place for a day."""
    return path is not None and _FIELD.search(path) is not None


def _replaced(form: str, parts: Mapping[str, str]) -> str:
    return re.sub("%[Ymd]", lambda code: parts[code.group()], form)


def _of_pattern(text: str) -> str:
    """Turn a part of a path with * and ? into a regular expression."""
    return re.escape(text).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")


class DailyLog:
    """The days of a log.

    Args:
        path: With a place for a day.
        files: Of all days.
        file_format: Spark's name of their format.
        load_args: Reader options.

    Raises:
        ConfigError: A folder's name is no day.
    """

    def __init__(self, path: str, files: Sequence[InputFile], file_format: str, load_args: Mapping[str, Any]) -> None:
        self._path, self._format, self._load_args = path, file_format, load_args
        self._files: dict[date, list[InputFile]] = {}
        template = DayTemplate(path)
        for file in files:
            day = template.day_of(file.root)
            if day is None:
                raise ConfigError(
                    f"Input {file.root} is of no day: {path} says how its name tells one.",
                    hint="Rename it, move it away, or correct click_log.path in conf/<env>/globals.yml.",
                    path=file.root,
                )
            self._files.setdefault(day, []).append(file)
        self._readers: dict[date, FilesReader] = {}
        self._stamps: dict[date, str] = {}

    @property
    def days(self) -> list[date]:
        """The days that have files, in order."""
        return sorted(self._files)

    def stamp(self, day: date) -> str:
        """Return a text that changes when a day's files do; empty where it has none."""
        if day not in self._stamps:
            files = self._files.get(day, ())
            found = "\n".join(f"{file.name or file.base_name}={file.storage.stamp(file.path)}" for file in files)
            self._stamps[day] = hex_digest(found) if found else ""
        return self._stamps[day]

    def read(self, days: Iterable[date], *, received: str | None = None) -> DataFrame:
        """Return the rows of some days, lazily.

        Args:
            days: Those without files are passed over; at least one has some.
            received: Column to fill with the day of each row's folder.

        Raises:
            SchemaError: A column has one type on one day and another on the next.
        """
        tables = {day: self._of_day(day, received) for day in days if day in self._files}
        self._require_same_types(tables)
        return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), tables.values())

    def whole(self) -> DataFrame:
        """Return the rows of all days."""
        return self.read(self.days)

    def _of_day(self, day: date, received: str | None) -> DataFrame:
        from pyspark.sql import functions as F

        if day not in self._readers:
            files = self._files[day]
            self._readers[day] = FilesReader(files[0].root, files, self._format, self._load_args, keeps_unparsed=True)
        table = self._readers[day].read()
        return table if received is None else table.withColumn(received, F.lit(f"{day}T00:00:00Z"))

    def _require_same_types(self, tables: Mapping[date, DataFrame]) -> None:
        first: dict[str, tuple[date, str]] = {}
        for day, table in tables.items():
            for name, kind in table.dtypes:
                other, known = first.setdefault(name.casefold(), (day, kind))
                if known != kind:
                    raise SchemaError(
                        f"Column {name!r} of {self._path} is {known} on {other} and {kind} on {day}.",
                        hint="Write it with one type on all days.",
                        column=name,
                    )
