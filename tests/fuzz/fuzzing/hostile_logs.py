"""Sound logs in which something is changed, with what that may change in the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuzzing import log_files
from fuzzing.sane_logs import FORMATS, N_DOCS, Log, sane_log
from fuzzing.values import ANY, POOLS, TYPED

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

UNLIMITED = 10**9
_SEPARATORS = ("query 1", "\t", ":", ",", ";", "\x00", "\u2028", "::")


@dataclass
class Case:
    """A changed log.

    Args:
        log: Its rows.
        file_format: Spark's name.
        columns: Those that are written, in order.
        touched: Numbers of the pages that a change was made to.
        may_add: Clicks that the changes may have added.
        rows_are_known: Whether as many rows are read as are written.
        changes: What was done, in words.
        files: Name to content, once the rows are written.
    """

    log: Log
    file_format: str
    columns: list[str]
    touched: set[int] = field(default_factory=set)
    may_add: int = 0
    rows_are_known: bool = True
    changes: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def touch_all(self) -> None:
        self.touched |= {page.number for page in self.log.pages}


def make_case(rng: random.Random, number: int) -> Case:
    """Return a log of a reader and format, with one to three changes of its rows and perhaps one of its files.

    Args:
        rng: Decides everything else.
        number: Of the case: readers and formats take turns.
    """
    turns = [(reader, file_format) for reader, formats in FORMATS.items() for file_format in formats]
    reader, file_format = turns[number % len(turns)]
    log = sane_log(reader)
    case = Case(log, file_format, list(log.kinds))
    if reader == "serps" and rng.random() < 0.3:
        case.columns.remove("serp_id")
        case.changes.append("no serp_id")
    for _ in range(rng.randint(1, 3)):
        _changed(case, rng)
    _write(case, rng)
    if rng.random() < 0.35:
        rng.choice(_OF_FILES)(case, rng)
    return case


def _changed(case: Case, rng: random.Random) -> None:
    rng.choice(_OF_ROWS)(case, rng)


def hostile_cells(case: Case, rng: random.Random) -> None:
    """Replace a column's values in some rows."""
    name = rng.choice(list(case.log.kinds))
    values = POOLS[case.log.kinds[name]]
    for place in rng.sample(range(len(case.log.rows)), rng.randint(1, 3)):
        value = rng.choice(values)
        case.may_add += _may_add(case, name, place)
        case.log.rows[place][name] = value
        case.touched.add(case.log.page_of[place])
        case.changes.append(f"{name} of row {place}: {str(value)[:30]!r}")
    if case.file_format in ("parquet", "orc"):
        # A column has one type there: the other cells change with these.
        case.touch_all()
        case.may_add = UNLIMITED if name in ("clicked", "doc_ids") else case.may_add
    if case.log.reader == "yandex_wscd":
        case.rows_are_known = False


def hostile_column(case: Case, rng: random.Random) -> None:
    """Give a whole column another type."""
    name, kind = rng.choice(list(case.log.kinds)), rng.choice(list(TYPED))
    for row in case.log.rows:
        row[name] = rng.choice(TYPED[kind])
    case.touch_all()
    case.may_add = UNLIMITED
    case.rows_are_known = case.rows_are_known and case.log.reader != "yandex_wscd"
    case.changes.append(f"{name} is {kind}")


def copied_rows(case: Case, rng: random.Random) -> None:
    """Repeat rows as they are: most readers drop copies, and none counts their clicks twice where pages have ids."""
    places = rng.sample(range(len(case.log.rows)), rng.randint(1, 6))
    has_ids = case.log.reader != "yandex_wscd" and "serp_id" in [*case.columns, *_NAMES_OF_IDS[case.log.reader]]
    for place in places:
        case.log.rows.append(dict(case.log.rows[place]))
        case.log.page_of.append(case.log.page_of[place])
        case.touched |= set() if has_ids else {case.log.page_of[place]}
        case.may_add += 0 if has_ids else N_DOCS
    case.changes.append(f"rows {places} once more")


def clashing_pages(case: Case, rng: random.Random) -> None:
    """Repeat a page's rows with another query or document."""
    number = rng.randrange(len(case.log.pages))
    name = rng.choice([name for name, kind in case.log.kinds.items() if kind in ("text", "id", "array")])
    value = rng.choice(POOLS[case.log.kinds[name]]) if rng.random() < 0.5 else f"other {number}"
    for row in [dict(row) for row, of in zip(case.log.rows, case.log.page_of, strict=True) if of == number]:
        case.log.rows.append({**row, name: value})
        case.log.page_of.append(number)
        case.may_add += N_DOCS
    case.touched.add(number)
    if case.file_format in ("parquet", "orc"):
        case.touch_all()
    if case.log.reader == "yandex_wscd":
        case.rows_are_known = False
    case.changes.append(f"page {number} twice, with another {name}: {str(value)[:30]!r}")


def robot(case: Case, rng: random.Random) -> None:
    """Add a session with more pages than people ask for."""
    row = next(dict(row) for row in case.log.rows)
    for n in range(30):
        new = row | {name: f"robot{n}" for name in ("serp_id", "query_id", "query", "user_query") if name in row}
        new |= {"session_id": "robot"} if "session_id" in row else {"value": f"robot{n}\t1,2:"}
        case.log.rows.append(new)
        case.log.page_of.append(-1)
        case.may_add += N_DOCS
    case.changes.append("a robot")


def large_page(case: Case, rng: random.Random) -> None:
    """Add a page of many documents, and a click that is outside of every list."""
    place = rng.randrange(len(case.log.rows))
    row = dict(case.log.rows[place])
    if case.log.reader == "impressions":
        more = [{**row, "position": n, "doc_id": f"far{n}", "clicked": 0} for n in range(5, 3000, 2)]
    elif case.log.reader == "ubi":
        more = [{**row, "action_name": "click", "event_attributes.object.object_id": "nowhere", "user_query": None}]
        case.may_add += 1
    elif case.log.reader == "serps":
        more = [{**row, "doc_ids": [str(n) for n in range(3000)], "clicked": [0] * 3000}]
    else:
        more = [{"value": f"large\t{','.join(map(str, range(30_000)))}:7"}]
        case.may_add += 1
    case.log.rows += more
    case.log.page_of += [case.log.page_of[place]] * len(more)
    case.touched.add(case.log.page_of[place])
    case.changes.append(f"page {case.log.page_of[place]} is large")


def other_columns(case: Case, rng: random.Random) -> None:
    """Leave a column out, add one, put them in another order, or write a name in another case."""
    if case.log.reader == "yandex_wscd":
        return _torn_record(case, rng)
    change = rng.choice(["missing", "more", "order", "case"])
    name = rng.choice(case.columns)
    if change == "missing":
        case.columns.remove(name)
        case.touch_all()
        case.may_add = UNLIMITED
    elif change == "more":
        case.columns.insert(rng.randrange(len(case.columns)), "a `b` c")
    elif change == "order":
        rng.shuffle(case.columns)
    else:
        case.columns = [one.upper() if one == name else one for one in case.columns]
        case.log.rows = [{**row, name.upper(): row[name]} for row in case.log.rows]
        case.touch_all()
        case.may_add = UNLIMITED
    case.changes.append(f"columns: {change} ({name})")
    return None


def _torn_record(case: Case, rng: random.Random) -> None:
    place, sign = rng.randrange(len(case.log.rows)), rng.choice([*_SEPARATORS, *filter(None, ANY)])
    text = str(case.log.rows[place]["value"])
    cut = rng.randrange(len(text) + 1)
    case.log.rows[place]["value"] = text[:cut] + sign + text[cut + rng.randint(0, 3) :]
    case.touched.add(case.log.page_of[place])
    case.may_add += N_DOCS
    case.rows_are_known = False
    case.changes.append(f"row {place} is torn at {cut} by {sign[:20]!r}")


def _may_add(case: Case, name: str, place: int) -> int:
    """Return the clicks that another value of a cell may add."""
    if name in ("clicked", "action_name"):
        return N_DOCS
    return N_DOCS if name in ("doc_ids", "value", "query_response_hit_ids") else 0


def _write(case: Case, rng: random.Random) -> None:
    """Write the rows into one file or two."""
    rows, end = case.log.rows, case.file_format
    parts = [rows] if rng.random() < 0.7 or len(rows) < 2 else [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
    for n, part in enumerate(parts):
        content = log_files.encoded(part, case.columns, case.file_format)
        is_zipped = case.file_format in ("csv", "json", "text") and rng.random() < 0.2
        case.files[f"part-{n}.{end}{'.gz' if is_zipped else ''}"] = log_files.zipped(content) if is_zipped else content


def _damaged(case: Case, change: str) -> None:
    case.touch_all()
    case.rows_are_known, case.may_add = False, UNLIMITED
    case.changes.append(change)


def cut_file(case: Case, rng: random.Random) -> None:
    """Leave the end of a file out."""
    name, content = rng.choice(list(case.files.items()))
    keep = rng.randrange(len(content))
    case.files[name] = content[:keep]
    _damaged(case, f"{name} is cut at {keep} of {len(content)}")


def flipped_bytes(case: Case, rng: random.Random) -> None:
    """Change some bytes."""
    name, content = rng.choice(list(case.files.items()))
    changed = bytearray(content)
    places = [rng.randrange(len(content)) for _ in range(rng.randint(1, 5))]
    for place in places:
        changed[place] ^= 1 << rng.randrange(8)
    case.files[name] = bytes(changed)
    _damaged(case, f"{name} has other bytes at {places}")


def other_encoding(case: Case, rng: random.Random) -> None:
    """Write text in another encoding, or with a mark of its order of bytes."""
    kind = rng.choice(["utf-16", "utf-16-le", "latin-1", "cp1252", "utf-8-sig", "utf-32", "shift_jis"])
    for name, content in case.files.items():
        case.files[name] = content.decode("utf-8", "replace").encode(kind, "replace")
    _damaged(case, f"written in {kind}")


def mislabelled(case: Case, rng: random.Random) -> None:
    """Give a file the ending of another format."""
    name, content = rng.choice(list(case.files.items()))
    ending = rng.choice(["csv", "json", "parquet", "orc", "gz", "bz2", "snappy", "zst", "txt", "lz4"])
    del case.files[name]
    case.files[f"{name}.{ending}"] = content
    _damaged(case, f"{name} is named {ending}")


def stray_file(case: Case, rng: random.Random) -> None:
    """Put a file of something else beside it."""
    name = rng.choice(["x", "_x", ".x", "part-9"]) + f".{case.file_format}"
    contents = [
        b"",
        b"\x00" * 50,
        b"PK\x03\x04" + bytes(60),
        b"a,b\n1,2\n",
        b'{"a": 1}\n',
        b"[1, 2]\n",
        b"<html></html>\n",
    ]
    case.files[name] = rng.choice(contents)
    _damaged(case, f"{name} holds {case.files[name][:12]!r}")


def other_read(case: Case, rng: random.Random) -> None:
    """Read the files as another format than they are."""
    case.file_format = rng.choice(["csv", "json", "parquet", "orc", "text", "avro", "csvv"])
    _damaged(case, f"read as {case.file_format}")


_NAMES_OF_IDS = {"impressions": ["serp_id"], "serps": [], "ubi": ["serp_id"], "yandex_wscd": []}
_OF_ROWS: list[Callable[[Case, random.Random], None]] = [
    hostile_cells,
    hostile_cells,
    hostile_cells,
    hostile_column,
    copied_rows,
    clashing_pages,
    robot,
    large_page,
    other_columns,
]
_OF_FILES: list[Callable[[Case, random.Random], None]] = [
    cut_file,
    flipped_bytes,
    other_encoding,
    mislabelled,
    stray_file,
    other_read,
]


def store(case: Case, folder: Path) -> None:
    """Write the case's files."""
    folder.mkdir()
    for name, content in case.files.items():
        (folder / name).write_bytes(content)
