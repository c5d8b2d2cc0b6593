"""Looks at a user's files and says what they are: a click log, documents, grades, and how each is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rankhammer.datasets.file_checks import check_files
from rankhammer.datasets.input_samples import InputSample, read_sample, value_at
from rankhammer.errors import ConfigError, SchemaError
from rankhammer.input_guesses import column_contents as contents
from rankhammer.input_guesses.column_names import name_score
from rankhammer.input_guesses.document_columns import MAIN, DocumentsGuess, guess_documents, keys_of
from rankhammer.input_guesses.file_formats import FileFormat, guess_format
from rankhammer.input_guesses.log_columns import Guess, LogGuess, describe_columns, guess_log, is_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rankhammer.input_guesses.column_contents import Contents

LOG, DOCUMENTS, JUDGMENTS = "click_log", "documents", "reference_judgments"
DEFAULT_LANGUAGE = "english"
_ROLES = {
    LOG: (
        *(
            "serp_id",
            "session_id",
            "user_id",
            "address",
            "query",
            "shown_at",
            "doc_id",
            "position",
            "clicked",
            "corpus",
        ),
        "doc_ids",
    ),
    DOCUMENTS: ("doc_id", "corpus"),
    JUDGMENTS: ("query", "doc_id", "grade", "corpus"),
}


@dataclass(frozen=True)
class Looked:
    """An input that was looked at.

    Args:
        format: How it is read.
        sample: Its first rows; None for text that only its reader understands.
    """

    format: FileFormat
    sample: InputSample | None

    @property
    def n_rows(self) -> int:
        """Rows that were looked at."""
        return len(self.sample.rows) if self.sample else 0


@dataclass(frozen=True)
class InputGuesses:
    """What was guessed.

    Args:
        formats: Key of globals.yml to how that input is read.
        log: The click log's columns.
        documents: Those of the documents; None where there are none.
        judgments: Our name to the column of the grades; None where there are none.
        language: Of the queries, Snowball's name.
        n_rows: Key of globals.yml to the rows that were looked at.
        doubts: Key of globals.yml to a sentence each.
    """

    formats: Mapping[str, FileFormat]
    log: LogGuess
    documents: DocumentsGuess | None
    judgments: Mapping[str, Guess] | None
    language: str
    n_rows: Mapping[str, int]
    doubts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def columns(self) -> dict[str, Mapping[str, Guess]]:
        """Return key of globals.yml to our names to what was guessed."""
        documents = {DOCUMENTS: self.documents.columns} if self.documents else {}
        return {LOG: self.log.columns, **documents, **({JUDGMENTS: self.judgments} if self.judgments else {})}


def guess_inputs(
    paths: Sequence[str], *, documents: str | None = None, judgments: str | None = None, given: Mapping[str, str]
) -> InputGuesses:
    """Look at files and say what they are; of each at most some thousand rows are read.

    Args:
        paths: Of the click log; documents and grades may be among them where they are not named.
        documents: Of the documents.
        judgments: Of grades from people.
        given: What the user has said of columns: `clicked`, `documents.doc_id`, `judgments.grade` and so on, to own
            names.

    Raises:
        ConfigError: A path leads to nothing, there is no log among the files or more than one, or `given` names what no
            input has.
        SchemaError: A needed column cannot be guessed; the error has the candidates.
        DataError: A file is nothing that is read.
    """
    said = _by_input(given)
    inputs = _inputs(paths, documents, judgments)
    docs = inputs.get(DOCUMENTS)
    keys = keys_of(docs.sample) if docs and docs.sample else {}
    log = _log(inputs[LOG], said[LOG], keys)
    found = _documents(docs, log, inputs[LOG], said[DOCUMENTS])
    judged = _judgments(inputs.get(JUDGMENTS), said[JUDGMENTS], keys)
    language, doubts = _language(found, log, inputs[LOG])
    return InputGuesses(
        formats={name: one.format for name, one in inputs.items()},
        log=log,
        documents=found,
        judgments=judged,
        language=language,
        n_rows={name: one.n_rows for name, one in inputs.items()},
        doubts={
            LOG: [*inputs[LOG].format.doubts, *log.doubts, *doubts],
            DOCUMENTS: [*docs.format.doubts, *(found.doubts if found else ())] if docs else [],
            JUDGMENTS: [*inputs[JUDGMENTS].format.doubts] if JUDGMENTS in inputs else [],
        },
    )


def _by_input(given: Mapping[str, str]) -> dict[str, dict[str, str]]:
    said: dict[str, dict[str, str]] = {name: {} for name in _ROLES}
    for place, column in given.items():
        where, _, role = place.rpartition(".")
        name = {"": LOG, "judgments": JUDGMENTS}.get(where, where)
        if role not in _ROLES.get(name, ()):
            raise ConfigError(
                f"--column {place}={column}: there is no such column of ours.",
                hint="Names: " + ", ".join(_ROLES[LOG]) + "; documents.doc_id, documents.corpus; judgments.query, "
                "judgments.doc_id, judgments.grade, judgments.corpus.",
            )
        said[name][role] = column
    return said


def _inputs(paths: Sequence[str], documents: str | None, judgments: str | None) -> dict[str, Looked]:
    """Return key of globals.yml to the input; of unnamed ones by what they hold."""
    named = ((DOCUMENTS, documents), (JUDGMENTS, judgments))
    inputs = {name: look(path) for name, path in named if path is not None}
    for path in paths:
        one = look(path)
        name = LOG if len(paths) == 1 else _kind(one)
        if name in inputs:
            raise ConfigError(
                f"{inputs[name].format.path} and {path} both look like {name.replace('_', ' ')}.",
                hint="Name the folder that holds all files of an input, and say which it is: --documents, --judgments.",
            )
        inputs[name] = one
    if LOG not in inputs:
        raise ConfigError(
            f"None of {', '.join(paths)} looks like a click log: none has a column of clicks.",
            hint="Name the log alone, and the others by --documents and --judgments; `--column clicked=NAME` names the "
            "column.",
        )
    return {name: inputs[name] for name in _ROLES if name in inputs}


def look(path: str) -> Looked:
    """Look at an input: its format and its first rows.

    Raises:
        ConfigError: There is nothing.
        DataError: It is nothing that is read.
        SchemaError: Lines do not fit the header.
    """
    found = guess_format(path)
    check_files(found.files, found.name, found.load_args)
    return Looked(found, read_sample(found.files, found.name, found.load_args))


def _kind(looked: Looked) -> str:
    if looked.sample is None:
        return LOG
    columns = describe_columns(looked.sample)
    if is_log(columns):
        return LOG
    return JUDGMENTS if _best(columns, "grade") and _best(columns, "query") else DOCUMENTS


def _best(columns: Mapping[str, Contents], role: str) -> str:
    fits = {"grade": contents.can_be_grade, "query": contents.can_be_query, "doc_id": contents.can_be_id}[role]
    possible = [name for name, column in columns.items() if fits(column) and name_score(role, name) >= 0.8]
    return max(possible, key=lambda name: name_score(role, name) + fits(columns[name]), default="")


def _log(looked: Looked, said: Mapping[str, str], keys: Mapping[str, frozenset[str]]) -> LogGuess:
    if looked.format.name == "text":
        return LogGuess("yandex_wscd", {})
    if looked.sample is None:
        raise SchemaError(
            f"The columns of {looked.format.path} cannot be looked at here: {looked.format.name} in this form.",
            hint="Write conf/local/globals.yml by hand, as docs/stages/ingestion.md says.",
        )
    return guess_log(looked.sample, given=said, documents=keys)


def _documents(docs: Looked | None, log: LogGuess, of_log: Looked, said: Mapping[str, str]) -> DocumentsGuess | None:
    if docs is None:
        return None
    if docs.sample is None:
        raise SchemaError(
            f"The columns of {docs.format.path} cannot be looked at here.",
            hint="Write documents as JSON lines, CSV or Parquet, or `documents` of globals.yml by hand.",
        )
    values = {
        role: frozenset(_plain_values(of_log, log.columns[role].column))
        for role in ("doc_id", "corpus")
        if role in log.columns
    }
    return guess_documents(docs.sample, log_values=values if log.columns else None, given=said)


def _plain_values(looked: Looked, column: str) -> Iterable[str]:
    values = looked.sample.values(column) if looked.sample else []
    return (str(value).strip() for value in values)


def _judgments(
    looked: Looked | None, said: Mapping[str, str], keys: Mapping[str, frozenset[str]]
) -> Mapping[str, Guess] | None:
    if looked is None or looked.sample is None:
        return None
    columns = describe_columns(looked.sample)
    names = {role: said.get(role) or _best(columns, role) for role in ("query", "doc_id", "grade")}
    missing = [role for role, name in names.items() if name not in columns]
    if missing:
        candidates = "; ".join(f"{name} ({column.description()})" for name, column in columns.items())
        raise SchemaError(
            f"The grades have no column that is clearly {', '.join(map(repr, missing))}. Candidates: {candidates}.",
            hint=f"Name it: --column judgments.{missing[0]}=NAME.{contents.values_of(missing[0])}",
            candidates=sorted(columns),
        )
    corpus = said.get("corpus") or _corpus_of(columns, {*names.values()}, keys)
    chosen = names | ({"corpus": corpus} if corpus else {})
    return {
        role: Guess(role, name, max(0.5, name_score(role, name)), columns[name].description())
        for role, name in chosen.items()
    }


def _corpus_of(columns: Mapping[str, Contents], taken: set[str], keys: Mapping[str, frozenset[str]]) -> str:
    """Return the column whose values are names of corpora in the documents, too; empty where there is none."""
    free = {name: one for name, one in columns.items() if name not in taken and contents.can_be_corpus(one)}
    shared = [name for name, one in free.items() if any({*one.texts} <= values for values in keys.values())]
    return max(shared, key=lambda name: name_score("corpus", name), default="")


def _language(documents: DocumentsGuess | None, log: LogGuess, looked: Looked) -> tuple[str, list[str]]:
    """Return the language of most result pages, and what is in doubt about it."""
    known = {corpus: language for corpus, language in (documents.languages if documents else {}).items() if language}
    if not known:
        return DEFAULT_LANGUAGE, [f"The language of the queries is not known: {DEFAULT_LANGUAGE} is a guess."]
    corpus = log.columns.get("corpus")
    rows = looked.sample.rows if looked.sample else ()
    n = Counter(str(value_at(row, corpus.column)) if corpus else MAIN for row in rows)
    weights = Counter[str]()
    for name, language in known.items():
        weights[language] += n[name] + 1
    most = weights.most_common(1)[0][0]
    if len(weights) == 1:
        return most, []
    others = ", ".join(f"{name}: {language}" for name, language in known.items())
    doubt = f"Corpora are in several languages ({others}). Queries of each are read in its own; those of another corpus"
    return most, [f"{doubt} in {most}."]
