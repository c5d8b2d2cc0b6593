"""What a column holds, by the values that were seen: what it can mean, and what it cannot."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS = frozenset({"true", "false", "t", "f", "yes", "no", "y", "n"})
_WHOLE = re.compile(r"[+-]?\d{1,18}(\.0*)?$")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$")
_ZONE = r"( ?(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?))?"
_TIME = re.compile(
    rf"((199\d|20\d\d)-\d{{2}}-\d{{2}}([T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?{_ZONE})?"
    rf"|(199\d|20\d\d)\d{{4}}T?\d{{6}}{_ZONE}|[1-3]\d{{9}}(\d{{3}}|\d{{6}}|\d{{9}})?)$"
)
_LOCAL_TIME = re.compile(r"\d{1,2}[./]\d{1,2}[./]\d{2,4}\b")
_NOT_TEXT = re.compile(r"(https?://|www\.|/|[\w.]+@)\S*$")
MAX_PLACE = 10_000
MAX_GRADE = 31
MAX_CORPORA = 200
"""Different names of corpora at most: what has more is something else."""
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Contents:
    """A column's values in figures; shares are of the values that are there.

    Args:
        name: Own name of the column.
        type_name: Spark's simple name of its type.
        n: Values seen.
        n_distinct: Different ones.
        texts: The values as texts, in order.
        whole: Share of whole numbers.
        number: Share of numbers.
        flag: Share of flags and of counts of clicks.
        time: Share of times that ingestion reads.
        local_time: Share of times such as 01.05.2024, which it does not read.
        lowest: Smallest number; 0 where there is none.
        highest: Largest number; 0 where there is none.
        words: Mean of the words of a value.
        letters: Share of values with a letter.
    """

    name: str
    type_name: str
    n: int
    n_distinct: int
    texts: tuple[str, ...]
    whole: float
    number: float
    flag: float
    time: float
    local_time: float
    lowest: float
    highest: float
    words: float
    letters: float

    @property
    def is_array(self) -> bool:
        """Whether a row holds several values."""
        return self.type_name.startswith("array<")

    def description(self) -> str:
        """Say in a few words what the column holds."""
        if self.is_array:
            return "lists"
        if not self.n:
            return "nothing"
        if self.number == 1:
            kind = "whole numbers" if self.whole == 1 else "numbers"
            return f"{kind} from {self.lowest:g} to {self.highest:g}"
        if self.time > 0.9 or self.local_time > 0.9:
            return f"times such as {self.texts[0]!r}"
        return f"{self.n_distinct} different texts, such as {self.texts[0][:30]!r}"


def describe_column(name: str, type_name: str, values: Sequence[Any]) -> Contents:
    """Describe a column by its values.

    Args:
        name: Own name.
        type_name: Spark's simple name of its type.
        values: Those that are there.
    """
    plain = [value for value in values if not isinstance(value, dict | list)]
    texts = [_text(value) for value in plain if str(value).strip()]
    numbers = [float(text) for text in texts if _NUMBER.match(text)]
    return Contents(
        name=name,
        type_name=type_name,
        n=len(texts),
        n_distinct=len(set(texts)),
        texts=tuple(texts),
        whole=_share(texts, lambda text: bool(_WHOLE.match(text))),
        number=len(numbers) / len(texts) if texts else 0.0,
        flag=_share(texts, lambda text: text.casefold() in _FLAGS or (text.isdecimal() and len(text) <= 6)),
        time=_share(texts, lambda text: bool(_TIME.match(text))),
        local_time=_share(texts, lambda text: bool(_LOCAL_TIME.match(text))),
        lowest=min(numbers, default=0.0),
        highest=max(numbers, default=0.0),
        words=sum(len(text.split()) for text in texts) / len(texts) if texts else 0.0,
        letters=_share(texts, lambda text: bool(_LETTER.search(text))),
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return str(value).strip()


def _share(texts: Sequence[str], holds: Any) -> float:
    counts = Counter(texts)
    return sum(n for text, n in counts.items() if holds(text)) / len(texts) if texts else 0.0


def can_be_clicked(column: Contents) -> float:
    """Score a column as flags of clicks, 0 to 1: most results are not clicked."""
    if column.is_array or column.flag < 0.99 or column.n_distinct < 2:
        return 0.0
    zeros = sum(text.casefold() in ("0", "false", "f", "no", "n") for text in column.texts) / column.n
    if not zeros:
        return 0.0
    few = 1.0 if column.n_distinct == 2 else 0.6 if column.n_distinct <= 6 else 0.2
    return few * (1.0 if zeros > 0.5 else 0.5)


def can_be_position(column: Contents) -> float:
    """Score a column as places on a page, 0 to 1: whole numbers from 0 or 1 on without holes."""
    if column.is_array or column.whole < 0.99 or column.lowest not in (0, 1) or column.highest > MAX_PLACE:
        return 0.0
    if column.highest <= 1:
        return 0.0
    return 0.5 + 0.5 * column.n_distinct / (column.highest - column.lowest + 1)


def can_be_query(column: Contents) -> float:
    """Score a column as typed queries, 0 to 1: texts with words, some of which come again."""
    if column.is_array or column.letters < 0.5 or column.time > 0.5 or column.local_time > 0.5:
        return 0.0
    if column.words > 15 or _is_address(column):
        return 0.0
    return 1.0 if column.words > 1.1 else 0.4 if column.n_distinct > 5 else 0.2


def can_be_id(column: Contents) -> float:
    """Score a column as ids, 0 to 1: many different values without blanks."""
    if column.is_array or not column.n or column.words > 1.5 or (column.number and column.whole < column.number):
        return 0.0
    return min(1.0, 0.3 + column.n_distinct / 20)


def can_be_time(column: Contents) -> float:
    """Score a column as times, 0 to 1."""
    return 1.0 if column.type_name in ("timestamp", "timestamp_ntz", "date") else float(column.time > 0.99)


def can_be_corpus(column: Contents) -> float:
    """Score a column as names of corpora, 0 to 1: few different texts."""
    if column.is_array or not column.n or column.letters < 0.9 or column.n_distinct > MAX_CORPORA:
        return 0.0
    if column.flag > 0.9 or column.time > 0.5 or column.words > 3:
        return 0.0
    return 1.0 if column.n >= 10 * column.n_distinct else 0.5


def can_be_grade(column: Contents) -> float:
    """Score a column as grades, 0 to 1: a few whole numbers from 0 to 31."""
    if column.is_array or column.whole < 0.95 or column.lowest < 0 or column.highest > MAX_GRADE:
        return 0.0
    return 1.0 if column.n_distinct <= 6 else 0.4


def is_text_field(column: Contents) -> bool:
    """Say whether a column of documents holds words to search: no ids, addresses, times or numbers."""
    if column.type_name != "string" or column.letters < 0.5 or not column.n or _is_address(column):
        return False
    is_like_an_id = column.words < 1.05 and column.n_distinct > 0.9 * column.n > 20
    return column.time < 0.5 and column.number < 0.5 and not is_like_an_id


def _is_address(column: Contents) -> bool:
    return _share(column.texts, lambda text: bool(_NOT_TEXT.match(text))) > 0.5


_VALUES = {
    "clicked": "true and false, 0 and 1, or counts of clicks",
    "position": "whole numbers",
    "grade": "whole numbers from 0 to 31, the best the highest: scale others",
}


def values_of(role: str) -> str:
    """Say which values a column may have, as a sentence to add; empty where ids and texts are taken as they are."""
    return f" Its values have to be {_VALUES[role]}." if role in _VALUES else ""


def first_unreadable(role: str, values: Sequence[Any]) -> str:
    """Return a column's first value where none of its values can be read as what the column is for; else nothing.

    Args:
        role: "clicked", "position" or "grade".
        values: Of all rows; lists, as rows of whole pages have them, are left alone.
    """
    texts = [] if any(isinstance(value, dict | list) for value in values) else [_text(value) for value in values]
    there = [text for text in texts if text]
    return there[0] if there and not any(_is_readable(role, text) for text in there) else ""


def _is_readable(role: str, text: str) -> bool:
    is_whole = bool(_WHOLE.match(text))
    if role == "clicked":
        return text.casefold() in _FLAGS or (is_whole and float(text) >= 0)
    return is_whole and (role == "position" or 0 <= float(text) <= MAX_GRADE)
