"""What the first and last bytes of an input's files show before Spark reads them: wrong formats, cut files, encodings.

Some of these faults end Spark's JVM, some are read as if nothing were wrong, and of the others Spark names no file.
"""

from __future__ import annotations

from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any

from rankhammer.datasets import file_kinds
from rankhammer.datasets.file_kinds import ReaderOptions
from rankhammer.datasets.text_samples import differently_spelled, first_keys, require_encoding, require_json_lines
from rankhammer.errors import DataError, RankhammerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rankhammer.datasets.input_files import InputFile

MAX_FILES = 1000
"""Files of an input whose bytes are looked at, the first in the order of names; of others Spark says what is wrong."""
_AT_ONCE = 16
_HEAD = 64


def check_files(files: Sequence[InputFile], file_format: str, load_args: Mapping[str, Any]) -> None:
    """Refuse files that are not what the input's format says; a few reads of a file, never all of it.

    Args:
        files: Of one input.
        file_format: Spark's name of their format.
        load_args: Reader options.

    Raises:
        DataError: Names the first such file.
        SchemaError: Keys of JSON records differ in upper and lower case only.
    """
    options = ReaderOptions(load_args)
    if options.has("modifiedBefore") or options.has("modifiedAfter"):
        # Which of the files are read, Spark alone knows.
        return
    looked_at = files[:MAX_FILES]
    if file_format in file_kinds.COLUMNAR:
        for_each_file(lambda file: _check_columnar(file, file_format), looked_at)
    elif file_format in file_kinds.TEXTS:
        if not any(file.size for file in files):
            raise _refused(files[0], "is empty", "Name the file that holds the data, or take the input out.")
        for_each_file(lambda file: _check_text(file, file_format, options), looked_at)
        if file_format == "json":
            _require_one_spelling(looked_at, options)


def _require_one_spelling(files: Sequence[InputFile], options: ReaderOptions) -> None:
    """Refuse keys of JSON that differ between files in upper and lower case only."""
    known: dict[str, str] = {}
    for file, keys in zip(files, for_each_file(lambda file: first_keys(file, options), files), strict=True):
        for folded, name in keys.items():
            if known.setdefault(folded, name) != name:
                raise differently_spelled(known[folded], name, file.path)


def for_each_file(action: Callable[[InputFile], Any], files: Iterable[InputFile]) -> list[Any]:
    """Do something with each file, several at once: on an object store each read takes a while.

    Args:
        action: Reads some bytes.
        files: On which.

    Returns:
        What it returned, in the order of the files.

    Raises:
        RankhammerError: That of the first file for which it raised one.
    """
    given = list(files)
    if not given or "://" not in given[0].root:
        return [action(file) for file in given]
    with ThreadPool(_AT_ONCE) as pool:
        results = pool.map(lambda file: _outcome(action, file), given)
    for result in results:
        if isinstance(result, RankhammerError):
            raise result
    return results


def _outcome(action: Callable[[InputFile], Any], file: InputFile) -> Any:
    try:
        return action(file)
    except RankhammerError as error:
        return error


def _check_columnar(file: InputFile, file_format: str) -> None:
    first, last = file_kinds.COLUMNAR[file_format]
    head = file.read(0, _HEAD)
    if not head.startswith((first, b"PARE") if file_format == "parquet" else first):
        found = file_kinds.recognize(head)
        hint = found.hint if found else "Take it out of the folder, or set the `format` of this input in globals.yml."
        raise _refused(file, f"is no {_title(file_format)} file; it is {file_kinds.describe(head)}", hint)
    tail = file.read(max(0, file.size - 4), 4)
    if last and tail not in (last, b"PARE"):
        raise _refused(
            file, f"is a {_title(file_format)} file without its end", "It was not written or copied whole: do it again."
        )


def _check_text(file: InputFile, file_format: str, options: ReaderOptions) -> None:
    if not file.size:
        return
    head = file.read(0, _HEAD)
    if file_kinds.is_compressed(file.base_name):
        _check_compressed(file, head)
    else:
        found = file_kinds.recognize(head)
        if found and not (found.cure.startswith("encoding:") and options.has("encoding")):
            raise _refused(file, f"is no {_title(file_format)}; it is {found.name}", found.hint)
    require_encoding(file, file_format, options)
    if file_format == "json":
        require_json_lines(file, options)


def _check_compressed(file: InputFile, head: bytes) -> None:
    suffix = file_kinds.ending(file.base_name)
    is_in_blocks = suffix in file_kinds.BLOCK_CODECS
    if not (
        file_kinds.is_block_stream(head, file.size) if is_in_blocks else head.startswith(file_kinds.CODECS[suffix])
    ):
        what = f"is not compressed as its ending {suffix} says; it is {file_kinds.describe(head)}"
        hint = "Compress it with gzip" if is_in_blocks else "Copy it once more"
        raise _refused(file, what, f"{hint}, or rename it after what it is.")
    # One read a block: cheap on a disk, not on an object store.
    if is_in_blocks and "://" not in file.root and file_kinds.is_cut_block_stream(file.read, file.size):
        raise _refused(file, "ends within a block", "It was not written or copied whole: do it again.")


def _title(file_format: str) -> str:
    return {"parquet": "Parquet", "orc": "ORC", "json": "JSON lines", "csv": "CSV"}.get(file_format, file_format)


def _refused(file: InputFile, what: str, hint: str) -> DataError:
    return DataError(f"Input file {file.path} {what}.", hint=hint, path=file.path)
