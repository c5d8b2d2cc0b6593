"""Turns what Spark says about data and settings into our errors: the file, the column, and what to do.

Spark's errors have classes, such as FAILED_READ_FILE, but which class it is, and the file, often stand in the text of a
cause only. So the texts of all causes are searched, by the rules of one table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from rankhammer.errors import ConfigError, DataError, RankhammerError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE = re.compile(r"(?:Encountered error while reading file|CSV file:) (\S.*?)(?:\. |\.?$)", re.MULTILINE)
_ENTRY = "of this input in conf/<env>/globals.yml"
_COPY = "It was not written or copied whole, or was damaged since: do it again, or take it out of the folder."
_FORMAT = f"Set the right `format` {_ENTRY}, or take the file out of the folder."


@dataclass(frozen=True)
class _Rule:
    """What a text means.

    Args:
        pattern: Is searched in the texts of an error and its causes; its named groups fill the message.
        kind: Of the error.
        message: A sentence with {file} and the pattern's groups.
        hint: What to do.
        is_about_a_file: Whether it means that only where Spark names a file that it was reading: connections within a
            cluster end too early, too.
    """

    pattern: re.Pattern[str]
    kind: type[RankhammerError]
    message: str
    hint: str
    is_about_a_file: bool = False


def _rule(
    pattern: str, kind: type[RankhammerError], message: str, hint: str, *, is_about_a_file: bool = False
) -> _Rule:
    return _Rule(re.compile(pattern, re.MULTILINE), kind, message, hint, is_about_a_file)


_RULES = (
    _rule(
        r"(?:PARQUET_TYPE_(?:ILLEGAL|NOT_RECOGNIZED|NOT_SUPPORTED)|ORC_TYPE_CAST_NOT_SUPPORTED)\]"
        r" (?P<told>.*?)(?: SQLSTATE|$)",
        SchemaError,
        "{input} has a column of a type that Spark does not read: {told}",
        "Write it as text, a number or a timestamp in microseconds where the files are made, or leave it out there.",
    ),
    _rule(
        r"CSV header does not conform to the schema\.?\s+Header: (?P<header>.*)\s+Schema: (?P<expected>.*)",
        SchemaError,
        "Input file {file} has the header ({header}); the other files of its folder have ({expected}).",
        "Bring the columns into one order where the files are made.",
    ),
    _rule(
        r"Number of column in CSV header is not equal",
        SchemaError,
        "Input file {file} has another number of columns in its header than the other files of its folder.",
        "Give all files the same columns where they are made.",
    ),
    _rule(
        r"column: \[(?P<column>[^\]]*)\], physicalType: (?P<found>\w+), logicalType: (?P<expected>[\w<>,():]+)",
        SchemaError,
        "Input file {file}: column {column!r} is {found}, and other files of the input have it as {expected}.",
        "Write it with one type in all files of the input.",
    ),
    _rule(
        r"Found duplicate field\(s\) \"(?P<column>[^\"]*)\"",
        SchemaError,
        "Input file {file} has the column {column!r} more than once (upper and lower case are one name).",
        "Rename one of them, or leave it out, where the file is made.",
    ),
    _rule(
        r"COLUMN_ALREADY_EXISTS\] The column `(?P<column>[^`]*)`",
        SchemaError,
        "{input} has the column {column!r} more than once (upper and lower case are one name).",
        "Rename one of them, or leave it out, where the input is made.",
    ),
    _rule(
        r"CANNOT_MERGE_SCHEMAS\][\s\S]*?Initial schema:\s+\"(?P<one>.*)\"[\s\S]*?initial schema:\s+\"(?P<other>.*)\"",
        SchemaError,
        "{input} has files in which a column has different types: {one} and {other}.",
        "Write it with one type in all files of the input.",
    ),
    _rule(
        r"(?P<path>\S+) is not a Parquet file",
        DataError,
        "Input file {path} is no Parquet file, or was cut short.",
        f"{_FORMAT} {_COPY}",
    ),
    _rule(
        r"CANNOT_READ_FILE_FOOTER|Malformed ORC file|is not an? (?:ORC|Avro|Parquet)",
        DataError,
        "Input file {file} has no readable footer: it is of another format, or was cut short.",
        f"{_FORMAT} {_COPY}",
    ),
    _rule(
        r"MALFORMED_RECORD_IN_PARSING[^\]]*\] Malformed records are detected in record parsing: (?P<row>.{0,80})",
        DataError,
        "Input file {file}: a line does not parse, and `mode` is FAILFAST: {row}",
        f"Set load_args: {{multiLine: true}} {_ENTRY} where quoted texts hold line ends; or leave `mode` out.",
    ),
    _rule(
        r"[Uu]nexpected end of (?:input )?stream|Premature EOF|EOFException|Truncated source",
        DataError,
        "Input file {file} ends too early.",
        _COPY,
        is_about_a_file=True,
    ),
    _rule(
        r"not a gzip file|(?i:crc (?:error|failure))|incorrect (?:header|data|length) check|invalid (?:block type|"
        r"stored block|distance|code|bit length|literal)|FAILED_TO_UNCOMPRESS|bad block header|ZstdIOException|Zstd"
        r"|(?i:unknown frame|corrupt|checksum)|can not read class org\.apache\.parquet|don't know what type"
        r"|Stream is corrupted|Snappy|LZ4Exception|InvalidProtocolBuffer|DataFormatException",
        DataError,
        "Input file {file} is damaged: it cannot be decompressed or decoded.",
        _COPY,
        is_about_a_file=True,
    ),
    _rule(
        r"FAILED_READ_FILE[\s\S]*?Caused by: \S*(?:UnsupportedOperation|IndexOutOfBounds|NegativeArraySize|"
        r"IllegalArgument|IllegalState|NullPointer|BufferUnderflow|ClassCast|Arithmetic|NoSuchElement|NumberFormat|ParquetDecoding|"
        r"TProtocol|TTransport|Malformed\w*)(?:Exception|Error)",
        DataError,
        "Input file {file} cannot be decoded: it is damaged, or written in a way that Spark does not read.",
        _COPY,
        is_about_a_file=True,
    ),
    _rule(
        r"URISyntaxException: Relative path in absolute URI: (?P<name>\S+)",
        ConfigError,
        "Input file {file} has a colon in its name, which Spark cannot read.",
        "Rename the file, for example with a dash instead of each colon.",
    ),
    _rule(
        r"FAILED_READ_FILE\.FILE_NOT_EXIST|FileNotFoundException: (?:File )?(?P<path>\S+)",
        DataError,
        "Input file {file} was there when the run began, and is not any more.",
        "Let nobody change an input while it is read; then run again.",
    ),
    _rule(
        r"UNSUPPORTED_TIME_TYPE",
        SchemaError,
        "{input} has a column of times of day (TIME), a type that Spark does not read.",
        "Write it as text, or as a timestamp with its day, where the input is made.",
    ),
    _rule(
        r"UNABLE_TO_INFER_SCHEMA\][^.]*for (?P<format>\w+)",
        DataError,
        "{input} has no file of format {format} with columns: its folder is empty, or its files are.",
        f"Check `path` and `format` {_ENTRY}.",
    ),
    _rule(
        r"CONFLICTING_DIRECTORY_STRUCTURES[\s\S]*?Suspicious paths:\s*(?P<paths>\S+)\s+(?P<other>\S+)",
        DataError,
        "{input} has files beside folders like day=1 ({paths}, {other}).",
        "Keep each layout in a folder of its own, or set load_args: {recursiveFileLookup: true}.",
    ),
    _rule(
        r"CONFLICTING_PARTITION_COLUMN_NAMES",
        DataError,
        "{input} has folders that name different partition columns, such as day=1 beside date=1.",
        "Give the folders of one level one name.",
    ),
    _rule(
        r"(?:DATA_SOURCE_NOT_FOUND\] Failed to find the data source: (?P<format>[^\s.]+)|"
        r"_DATA_SOURCE_NOT_ENABLED\] Failed to find data source: (?P<module>[^\s.]+))",
        ConfigError,
        "{input}: Spark knows no format '{format}{module}'.",
        f"`format` {_ENTRY} is parquet, csv, json, text or orc; others need their jar in spark.yml (spark.jars).",
    ),
    _rule(
        r"PATH_NOT_FOUND\] Path does not exist: (?P<path>\S+)",
        ConfigError,
        "Input {path} does not exist.",
        f"Correct `path` {_ENTRY}.",
    ),
    _rule(
        r"INVALID_PARAMETER_VALUE\.CHARSET\][\s\S]*?expects one of the (?P<known>.*?), but got (?P<charset>\S+?)\.",
        ConfigError,
        "{input}: Spark knows no encoding {charset!r}; it always knows {known}.",
        f"Correct `encoding` in load_args {_ENTRY}. With spark.sql.legacy.javaCharsets in spark.yml it knows Java's.",
    ),
    _rule(
        r"CODEC_NOT_AVAILABLE[^\]]*\] (?P<told>The codec .*?)(?: SQLSTATE|$)",
        ConfigError,
        "{input}: {told}",
        f"Correct `compression` in load_args {_ENTRY}.",
    ),
    _rule(
        r"(?:OPTION_VALUE_EXCEEDS_ONE_CHARACTER|INVALID_DATETIME_PATTERN|PARSE_MODE_UNSUPPORTED|INVALID_[A-Z_]*OPTIONS?)"
        r"[^\]]*\] (?P<told>.*?)(?: You can form| SQLSTATE|$)",
        ConfigError,
        "{input}: {told}",
        f"Correct `load_args` {_ENTRY}.",
    ),
    _rule(
        r"(?P<told>\w+ flag can be true or false|Delimiter cannot be [\w ]+|requirement failed: [^\n]*"
        r"(?:lineSep|[Oo]ption|encoding)[^\n]*)",
        ConfigError,
        "{input}: an option is wrong: {told}.",
        f"Correct `load_args` {_ENTRY}.",
    ),
    _rule(
        r"DATATYPE_MISMATCH\.CAST[^\]]*\] Cannot resolve \"CAST\((?P<column>\S+) AS \w+\)\"[\s\S]*?cannot cast "
        r"\"(?P<found>[^\"]*)\" to \"(?P<expected>[^\"]*)\"",
        SchemaError,
        "Column {column} has type {found}, which cannot be read as {expected}.",
        "Map another column in conf/<env>/globals.yml, or write the plain value where the input is made.",
    ),
    _rule(
        r"AccessDeniedException: (?P<path>s3[an]?://[^\s:]+)",
        ConfigError,
        "S3 refuses access to {path} (403 Forbidden): the keys are wrong, or lack the right.",
        "Check the keys, where they come from (docs/cluster.md), and what their policy allows on this bucket.",
    ),
    _rule(
        r"Permission denied: user=(?P<user>[^,\s]+), access=(?P<access>\w+), inode=\"(?P<path>[^\"]+)\"",
        ConfigError,
        "HDFS refuses user {user} the right {access} on {path}.",
        "Give the user that runs this that right, or correct the path in conf/<env>/globals.yml.",
    ),
    _rule(
        r"AccessControlException|AccessDenied|Permission denied",
        ConfigError,
        "Input file {file} may not be read by this user.",
        "Give the user that runs this the right to read it.",
        is_about_a_file=True,
    ),
)


def translate(chain: Iterable[BaseException], where: str = "") -> RankhammerError | None:
    """Find what Spark says about an input in an error or its causes.

    Args:
        chain: An error and its causes.
        where: Path of the input that was read, where it is known: Spark does not always say it.

    Returns:
        Our error for it; None where the texts match no rule, or none of the errors is Spark's.
    """
    message = "\n".join(_text(error) for error in chain if is_of_spark(error))
    if not message:
        return None
    for rule in _RULES:
        found = rule.pattern.search(message)
        if found and (_FILE.search(message) or not rule.is_about_a_file):
            return _filled(rule, {name: value or "" for name, value in found.groupdict().items()}, message, where)
    return None


def is_of_spark(error: BaseException) -> bool:
    """Say whether an error is pyspark's, or comes from its JVM."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return isinstance(error, Py4JError | PySparkException)


def headline(error: BaseException) -> str:
    """Return the innermost cause that Spark's text names, in one line of at most 300 characters."""
    causes = re.findall(r"^(?:Caused by: |: )(?:[\w$]+\.)*([\w$]+: .+)$", _text(error), re.MULTILINE)
    lines = causes or [line for line in _text(error).splitlines() if line.strip()]
    line: str = lines[-1] if causes else (lines or [type(error).__name__])[0]
    return line.strip()[:300]


def _text(error: BaseException) -> str:
    """Return an error's text with Java's causes; one whose JVM has ended has none."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - whatever keeps an error from being printed must not hide it
        return type(error).__name__


def _filled(rule: _Rule, found: dict[str, str], message: str, where: str) -> RankhammerError:
    file = _FILE.search(message)
    values: dict[str, Any] = {name: _plain(value) for name, value in found.items()}
    values["file"] = _plain(file[1]) if file else values.get("path") or where or "(Spark does not say which)"
    message = rule.message.format(input=f"Input {where}" if where else "An input", **values)
    return rule.kind(message, hint=rule.hint, **{name: value for name, value in values.items() if value})


def _plain(value: str) -> str:
    """Turn a file's URI into a path; leave everything else as it is."""
    value = value.strip().rstrip(",.")
    return unquote(re.sub(r"^file:/+", "/", value)) if value.startswith("file:/") else value
