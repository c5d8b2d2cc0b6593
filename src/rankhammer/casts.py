"""One strict cast for each kind of column, the same for click logs, documents and reference judgments.

CSV and JSON bring text where Parquet brings types, so each cast takes both. What does not fit is null and never a
guess: `is_unreadable` tells it from a value that is missing (null, blank text, NaN). No cast ever throws.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import Column, DataFrame

Kind = Literal["id", "flag", "position", "time", "grade", "number"]

FAULT = "input_fault"
"""Column of an input that `read_columns` read: why a row is set aside, or null."""
MAX_TEXT_CHARS = 10_000
"""Longer texts are cut one character behind this, so that none of them is carried through a shuffle."""
MAX_GRADE = 31
"""Best grade: its gain 2^grade - 1 is still exact."""
MAX_COUNT = 1_000_000
"""Largest count of clicks on one document of one page."""
MAX_POSITION = 2_147_483_647
FIRST_YEAR, LAST_YEAR = 1990, 2099
"""Years of the times that are read: no search click is older."""

_WHOLE = ("tinyint", "smallint", "int", "bigint")
_FRACTIONS = ("float", "double", "decimal")
_TEXTS = ("string", "varchar", "char", "binary")
_NUMBERS = (*_WHOLE, *_FRACTIONS, *_TEXTS, "void")
TYPES: Mapping[Kind, tuple[str, ...]] = {
    "id": _NUMBERS,
    "flag": ("boolean", *_NUMBERS),
    "position": _NUMBERS,
    # A 32-bit float is exact to two minutes.
    "time": ("timestamp", "timestamp_ntz", "date", *_WHOLE, "double", "decimal", *_TEXTS, "void"),
    "grade": _NUMBERS,
    "number": _NUMBERS,
}
"""Kind to the Spark types that it is read from."""
EXPECTED: Mapping[Kind, str] = {
    "id": "text or a whole number",
    "flag": "true/false, or a count of clicks",
    "position": "a whole number",
    "time": "a time, ISO 8601 text, or an epoch",
    "grade": f"a whole number from 0 to {MAX_GRADE}",
    "number": "a number",
}

_EXACT_BELOW = {"float": 1 << 24, "double": 1 << 53}
_WHOLE_TEXT = r"^[+-]?\d{1,18}(\.0*)?$"
_NUMBER_TEXT = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
# Patterns hold the range of years, so that no value is computed twice: Spark copies an expression wherever it is used.
_ZONE = r"( ?(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?))"
_YEAR = r"(199\d|20\d\d)"
_ISO_TIME = rf"{_YEAR}-\d{{2}}-\d{{2}}[T ]\d{{2}}:\d{{2}}:\d{{2}}(\.\d{{1,9}})?"
_ISO = rf"^{_ISO_TIME}{_ZONE}$"
_COMPACT_TIME = rf"^(\d{{4}})(\d{{2}})(\d{{2}})T?(\d{{2}})(\d{{2}})(\d{{2}})(?={_ZONE}?$)"
_WITHOUT_SECONDS = r"^(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2})(?=$|[ ZUG+-])"
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_WITHOUT_ZONE = rf"^{_ISO_TIME}$"
_CLOCK = rf"[T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?{_ZONE}?"
_OTHER_TIMES = rf"(?i)^({_YEAR}\d{{4}}T?\d{{6}}{_ZONE}?|{_YEAR}-\d{{2}}-\d{{2}}({_CLOCK})?)$"
_HOUR_TEXT = r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])$"


_SECONDS = "|".join(
    (
        # From 631152000, the first second of 1990, to 4102444799, the last one of 2099.
        *(r"63115[2-9]\d{3}", r"6311[6-9]\d{4}", r"631[2-9]\d{5}", r"63[2-9]\d{6}", r"6[4-9]\d{7}", r"[7-9]\d{8}"),
        *(r"[1-3]\d{9}", r"40\d{8}", r"410[01]\d{6}", r"4102[0-3]\d{5}", r"41024[0-3]\d{4}", r"410244[0-3]\d{3}"),
        r"4102444[0-7]\d{2}",
    )
)


def _epoch(n_digits: int) -> str:
    """Match an epoch of 1990 to 2099 with so many digits behind the whole seconds."""
    return rf"^({_SECONDS})\d{{{n_digits}}}(\.\d+)?$"


_EPOCHS = {rf"^(?!{_HOUR_TEXT}){_epoch(0)[1:]}": 1e6, _epoch(3): 1e3, _epoch(6): 1.0, _epoch(9): 1e-3}
"""Pattern of an epoch in seconds, milliseconds, microseconds and nanoseconds, to its factor in microseconds."""
_ANY_EPOCH = r"^\d{9,19}(\.\d+)?$"
_INVISIBLE = (
    r"\s\p{Cc}\p{Cf}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    r"\x{1d173}-\x{1d17a}\x{e0000}-\x{e0fff}"
)
NOBODY = (
    "null",
    "none",
    "nil",
    "nan",
    "na",
    "n/a",
    "<na>",
    "<null>",
    "(null)",
    "\\n",
    "undefined",
    "unknown",
    "-",
    "(not set)",
)
"""Words, in small letters, by which databases, scripts and analytics write that there is no id."""
_NOBODY_BYTES = 16
# No `lower`: where a JVM calls it for the first time, Spark looks up the title case of every character there is, which
# takes two seconds.
_NOBODY = rf"(?i)^ *({'|'.join(map(re.escape, NOBODY))}) *\z"
_VISIBLE_ASCII = ("!", "\x7f")
"""Texts from the first one up to the other, which is none of them, begin with a letter, digit or sign of ASCII."""
_VISIBLE = rf"(?U)[^{_INVISIBLE}]"


def is_blank(text: Column) -> Column:
    """Tell whether a text is null, empty, or holds nothing that can be seen: white space of any script, zero widths."""
    # Most texts begin with a letter or digit of ASCII, and need no pattern. Bytes are compared, and nothing is copied.
    first, end = _VISIBLE_ASCII
    return text.isNull() | ~(((text >= first) & (text < end)) | text.rlike(_VISIBLE))


def is_nobody(text: Column) -> Column:
    """Tell whether the id of a visitor, visit or page is none: blank, or a word by which tools write what is missing.

    Args:
        text: As for `is_blank`; an id that strangers share makes them one robot, or their pages one.
    """
    return is_blank(text) | ((F.octet_length(text) < _NOBODY_BYTES) & text.rlike(_NOBODY))


def accepts(kind: Kind, type_name: str) -> bool:
    """Tell whether a kind of column is read from a Spark type.

    Args:
        kind: What the column means.
        type_name: Spark's simple name of its type.
    """
    return type_name.partition("(")[0] in TYPES[kind]


def quoted(name: str) -> str:
    """Return a column's name as Spark takes it whole, whatever characters it holds."""
    return f"`{name.replace('`', '``')}`"


def read_columns(rows: DataFrame, kinds: Mapping[str, Kind], *, may_be_missing: tuple[str, ...] = ()) -> DataFrame:
    """Read an input's columns as the kinds that they are; others stay as they are.

    Args:
        rows: Has these columns, of types that `accepts` accepts.
        kinds: Column to its kind.
        may_be_missing: Columns of which a missing value is no fault.

    Returns:
        The same rows and `FAULT`: missing_<column>, unreadable_<column>, too_long, or null for a sound row.
    """
    types = dict(rows.dtypes)
    read = {name: _READERS[kind](F.col(quoted(name)), types[name]) for name, kind in kinds.items()}
    bad = {name: is_unreadable(F.col(quoted(name)), types[name], value) for name, value in read.items()}
    required = [name for name in kinds if name not in may_be_missing]
    texts = [value for name, value in read.items() if kinds[name] == "id"]
    conditions = [
        *((f"unreadable_{name}", is_bad) for name, is_bad in bad.items()),
        *((f"missing_{name}", read[name].isNull()) for name in required),
        *(("too_long", F.length(text) > MAX_TEXT_CHARS) for text in texts),
    ]
    fault = F.coalesce(*(F.when(condition, reason) for reason, condition in conditions))
    return rows.withColumns({**read, FAULT: fault})


def sound(rows: DataFrame) -> DataFrame:
    """Leave out the rows that `read_columns` found faulty, and its column; a table that it did not read is sound.

    Args:
        rows: Any table.
    """
    return rows.where(F.col(FAULT).isNull()).drop(FAULT) if FAULT in rows.columns else rows


def is_unreadable(value: Column, type_name: str, read: Column) -> Column:
    """Tell a value that does not fit from one that is missing.

    Args:
        value: As it stands in the input.
        type_name: Spark's simple type name of the column.
        read: What a cast made of it.

    Returns:
        Boolean, never null.
    """
    is_there = value.isNotNull()
    if type_name.startswith(("float", "double")):
        is_there &= ~F.isnan(value)
    elif type_name.startswith(_TEXTS):
        is_there &= ~is_blank(value.cast("string"))
    return read.isNull() & is_there


def as_id(value: Column, type_name: str) -> Column:
    """Read an id, or a query: text exactly as it is written, or a whole number without point or exponent.

    Args:
        value: Text, bytes of UTF-8, or a number.
        type_name: Spark's simple type name of the column.

    Returns:
        Text, cut behind MAX_TEXT_CHARS; null for blank text, and for numbers that are not whole or that their type
        cannot hold exactly (from 2^24 on as float, from 2^53 on as double).
    """
    if not type_name.startswith(_FRACTIONS):
        text = _text(value, type_name)
        # A text of so few bytes has no more characters, and need not be copied.
        cut = F.when(F.octet_length(text) <= MAX_TEXT_CHARS, text).otherwise(F.left(text, F.lit(MAX_TEXT_CHARS + 1)))
        return F.when(~is_blank(text), cut)
    return _whole_digits(value, type_name)


def as_flag(value: Column, type_name: str) -> Column:
    """Read a click flag: true/false in any usual spelling, or a count, where more than 0 is a click.

    Args:
        value: Boolean, number or text.
        type_name: Spark's simple type name of the column.

    Returns:
        Boolean; null for everything that is neither a flag nor a whole number from 0 to MAX_COUNT.
    """
    if type_name == "boolean":
        return value
    count = _whole_number(value, type_name)
    word = F.trim(_text(value, type_name)).try_cast("boolean") if type_name.startswith(_TEXTS) else F.lit(None)
    return F.coalesce(word.cast("boolean"), F.when(count.between(0, MAX_COUNT), count > 0))


def as_position(value: Column, type_name: str, *, max_position: int = MAX_POSITION) -> Column:
    """Read a place on a page, so that "3", 3 and 3.0 are one.

    Args:
        value: Number or text.
        type_name: Spark's simple type name of the column.
        max_position: Largest place on a page.

    Returns:
        Int, negative ones included; null for what is not a whole number up to `max_position`.
    """
    number = _whole_number(value, type_name)
    return F.when(number.between(-MAX_POSITION, max_position), number).try_cast("int")


def as_grade(value: Column, type_name: str) -> Column:
    """Read a person's grade.

    Args:
        value: Number or text.
        type_name: Spark's simple type name of the column.

    Returns:
        Int; null for what is not a whole number from 0 to MAX_GRADE.
    """
    number = _whole_number(value, type_name)
    return F.when(number.between(0, MAX_GRADE), number).try_cast("int")


def as_number(value: Column, type_name: str) -> Column:
    """Read a number of a document.

    Args:
        value: Number or text.
        type_name: Spark's simple type name of the column.

    Returns:
        Double; null for infinities and for text that is no decimal number.
    """
    number = value.try_cast("double")
    if type_name.startswith(_TEXTS):
        text = F.trim(_text(value, type_name))
        number = F.when(text.rlike(_NUMBER_TEXT), text).try_cast("double")
    return F.when(F.abs(number) < float("inf"), number)


def as_time(value: Column, type_name: str, *, time_zone: str = "UTC") -> Column:
    """Read a point in time from 1990 to 2099.

    Text is one of: `2024-05-01`, `2024-05-01T12:00[:00[.123456789]]` (or a blank for the T), `20240501120000` (or with
    a T before the hour), each time with or without a zone (Z, UTC, +02:00, +0200, +02). A number, or text of digits, is
    an epoch in seconds, milliseconds, microseconds or nanoseconds: in that range no number is one in two units.

    Args:
        value: Time, date, text or number.
        type_name: Spark's simple type name of the column.
        time_zone: Zone of dates, and of times that do not say theirs.

    Returns:
        Timestamp, whole microseconds; null for everything else, so also for a time of day and for ten digits that
        are a date with an hour as well as an epoch.
    """
    if type_name == "timestamp":
        return F.when(_in_range(value), value)
    if type_name in ("timestamp_ntz", "date"):
        local = F.date_format(value.cast("timestamp_ntz"), "yyyy-MM-dd HH:mm:ss.SSSSSS")
        return F.when(_in_range(value), F.concat(local, F.lit(f" {time_zone}"))).try_cast("timestamp")
    text = F.trim(_text(value, type_name))
    if type_name.startswith(_FRACTIONS):
        text = F.regexp_replace(value.try_cast("decimal(25,6)").cast("string"), r"\.0+$", "")
    return (
        F.when(text.rlike(_ISO), text.try_cast("timestamp"))
        .when(text.rlike(_OTHER_TIMES), _spelled_out(_upper(text), time_zone).try_cast("timestamp"))
        .when(text.rlike(_ANY_EPOCH), _from_epoch(text))
    )


def _upper(time: Column) -> Column:
    """Write the letters of a time (T, Z, UTC, GMT) large; why not `upper` is said at _NOBODY."""
    return F.translate(time, "tzucgm", "TZUCGM")


def _text(value: Column, type_name: str) -> Column:
    """Return plain values as text; bytes that are no UTF-8 are null."""
    return F.try_validate_utf8(value.cast("string")) if type_name == "binary" else value.cast("string")


def _whole_digits(value: Column, type_name: str) -> Column:
    """Write a fraction type's whole number in plain digits; null where it is not whole, or not exact."""
    if type_name.startswith("decimal"):
        return F.when(value == F.floor(value), value.try_cast("decimal(38,0)").cast("string"))
    number = value.cast("double")
    is_exact = F.abs(number) < float(_EXACT_BELOW[type_name])
    return F.when(is_exact & (number == F.floor(number)), number.try_cast("bigint").cast("string"))


def _whole_number(value: Column, type_name: str) -> Column:
    """Return a bigint; null for everything that is not a whole number."""
    if type_name in _WHOLE:
        return value.cast("bigint")
    if type_name.startswith(_FRACTIONS):
        return _whole_digits(value, type_name).try_cast("bigint")
    text = _text(value, type_name)
    # Plain digits need no pattern.
    return F.coalesce(text.try_cast("bigint"), _whole_text(F.trim(text)))


def _whole_text(text: Column) -> Column:
    """Read "3.0" as 3."""
    return F.regexp_replace(F.when(text.rlike(_WHOLE_TEXT), text), r"\.0*$", "").try_cast("bigint")


def _from_epoch(text: Column) -> Column:
    """Find the unit by the size: the four ranges do not touch."""
    number = text.try_cast("double")
    micros = F.coalesce(*(F.when(text.rlike(pattern), number * factor) for pattern, factor in _EPOCHS.items()))
    return F.timestamp_micros(F.round(micros).try_cast("bigint"))


def _spelled_out(text: Column, time_zone: str) -> Column:
    """Write a time of another format as ISO's, with seconds and zone."""
    spread = F.regexp_replace(text, _COMPACT_TIME, "$1-$2-$3 $4:$5:$6")
    timed = F.regexp_replace(F.regexp_replace(spread, _DATE, "$0 00:00:00"), _WITHOUT_SECONDS, "$1:00")
    return F.regexp_replace(timed, _WITHOUT_ZONE, f"$0 {time_zone}")


def _in_range(time: Column) -> Column:
    return F.year(time).between(FIRST_YEAR, LAST_YEAR)


_READERS: Mapping[Kind, Callable[[Column, str], Column]] = {
    "id": as_id,
    "flag": as_flag,
    "position": as_position,
    "time": as_time,
    "grade": as_grade,
    "number": as_number,
}
