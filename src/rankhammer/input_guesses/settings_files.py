"""Writes guesses as configuration: globals.yml, the feature set and the baseline, with comments on what is unsure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from rankhammer.analyzers import ANALYZERS
from rankhammer.errors import ConfigError
from rankhammer.feature_sets.expressions import FUNCTIONS
from rankhammer.feature_sets.model import FeatureSet
from rankhammer.input_guesses.guess import DOCUMENTS, JUDGMENTS, LOG
from rankhammer.input_guesses.log_columns import SURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rankhammer.input_guesses.document_columns import DocumentsGuess
    from rankhammer.input_guesses.file_formats import FileFormat
    from rankhammer.input_guesses.guess import InputGuesses
    from rankhammer.input_guesses.log_columns import Guess

ENGLISH = "english"
_HEAD = """\
# Written by `rankhammer init-log` from what it saw of your files. Read it, correct what is wrong, and check it with
# `rankhammer plan`. Every key is described in conf/base/{name}.
"""
_BOTH = ("standard", ENGLISH)


def settings_files(guesses: InputGuesses) -> dict[str, str]:
    """Return the files to write, path below conf/<env> to text.

    Args:
        guesses: What was guessed.
    """
    files = {"globals.yml": _globals(guesses)}
    if guesses.documents is not None:
        features, baseline = features_of(guesses.documents)
        files["parameters/feature_set.yml"] = _feature_set(features, guesses.documents)
        files["parameters/training.yml"] = _training(baseline)
        if guesses.documents.texts:
            files["parameters/query_report.yml"] = _query_report(guesses.documents.texts[0])
    return files


def write_settings(folder: Path, files: Mapping[str, str], *, replaces: bool) -> list[Path]:
    """Write configuration.

    Args:
        folder: conf/<env>.
        files: What `settings_files` returned.
        replaces: Whether files that exist are written over.

    Returns:
        What was written.

    Raises:
        ConfigError: One exists, and is not to be replaced.
    """
    paths = {folder / name: text for name, text in files.items()}
    existing = [str(path) for path in paths if path.exists()]
    if existing and not replaces:
        raise ConfigError(
            f"{', '.join(existing)} would be written over.",
            hint="--force replaces them, --dry-run prints them, --env=NAME writes into another environment.",
            paths=existing,
        )
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [*paths]


def _globals(guesses: InputGuesses) -> str:
    lines = [_HEAD.format(name="globals.yml")]
    lines += _input(LOG, guesses, [*_log_options(guesses)])
    for name in (DOCUMENTS, JUDGMENTS):
        if name in guesses.formats:
            lines += _input(name, guesses, [*_columns("  ", guesses.columns()[name])])
        else:
            lines += [f"{name}:", "  path: null", ""]
    lines += [f"language: {_language(guesses)}", ""]
    return "\n".join(lines)


def _language(guesses: InputGuesses) -> str:
    """Name the queries' language, and the corpora whose queries are in another one."""
    by_corpus = guesses.documents.languages if guesses.documents else {}
    others = {corpus: one for corpus, one in by_corpus.items() if one and one != guesses.language}
    return _flow({"default": guesses.language, "corpora": others}) if others else guesses.language


def _input(name: str, guesses: InputGuesses, rest: Sequence[str]) -> Iterator[str]:
    found: FileFormat = guesses.formats[name]
    if guesses.n_rows[name]:
        yield f"# {guesses.n_rows[name]:,} rows were looked at."
    yield from (f"# Unsure: {doubt}" for doubt in guesses.doubts.get(name, ()))
    yield f"{name}:"
    yield f"  path: {_quoted(found.path)}"
    yield f"  format: {found.name}"
    yield f"  load_args: {_flow(found.load_args)}"
    yield from rest
    yield ""


def _log_options(guesses: InputGuesses) -> Iterator[str]:
    log = guesses.log
    yield f"  reader: {log.reader}"
    if not log.columns:
        yield "  options: {}"
        return
    yield "  options:"
    yield from _columns("    ", log.columns)
    yield from (f"    {name}: {_quoted(value)}" for name, value in log.options.items())


def _columns(indent: str, columns: Mapping[str, Guess]) -> Iterator[str]:
    """Yield our names with the user's, and a comment on each."""
    yield f"{indent}columns:"
    pairs = {role: f"{indent}  {role}: {_quoted(guess.column)}" for role, guess in columns.items()}
    width = max(map(len, pairs.values()), default=0)
    for role, guess in columns.items():
        doubt = "" if guess.confidence == SURE else f"{guess.confidence}: "
        yield f"{pairs[role]:{width}}  # {doubt}{_one_line(guess.why)}"


def features_of(documents: DocumentsGuess) -> tuple[list[dict[str, Any]], str]:
    """Return a feature set's features, and the name of the one that is the baseline.

    Args:
        documents: What was guessed of them.

    Raises:
        SchemaError: There is neither a text nor a number.
    """
    analyzers = _analyzers(documents.languages.values())
    names = _Names()
    features: list[dict[str, Any]] = []
    for field in documents.texts:
        for place, analyzer in enumerate(analyzers):
            name = names.of(field, "_bm25" if not place else f"_{analyzer}_bm25")
            features.append({"name": name, "type": "match", "field": field, "analyzer": analyzer})
    texts = [feature["name"] for feature in features]
    features += [
        {"name": names.of(field, "_phrase"), "type": "phrase", "field": field, "analyzer": analyzers[0]}
        for field in documents.texts[:2]
    ]
    features += [
        {"name": names.of(one.name, ""), "type": "field_value", "field": one.name, "modifier": one.modifier}
        for one in documents.numbers
    ]
    features.append({"name": names.of("query_length", ""), "type": "query_length", "analyzer": analyzers[0]})
    first = [name for name in texts if not name.endswith(f"_{ENGLISH}_bm25")]
    if len(first) > 1:
        best = _largest(first)
        features.append(
            {
                "name": names.of("best_field_bm25", ""),
                "type": "expression",
                "expression": f"{best} + 0.1 * ({' + '.join(first)})",
            }
        )
    baseline = features[-1]["name"] if len(first) > 1 else (texts or [features[0]["name"]])[0]
    return features, baseline


def _largest(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"max({names[0]}, {_largest(names[1:])})"


def _analyzers(languages: Iterable[str]) -> tuple[str, ...]:
    """Choose how texts become terms: by the stems of their language; as they are where corpora differ or are not known,
    and by English stems, too, where some may be English.
    """
    (language, *more) = known = {*languages} or {""}
    if not more and language in ANALYZERS:
        return (language,)
    return _BOTH if {ENGLISH, ""} & known else ("standard",)


class _Names:
    """Names of features: letters, digits and underscores, each once."""

    def __init__(self) -> None:
        self._taken = set[str]()

    def of(self, field: str, ending: str) -> str:
        plain = re.sub(r"\W+", "_", field, flags=re.ASCII).strip("_") or "field"
        if not plain[0].isalpha() or plain in FUNCTIONS or re.fullmatch(r"f\d+", plain):
            plain = f"field_{plain}"
        name, number = f"{plain}{ending}", 1
        while name in self._taken:
            number += 1
            name = f"{plain}_{number}{ending}"
        self._taken.add(name)
        return name


def _feature_set(features: Sequence[Mapping[str, Any]], documents: DocumentsGuess) -> str:
    FeatureSet.model_validate({"name": "own", "features": features})
    lines = [_HEAD.format(name="parameters/feature_set.yml").rstrip()]
    lines += [
        f"# Corpus {corpus!r} is in {language or 'a language that was not recognised'}."
        for corpus, language in documents.languages.items()
    ]
    lines += ["feature_set:", "  name: own", "  features:"]
    lines += [f"    - {_flow(feature)}" for feature in features]
    return "\n".join(lines) + "\n"


def _training(baseline: str) -> str:
    head = _HEAD.format(name="parameters/training.yml")
    return f"{head}training:\n  # The order that the ranker is compared with.\n  baseline_feature: {baseline}\n"


def _query_report(title: str) -> str:
    head = _HEAD.format(name="parameters/query_report.yml")
    return f"{head}query_report:\n  # The field that names a document for a person.\n  title_field: {_flow(title)}\n"


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.strip()


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _one_line(text: str) -> str:
    return " ".join(text.split())
