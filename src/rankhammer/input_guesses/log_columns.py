"""Which column of a click log means what, and which reader understands it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rankhammer.datasets.input_samples import InputSample, value_at
from rankhammer.errors import SchemaError, did_you_mean
from rankhammer.input_guesses import column_contents as contents
from rankhammer.input_guesses.column_contents import Contents, describe_column
from rankhammer.input_guesses.column_names import name_score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyspark.sql.types import StructType

    Score = Callable[[Contents], float]

SURE, LIKELY, UNSURE = "sure", "likely", "unsure"
_NAME_WEIGHT = 0.6
_LEAST = 0.45
"""A column that fits worse than this is not taken, whatever else there is."""
_CLOSE = 0.08
"""Two columns that differ by less are both said."""
_SEEN_ROWS = 5000


@dataclass(frozen=True)
class Guess:
    """What one column is taken for.

    Args:
        role: Our name.
        column: The user's.
        score: How well it fits, 0 to 1.
        why: What speaks for it.
        rivals: Columns that fit nearly as well.
    """

    role: str
    column: str
    score: float
    why: str
    rivals: tuple[str, ...] = ()

    @property
    def confidence(self) -> str:
        """Sure, likely or unsure."""
        if self.rivals:
            return UNSURE
        return SURE if self.score >= 0.85 else LIKELY if self.score >= 0.6 else UNSURE


@dataclass(frozen=True)
class LogGuess:
    """How a click log is read.

    Args:
        reader: Name of the plugin.
        columns: By our name.
        options: Of the reader, beside `columns`.
        doubts: A sentence each.
    """

    reader: str
    columns: Mapping[str, Guess]
    options: Mapping[str, Any] = field(default_factory=dict)
    doubts: Sequence[str] = ()


_IMPRESSIONS: Mapping[str, Score] = {
    "clicked": contents.can_be_clicked,
    "position": contents.can_be_position,
    "query": contents.can_be_query,
    "doc_id": contents.can_be_id,
    "serp_id": contents.can_be_id,
    "shown_at": contents.can_be_time,
    "session_id": contents.can_be_id,
    "user_id": contents.can_be_id,
    "address": contents.can_be_id,
    "corpus": contents.can_be_corpus,
}
_SERPS: Mapping[str, Score] = {
    "query": contents.can_be_query,
    "serp_id": contents.can_be_id,
    "shown_at": contents.can_be_time,
    "session_id": contents.can_be_id,
    "user_id": contents.can_be_id,
    "address": contents.can_be_id,
    "corpus": contents.can_be_corpus,
}
_NEEDED = {"impressions": ("serp_id", "query", "doc_id", "position", "clicked"), "serps": ("query",)}
_BY_NAME_ALONE = ("session_id", "corpus", "shown_at")
"""Columns that a log can do without are taken only where their names speak for it."""
_BY_WHOLE_NAME = ("user_id", "address")
"""Those of which one word in common says too little: a user_agent, a browser."""
_ORDER = (
    *("corpus", "serp_id", "session_id", "user_id", "address", "query", "shown_at", "doc_id", "doc_ids", "position"),
    "clicked",
)
_MJOLNIR = {"wikiid", "query", "session_id", "timestamp", "hits", "clicks"}
_UBI = {"query_id", "user_query", "action_name"}


def describe_columns(sample: InputSample) -> dict[str, Contents]:
    """Describe every column of an input, those within structs by their paths."""
    return {
        path: describe_column(path, type_name, sample.values(path)[:_SEEN_ROWS])
        for path, type_name in _paths(sample.schema)
    }


def _paths(schema: StructType, prefix: str = "") -> Iterable[tuple[str, str]]:
    from pyspark.sql.types import StructType

    for one in schema.fields:
        if isinstance(one.dataType, StructType):
            yield from _paths(one.dataType, f"{prefix}{one.name}.")
        else:
            yield f"{prefix}{one.name}", one.dataType.simpleString()


def is_ubi(columns: Iterable[str]) -> bool:
    """Say whether columns are those of User Behavior Insights."""
    return {*columns} >= _UBI or {"query_id", "user_query", "query_response_hit_ids"} <= {*columns}


def is_mjolnir(columns: Iterable[str]) -> bool:
    """Say whether columns are those of MjoLniR's table of searches."""
    return {*columns} >= _MJOLNIR


def is_log(columns: Mapping[str, Contents]) -> bool:
    """Say whether a table can be a click log: it has clicks, by their name and by what they hold."""
    if is_ubi(columns) or is_mjolnir(columns):
        return True
    return any(
        name_score("clicked", name) >= 0.8 and (column.is_array or contents.can_be_clicked(column))
        for name, column in columns.items()
    )


def guess_log(sample: InputSample, *, given: Mapping[str, str], documents: Mapping[str, frozenset[str]]) -> LogGuess:
    """Say which column of a click log means what.

    Args:
        sample: Of the log.
        given: Our name to the user's, where the user has said it.
        documents: Each column of the documents that can name a corpus or an id, to its values; ids are the largest help
            in finding the log's.

    Raises:
        SchemaError: A column that is needed cannot be guessed, or one that was named is not there.
    """
    columns = describe_columns(sample)
    for role, name in given.items():
        if name not in columns:
            raise SchemaError(
                f"The click log has no column {name!r}, which --column names as {role!r}; it has {sorted(columns)}.",
                hint=did_you_mean(name, columns),
                column=name,
            )
    if is_ubi(columns):
        return LogGuess("ubi", {})
    if is_mjolnir(columns):
        return LogGuess("mjolnir", {})
    lists = {name: column for name, column in columns.items() if column.is_array}
    reader = "serps" if lists and not _has_places(columns) else "impressions"
    scored = _scored(columns, _SERPS if reader == "serps" else _IMPRESSIONS, sample, documents)
    chosen = _chosen(scored, columns, given)
    if reader == "serps":
        chosen |= _lists(lists, given)
    _require(reader, chosen, columns)
    guess = _log_guess(reader, chosen, columns)
    return replace(guess, doubts=[*guess.doubts, *_corpora_unsaid(chosen, columns, documents)])


def _corpora_unsaid(
    chosen: Mapping[str, Guess], columns: Mapping[str, Contents], documents: Mapping[str, frozenset[str]]
) -> list[str]:
    """Name what divides log and documents alike, and may be their corpora under a name that says nothing here."""
    taken = {guess.column for guess in chosen.values()}
    shared = [
        (name, other)
        for name, column in columns.items()
        if "corpus" not in chosen and name not in taken and contents.can_be_corpus(column) and column.n_distinct > 1
        for other, values in documents.items()
        if values == frozenset(column.texts)
    ]
    return [
        f"{name!r} has the same {columns[name].n_distinct} values as {other!r} of the documents. If they are corpora "
        f"(shops, languages), each of which gets a ranker of its own: --column corpus={name}."
        for name, other in shared[:1]
    ]


def _has_places(columns: Mapping[str, Contents]) -> bool:
    return any(name_score("position", name) >= 0.8 and contents.can_be_position(one) for name, one in columns.items())


def _scored(
    columns: Mapping[str, Contents],
    roles: Mapping[str, Score],
    sample: InputSample,
    documents: Mapping[str, frozenset[str]],
) -> dict[str, dict[str, float]]:
    """Return our name to each column that can be it and how well it fits."""
    by_role = {
        role: {name: _score(role, one, fits(one)) for name, one in columns.items()} for role, fits in roles.items()
    }
    for role in ("doc_id", "corpus"):
        for name in by_role.get(role, {}):
            by_role[role][name] *= _agreement(role, columns[name], documents)
    pages = by_role.get("serp_id", {})
    for name in list(pages):
        if pages[name]:
            pages[name] *= _is_one_page(name, max(by_role["query"], key=by_role["query"].__getitem__), sample)
    return {role: {name: score for name, score in found.items() if score >= _LEAST} for role, found in by_role.items()}


def _score(role: str, column: Contents, by_contents: float) -> float:
    if not by_contents:
        return 0.0
    by_name = name_score(role, column.name)
    if (role in _BY_NAME_ALONE and not by_name) or (role in _BY_WHOLE_NAME and by_name < 0.8):
        return 0.0
    return _NAME_WEIGHT * by_name + (1 - _NAME_WEIGHT) * by_contents


def _agreement(role: str, column: Contents, documents: Mapping[str, frozenset[str]]) -> float:
    """Raise what shares its values with a column of the documents, and lower what shares none."""
    if not documents:
        return 1.0
    own = set(column.texts)
    best = max((len(own & values) / len(own) for values in documents.values() if own), default=0.0)
    return (1.0 + best if best > 0.5 else 0.5) if role == "doc_id" else float(best > 0.5)


def _is_one_page(name: str, query: str, sample: InputSample) -> float:
    """Return the share of a column's values that go with one query: those of a session go with several."""
    queries: dict[str, set[str]] = {}
    for row in sample.rows[:_SEEN_ROWS]:
        queries.setdefault(str(value_at(row, name)), set()).add(str(value_at(row, query)))
    several = [found for found in queries.values() if len(found) > 1]
    return 1.0 if not several else max(0.0, 1.0 - 3 * len(several) / len(queries))


def _chosen(
    scored: Mapping[str, Mapping[str, float]], columns: Mapping[str, Contents], given: Mapping[str, str]
) -> dict[str, Guess]:
    """Give each role the column that fits best, the best fits first; no column has two."""
    chosen = {role: Guess(role, name, 1.0, "as --column says") for role, name in given.items()}
    pairs = sorted(
        ((-score, role, name) for role, found in scored.items() for name, score in found.items()),
        key=lambda one: one[:2],
    )
    for score, role, name in pairs:
        taken = {guess.column for guess in chosen.values()}
        if role in chosen or name in taken:
            continue
        rivals = tuple(
            other for other, its in scored[role].items() if other not in {name, *taken} and its > -score - _CLOSE
        )
        chosen[role] = Guess(role, name, min(1.0, -score), _why(role, columns[name]), rivals)
    # In our order, and a column that another role has won is no rival.
    won = {guess.column for guess in chosen.values()}
    return {
        role: Guess(role, one.column, one.score, one.why, tuple(name for name in one.rivals if name not in won))
        for role in _ORDER
        if (one := chosen.get(role))
    }


def _why(role: str, column: Contents) -> str:
    by_name = name_score(role, column.name)
    if role in _BY_WHOLE_NAME:
        # Nobody's id is written into a file of settings.
        return f"its name; {column.n_distinct} different values"
    return f"{'its name; ' if by_name >= 0.8 else ''}{column.description()}"


def _lists(lists: Mapping[str, Contents], given: Mapping[str, str]) -> dict[str, Guess]:
    chosen: dict[str, Guess] = {}
    for role in ("clicked", "doc_ids"):
        taken = {guess.column for guess in chosen.values()}
        free = [name for name in lists if name not in taken]
        best = max(free, key=lambda name: name_score(role, name), default="")
        if best and role not in given and (name_score(role, best) or len(free) == 1):
            chosen[role] = Guess(role, best, 0.5 + 0.5 * name_score(role, best), "a list in each row")
    return chosen


def _require(
    reader: str,
    chosen: Mapping[str, Guess],
    columns: Mapping[str, Contents],
) -> None:
    needed = (*_NEEDED[reader], *(("doc_ids", "clicked") if reader == "serps" else ()))
    missing = [role for role in needed if role not in chosen]
    if not missing:
        return
    taken = {guess.column for guess in chosen.values()}
    free = {name: column for name, column in columns.items() if name not in taken}
    candidates = "; ".join(f"{name} ({column.description()})" for name, column in free.items()) or "none"
    raise SchemaError(
        f"The click log has no column that is clearly {', '.join(map(repr, missing))}. Candidates: {candidates}.",
        hint=f"Name {'it' if len(missing) == 1 else 'each'}: --column {missing[0]}=NAME."
        f"{contents.values_of(missing[0])} The columns are described in docs/stages/ingestion.md.",
        missing=missing,
        candidates=sorted(free),
    )


def _time_unsaid(chosen: Mapping[str, Guess], columns: Mapping[str, Contents]) -> list[str]:
    """Name a column whose every value is a time that ingestion reads, under a name that does not say which time."""
    taken = {guess.column for guess in chosen.values()}
    # Whole numbers may be anything: ids, prices, seconds.
    times = [one for name, one in columns.items() if name not in taken and contents.can_be_time(one) and not one.number]
    if "shown_at" in chosen or not times:
        return []
    first, *others = sorted(times, key=lambda one: one.n_distinct, reverse=True)
    more = f" (also: {', '.join(repr(one.name) for one in others)})" if others else ""
    said = (
        f"{first.name!r} holds times such as {first.texts[0]!r}{more}, and its name does not say of what: shown_at is "
        f"left out. If it is when the page was shown: --column shown_at={first.name}. Sessions, robots and holdout: "
        "time need it."
    )
    return [said]


def _log_guess(reader: str, chosen: Mapping[str, Guess], columns: Mapping[str, Contents]) -> LogGuess:
    options: dict[str, Any] = {}
    doubts = [
        f"{guess.column!r} is taken for {role!r}; it could also be {', '.join(map(repr, guess.rivals))}."
        for role, guess in chosen.items()
        if guess.rivals
    ]
    if "position" in chosen and columns[chosen["position"].column].lowest == 0:
        options["first_position"] = 0
    taken = {guess.column for guess in chosen.values()}
    doubts += [
        f"{name!r} holds times such as {column.texts[0]!r}, which ingestion does not read: shown_at is left out. Write "
        "them as 2024-05-01T12:00:00, and map the column."
        for name, column in columns.items()
        if column.local_time > 0.5 and name not in taken and "shown_at" not in chosen
    ]
    doubts += [
        f"{name!r} is named like a time, and not all of its values are one that ingestion reads, such as "
        f"{column.texts[0]!r}: shown_at is left out. Write them as 2024-05-01T12:00:00, and map the column."
        for name, column in columns.items()
        if column.local_time <= 0.5 and name_score("shown_at", name) >= 0.8
        if name not in taken and "shown_at" not in chosen and column.texts
    ]
    doubts += _time_unsaid(chosen, columns)
    if not {"session_id", "user_id", "address"} & chosen.keys():
        doubts.append("No column is clearly a session or a user: robots cannot be told from people without one.")
    return LogGuess(reader, dict(chosen), options, doubts)
