"""Which columns of documents are ids, corpora, texts and numbers, and in which languages the texts are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer.datasets.input_samples import value_at
from rankhammer.errors import SchemaError, did_you_mean
from rankhammer.input_guesses import column_contents as contents
from rankhammer.input_guesses.column_names import name_score
from rankhammer.input_guesses.log_columns import Guess, describe_columns
from rankhammer.queries.text_language import text_language

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.datasets.input_samples import InputSample
    from rankhammer.input_guesses.column_contents import Contents

MAX_TEXT_FIELDS = 6
MAX_NUMBER_FIELDS = 4
MAIN = "main"
_NUMBER_TYPES = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_TEXTS_PER_CORPUS = 500
_UNIQUE_WITHIN = 0.95
"""Share of different pairs of corpus and id from which on ids are taken to be those of a corpus each."""
_NO_SIGNAL = re.compile(r"(?i)(^|_)(id|ean|gtin|zip|plz|year|jahr)($|_)")


@dataclass(frozen=True)
class NumberField:
    """A number of the documents.

    Args:
        name: Own name.
        modifier: Of a `field_value` feature.
    """

    name: str
    modifier: str


@dataclass(frozen=True)
class DocumentsGuess:
    """How documents are read.

    Args:
        columns: By our name: doc_id, and corpus where there is one.
        texts: Fields with words, the title first.
        numbers: Fields with numbers.
        languages: Corpus to Snowball's name of its language; empty where it is not known.
        doubts: A sentence each.
    """

    columns: Mapping[str, Guess]
    texts: Sequence[str]
    numbers: Sequence[NumberField]
    languages: Mapping[str, str]
    doubts: Sequence[str]


def keys_of(sample: InputSample) -> dict[str, frozenset[str]]:
    """Return the columns of documents that can be an id or name a corpus, each with its values."""
    columns = describe_columns(sample)
    ids = _unique(sample, columns)
    return {
        name: frozenset(column.texts)
        for name, column in columns.items()
        if column.n and (name in ids or contents.can_be_corpus(column))
    }


def _unique(sample: InputSample, columns: Mapping[str, Contents], corpus: str = "") -> dict[str, Contents]:
    """Return the columns whose values name a document: hardly one comes again, at least not within a corpus.

    Args:
        sample: Of the documents.
        columns: Described.
        corpus: The column that names corpora, where it is known; else each that is named like one and can be it.
    """
    named = [name for name, one in columns.items() if contents.can_be_corpus(one) and name_score("corpus", name)]
    corpora = [corpus] if corpus else named
    return {
        name: one
        for name, one in columns.items()
        if not one.is_array and one.words < 1.5
        if one.n_distinct > 0.5 * one.n or any(_is_unique_within(sample, name, other) for other in corpora)
    }


def _is_unique_within(sample: InputSample, name: str, corpus: str) -> bool:
    pairs = [(str(value_at(row, corpus)), str(value_at(row, name))) for row in sample.rows]
    return name != corpus and len(set(pairs)) > _UNIQUE_WITHIN * len(pairs)


def guess_documents(
    sample: InputSample, *, log_values: Mapping[str, frozenset[str]] | None, given: Mapping[str, str]
) -> DocumentsGuess:
    """Say which column of documents means what.

    Args:
        sample: Of the documents.
        log_values: The log's values of doc_id and, where it has one, corpus; None: its columns have fixed names.
        given: Our name to the user's, where the user has said it.

    Raises:
        SchemaError: No column can be the id.
    """
    columns = describe_columns(sample)
    corpus = _corpus(columns, log_values, given)
    unique = _unique(sample, columns, corpus.column if corpus else "")
    doc_id = _named("doc_id", columns, given) or _best("doc_id", unique, log_values)
    if doc_id is None:
        raise SchemaError(
            f"The documents have no column that is clearly 'doc_id'. Candidates: {', '.join(sorted(columns))}.",
            hint="Name it: --column documents.doc_id=NAME; its values have to be those of the click log's.",
            candidates=sorted(columns),
        )
    chosen = {"doc_id": doc_id} | ({"corpus": corpus} if corpus else {})
    free = {name: one for name, one in columns.items() if name not in {guess.column for guess in chosen.values()}}
    texts, numbers = _texts(free), _numbers(free)
    return DocumentsGuess(
        chosen,
        texts,
        numbers,
        _languages(sample, texts, corpus.column if corpus else ""),
        _doubts(free, texts, numbers, doc_id, log_values),
    )


def _corpus(
    columns: Mapping[str, Contents], log_values: Mapping[str, frozenset[str]] | None, given: Mapping[str, str]
) -> Guess | None:
    """Say which column names corpora; none where the log has none, unless the user has said it."""
    said = _named("corpus", columns, given)
    if said or (log_values is not None and "corpus" not in log_values):
        return said
    return _best("corpus", {name: one for name, one in columns.items() if contents.can_be_corpus(one)}, log_values)


def _named(role: str, columns: Mapping[str, Contents], given: Mapping[str, str]) -> Guess | None:
    """Take what the user has said."""
    if role not in given:
        return None
    if given[role] not in columns:
        raise SchemaError(
            f"The documents have no column {given[role]!r}, which --column names as {role!r}; found {sorted(columns)}.",
            hint=did_you_mean(given[role], columns),
            column=given[role],
        )
    return Guess(role, given[role], 1.0, "as --column says")


def _best(role: str, columns: Mapping[str, Contents], log_values: Mapping[str, frozenset[str]] | None) -> Guess | None:
    """Choose by shared values where the log is known, else by the name."""
    theirs = (log_values or {}).get(role)

    def score(name: str) -> float:
        if not theirs:
            return name_score(role, name)
        shared = len(theirs & set(columns[name].texts)) / len(theirs)
        return 0.9 * shared + 0.1 * name_score(role, name)

    best = max(columns, key=score, default="")
    if not best or score(best) <= 0.05:
        return None
    shared = f"its values are those of the log's {role}; " if theirs and score(best) > 0.5 else ""
    return Guess(role, best, score(best), f"{shared}{columns[best].description()}")


def _texts(columns: Mapping[str, Contents]) -> list[str]:
    """Return fields with words, titles first, then the others in their order."""
    fields = [name for name, column in columns.items() if "." not in name and contents.is_text_field(column)]
    return sorted(fields, key=lambda name: -name_score("title", name))[:MAX_TEXT_FIELDS]


def _numbers(columns: Mapping[str, Contents]) -> list[NumberField]:
    """Return number fields; one that spreads widely is taken by its logarithm."""
    usable = [
        column
        for name, column in columns.items()
        if "." not in name and column.type_name.startswith((*_NUMBER_TYPES, "string")) and column.number == 1
        if column.n_distinct > 1
    ]
    kept = [column for column in usable if not _NO_SIGNAL.search(column.name)][:MAX_NUMBER_FIELDS]
    return [NumberField(one.name, "log1p" if one.lowest >= 0 and one.highest > 20 else "none") for one in kept]


def _languages(sample: InputSample, texts: Sequence[str], corpus: str) -> dict[str, str]:
    by_corpus: dict[str, list[str]] = {}
    for row in sample.rows:
        of_corpus = by_corpus.setdefault(str(value_at(row, corpus)) if corpus else MAIN, [])
        if len(of_corpus) < _TEXTS_PER_CORPUS:
            of_corpus.append(" ".join(str(row.get(name) or "") for name in texts))
    return {name: text_language(found) for name, found in sorted(by_corpus.items())}


def _doubts(
    columns: Mapping[str, Contents],
    texts: Sequence[str],
    numbers: Sequence[NumberField],
    doc_id: Guess,
    log_values: Mapping[str, frozenset[str]] | None,
) -> list[str]:
    doubts = []
    if log_values is not None and not doc_id.why.startswith(("its values", "as --column")):
        doubts.append(f"Few of the log's documents were seen in {doc_id.column!r}: compare the ids.")
    known = {*texts, *(number.name for number in numbers)}
    unused = [name for name in columns if name not in known]
    if unused:
        doubts.append(f"No features are made of {', '.join(unused)}.")
    return doubts
