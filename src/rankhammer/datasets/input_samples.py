"""First rows and columns of an input's files, read without Spark: footers, headers, and a bounded part of the rows."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from rankhammer.datasets import file_kinds
from rankhammer.datasets.csv_headers import doubles_quotes, group_by_header
from rankhammer.datasets.file_kinds import ReaderOptions
from rankhammer.datasets.json_types import json_schema
from rankhammer.datasets.text_samples import WHOLE_UP_TO, sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow.parquet as pq
    from pyspark.sql.types import StructType

    from rankhammer.datasets.input_files import InputFile

MAX_FILES = 32
"""Files of an input of which columns are looked at, evenly spread; rows come from the first of them."""
MAX_ROWS = 20_000
"""Rows that are looked at of all files together."""
MAX_SCANNED_BYTES = 1 << 25
"""Text files of an input that are read to their ends for the values of one column, all together: half a second."""
_BATCH, _BUFFER = 4096, 1 << 16
FORMATS = frozenset({"parquet", "csv", "json"})
"""Formats that can be looked at here; of others Spark alone knows the columns."""


@dataclass(frozen=True)
class InputSample:
    """What was seen of an input.

    Args:
        schema: Its own columns with Spark's types; each column of a CSV is a string.
        rows: At most `MAX_ROWS`, column by own name to value; a struct is a dict.
        is_whole: Whether every row was seen.
        unseen: Files in which there may be columns that were not seen: JSON of which only parts were looked at.
    """

    schema: StructType
    rows: Sequence[Mapping[str, Any]]
    is_whole: bool
    unseen: Sequence[InputFile] = ()

    def values(self, path: str) -> list[Any]:
        """Return a column's values, without null.

        Args:
            path: Own name; a dot steps into a struct.
        """
        found = (value_at(row, path) for row in self.rows)
        return [value for value in found if value is not None]

    def lacks(self, column: str) -> bool:
        """Say whether a column is certainly not there; of large JSON files nothing is certain.

        Args:
            column: Own name; of a path into structs the first part counts.
        """
        head = column.partition(".")[0]
        if column in self.schema.names or head in self.schema.names:
            return False
        if sum(file.size for file in self.unseen) > MAX_SCANNED_BYTES:
            return False
        keys = {json.dumps(head).encode(), json.dumps(head, ensure_ascii=False).encode()}
        return not any(key in file.read(0, file.size) for file in self.unseen for key in keys)


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """Return a row's value of a column; None where there is none.

    Args:
        row: Column to value.
        path: Own name; a dot steps into a struct.
    """
    if path in row:
        return row[path]
    head, _, rest = path.partition(".")
    inner = row.get(head)
    return value_at(inner, rest) if rest and isinstance(inner, dict) else None


def read_sample(
    files: Sequence[InputFile], file_format: str, load_args: Mapping[str, Any], *, max_rows: int = MAX_ROWS
) -> InputSample | None:
    """Look at some files of an input.

    Args:
        files: Of the input, each one checked by `file_checks`.
        file_format: Spark's name of their format.
        load_args: Reader options.
        max_rows: Rows of all files together, at most.

    Returns:
        None where only Spark can read them.

    Raises:
        SchemaError: The header of a CSV names a column twice, or its lines do not fit it.
    """
    looked_at = _spread([file for file in files if file.size])
    if file_format not in FORMATS or not looked_at or not all(map(_can_be_read, looked_at)):
        return None
    of_file = -(-max_rows // len(looked_at))
    if file_format == "parquet":
        found = _of_parquet(looked_at, of_file)
    elif file_format == "json":
        found = _of_json(looked_at, load_args, of_file)
    else:
        found = _of_csv(looked_at, load_args, of_file)
    is_whole = len(looked_at) == sum(file.size > 0 for file in files)
    return found and replace(found, is_whole=found.is_whole and is_whole)


def _spread(files: Sequence[InputFile]) -> list[InputFile]:
    step = max(1, -(-len(files) // MAX_FILES))
    return [*files[::step]]


def _can_be_read(file: InputFile) -> bool:
    return file_kinds.ending(file.base_name) not in (".zst", *file_kinds.BLOCK_CODECS)


class _Remote(io.RawIOBase):
    """A file on any filesystem, as pyarrow reads one: some bytes here and there."""

    def __init__(self, file: InputFile) -> None:
        self._file, self._at = file, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        length = self._file.size - self._at if size < 0 else min(size, self._file.size - self._at)
        content = self._file.read(self._at, length) if length > 0 else b""
        self._at += len(content)
        return content


def _open_parquet(file: InputFile) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    # Buffered: else the first row would cost the whole row group.
    return pq.ParquetFile(cast("Any", _Remote(file)) if _is_remote(file) else file.path, buffer_size=_BUFFER)


def _is_remote(file: InputFile) -> bool:
    return "://" in file.root


def _of_parquet(files: Sequence[InputFile], n_rows: int) -> InputSample | None:
    import pyarrow as pa
    from pyspark.errors import PySparkException
    from pyspark.sql.pandas.types import from_arrow_schema

    rows: list[dict[str, Any]] = []
    schemas, n_all = list[Any](), 0
    try:
        for file in files:
            opened = _open_parquet(file)
            schemas.append(_with_folders(from_arrow_schema(opened.schema_arrow), file))
            n_all += opened.metadata.num_rows
            # Of large files elsewhere only the footer is read: a row may cost the whole row group.
            n_read = 0 if _is_remote(file) and file.size > WHOLE_UP_TO else n_rows
            rows += (_folders(file) | row for row in _parquet_rows(opened, n_read))
    except (pa.ArrowException, PySparkException, OSError, ValueError):
        # Spark says what is wrong with it, or knows a type that is not known here.
        return None
    return InputSample(_merged(schemas), rows, is_whole=len(rows) == n_all)


def _parquet_rows(opened: pq.ParquetFile, n: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if n > 0:
        for batch in opened.iter_batches(batch_size=min(n, _BATCH)):
            rows += batch.to_pylist()
            if len(rows) >= n:
                break
    return rows[:n]


def distinct_texts(
    files: Sequence[InputFile], file_format: str, load_args: Mapping[str, Any], column: str
) -> tuple[set[str], bool]:
    """Collect the distinct texts of one column, of all rows where files are not large.

    Args:
        files: Of an input, on this machine.
        file_format: Spark's name of their format.
        load_args: Reader options.
        column: Own name, of a plain column with few different values.

    Returns:
        (texts, whether these are all).
    """
    if file_format == "parquet":
        return _parquet_texts(files, column)
    options = ReaderOptions(load_args)
    is_small = sum(file.size for file in files) <= MAX_SCANNED_BYTES
    if file_format not in FORMATS or not is_small or _has_long_rows(options) or any(map(_is_compressed, files)):
        return set(), False
    rows = (row for file in files for row in _text_rows([file], file_format, load_args, reads_all=True))
    return {str(value) for row in rows if (value := value_at(row, column)) is not None}, True


def _parquet_texts(files: Sequence[InputFile], column: str, *, max_rows: int = 5_000_000) -> tuple[set[str], bool]:
    """Read one column alone: cheap where it has few different values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts, n_rows = set[str](), 0
    for file in _spread(files):
        opened = _open_parquet(file)
        for group in range(opened.num_row_groups):
            if n_rows >= max_rows or column not in opened.schema_arrow.names:
                return texts, False
            values = opened.read_row_group(group, columns=[column])[column]
            texts |= {str(value) for value in pc.unique(values.cast(pa.string())).to_pylist() if value is not None}
            n_rows += len(values)
    return texts, len(files) <= MAX_FILES


def _of_json(files: Sequence[InputFile], load_args: Mapping[str, Any], n_rows: int) -> InputSample | None:
    if _has_long_rows(ReaderOptions(load_args)):
        return None
    rows = [row for file in files for row in islice(_text_rows([file], "json", load_args), n_rows)]
    is_whole = all(map(_is_seen_whole, files)) and len(rows) < n_rows
    return InputSample(json_schema(rows), rows, is_whole, () if is_whole else files)


def _of_csv(files: Sequence[InputFile], load_args: Mapping[str, Any], n_rows: int) -> InputSample:
    from pyspark.sql.types import StringType, StructField, StructType

    rows = [row for file in files for row in islice(_text_rows([file], "csv", load_args), n_rows)]
    own = [name for header in _headers(files, load_args).values() for name in header]
    names = dict.fromkeys([*(own or (rows[0] if rows else ())), *(name for file in files for name in _folders(file))])
    schema = StructType([StructField(name, StringType()) for name in names])
    return InputSample(schema, rows, is_whole=all(map(_is_seen_whole, files)) and len(rows) < n_rows)


def _headers(files: Sequence[InputFile], load_args: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """Return the columns of each file by its path; nothing where they have no headers."""
    if not ReaderOptions(load_args).is_on("header"):
        return {}
    return {file.path: group.columns for group in group_by_header(files, load_args) for file in group.files}


def _has_long_rows(options: ReaderOptions) -> bool:
    return options.is_on("multiLine") or options.has("lineSep")


def _is_compressed(file: InputFile) -> bool:
    return file_kinds.is_compressed(file.base_name)


def _is_seen_whole(file: InputFile) -> bool:
    return not _is_compressed(file) and file.size <= WHOLE_UP_TO


def _says_doubled(options: ReaderOptions) -> bool:
    """Say whether the reader's options name the quote itself as what stands before a quote in a cell."""
    return options.has("escape") and options.text("escape", "") == options.text("quote", '"')


def _text_rows(
    files: Sequence[InputFile], file_format: str, load_args: Mapping[str, Any], *, reads_all: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield rows of the parts of text files that are looked at, or of all."""
    options = ReaderOptions(load_args)
    codec = options.codec
    headers = _headers(files, load_args) if file_format == "csv" else {}
    is_doubled = file_format == "csv" and (_says_doubled(options) or doubles_quotes(files, load_args))
    for file in files:
        parts = [file.read(0, file.size)] if reads_all else sample(file)
        texts = [part.decode(codec, errors="replace").removeprefix("\ufeff") for part in parts]
        rows = (
            _csv_rows(texts, options, headers.get(file.path), is_doubled=is_doubled)
            if file_format == "csv"
            else _json_rows(texts)
        )
        folders = _folders(file)
        yield from (folders | row for row in rows)


def _json_rows(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in (line for text in texts for line in text.split("\n")):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def _csv_rows(
    texts: Iterable[str], options: ReaderOptions, header: Sequence[str] | None, *, is_doubled: bool
) -> Iterator[dict[str, Any]]:
    """Yield rows; an empty cell is None, as Spark reads it."""
    for number, text in enumerate(texts):
        lines = parse_csv(text, options, is_doubled=is_doubled)
        if header and not number:
            next(lines, None)
        for cells in lines:
            names = header or [f"_c{place}" for place in range(len(cells))]
            if len(cells) == len(names):
                yield {name: cell or None for name, cell in zip(names, cells, strict=True)}


def parse_csv(text: str, options: ReaderOptions, *, is_doubled: bool = True) -> Iterator[list[str]]:
    """Cut a text into the cells of its lines.

    Args:
        text: Of a CSV file.
        options: The reader's.
        is_doubled: Whether a quote within a quoted cell is doubled; else it stands behind a backslash.
    """
    separator, quote = options.text("sep", ",").replace("\\t", "\t"), options.text("quote", '"')
    if len(separator) != 1 or len(quote) > 1:
        yield from (line.split(separator) for line in text.splitlines())
        return
    style: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    if quote and not is_doubled:
        style |= {"escapechar": "\\", "doublequote": False}
    try:
        yield from (cells for cells in csv.reader(io.StringIO(text), delimiter=separator, **style) if cells)
    except csv.Error:
        # A cell longer than Python's parser takes: the rows before it are enough.
        return


def _folders(file: InputFile) -> dict[str, str]:
    """Return the columns that are in the names of a file's folders, such as day=1."""
    parts = [part.partition("=") for part in file.name.split("/")[:-1]]
    return {name: value for name, sign, value in parts if sign}


def _with_folders(schema: StructType, file: InputFile) -> StructType:
    from pyspark.sql.types import StringType, StructField, StructType

    return StructType([*schema.fields, *(StructField(name, StringType()) for name in _folders(file))])


def _merged(schemas: Iterable[StructType]) -> StructType:
    from pyspark.sql.types import StructType

    fields = {one.name: one for schema in schemas for one in schema.fields}
    return StructType([*fields.values()])
