"""The errors that a user can cause or fix, each with one hint that says what to do next."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_NAMES_LISTED = 60
_WORD_CHARS = 1_000
"""Characters of a word that a message shows: a value from outside may be as long as it likes."""


class RankhammerError(Exception):
    """Base of every error that Rankhammer raises on purpose; the command line ends it with exit code 2.

    Args:
        message: What failed, what was found, what was expected, and where.
        hint: One action that cures it; printed on its own line.
        **values: The facts of the message (names, paths, counts), kept as attributes for callers.
    """

    def __init__(self, message: str, *, hint: str = "", **values: Any) -> None:
        message, hint = _with_short_words(message), _with_short_words(hint)
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.values = values

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.values)


def _with_short_words(text: str) -> str:
    if len(text) <= _WORD_CHARS:
        return text
    return re.sub(rf"(\S{{{_WORD_CHARS}}})\S+", r"\1…", text)


class ConfigError(RankhammerError):
    """A parameter, path or environment setting is wrong."""


def not_in_a_project(folder: object) -> ConfigError:
    """Return the error of a command that needs a project folder and was started elsewhere."""
    hint = "Start this in a project folder; `rankhammer new DIR` makes one."
    return ConfigError(f"{folder} is not in a project.", hint=hint)


class SchemaError(RankhammerError):
    """A table does not have the columns or types that its reader needs."""


class DataError(RankhammerError):
    """The rows themselves are unusable: none, all faulty, or stale."""


class PluginError(RankhammerError):
    """A plugin is unknown, broken, or was given wrong options."""


class EngineError(RankhammerError):
    """A search engine, embedded or remote, could not answer."""


class ExportError(RankhammerError):
    """A ranker cannot be written for a target, or its export does not score as the booster does."""


class ClusterError(RankhammerError):
    """Java, Spark, or the cluster under it is missing or refuses to work."""


class ConvergenceWarning(UserWarning):
    """An iterative fit stopped at max_iter before its tolerance was met."""


@dataclass(frozen=True)
class CorpusFailure:
    """One corpus that a stage could not serve; the others continue.

    Args:
        corpus: Which one.
        stage: The stage that gave it up.
        error: What failed, in one sentence.
        hint: One action that cures it.
    """

    corpus: str
    stage: str
    error: str
    hint: str = ""


def stop_if_all_failed(failures: Sequence[CorpusFailure], n_corpora: int) -> None:
    """Let a stage go on while at least one corpus is left.

    Args:
        failures: The corpora that failed in this stage.
        n_corpora: How many the stage was given.

    Raises:
        DataError: Every corpus failed; the text is the first failure's own.
    """
    if failures and len(failures) >= n_corpora:
        first = failures[0]
        others = f" ({len(failures) - 1} other corpora failed, too)" if len(failures) > 1 else ""
        raise DataError(
            f"Corpus {first.corpus!r} failed in {first.stage}: {first.error}{others}",
            hint=first.hint,
            corpora=[failure.corpus for failure in failures],
        )


def one_line(text: str, *, at_most: int = 300, whole: str = "") -> str:
    """Shorten a text for the terminal: one line, the beginning of it where it is long.

    Args:
        text: Of any length, such as the words of a library.
        at_most: Characters that are kept.
        whole: Where the whole text is; said where it is shortened.
    """
    line = " ".join(text.split())
    if len(line) <= at_most:
        return line
    return f"{line[:at_most].rstrip()} ..." + (f" (whole: {whole})" if whole else "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name is closest to a mistyped one, or list them all.

    Args:
        name: What the user wrote.
        known: The names that exist.

    Returns:
        One sentence that serves as a hint; of very many names it lists the first ones.
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    more = f", ... ({len(names)} in all)" if len(names) > _NAMES_LISTED else ""
    return f"Known names: {', '.join(names[:_NAMES_LISTED]) or 'none'}{more}."


def _rebuild(kind: type[RankhammerError], message: str, hint: str, values: dict[str, Any]) -> RankhammerError:
    """Unpickle an error that a Spark worker raised."""
    return kind(message, hint=hint, **values)
