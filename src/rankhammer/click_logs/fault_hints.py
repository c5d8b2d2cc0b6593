"""What to do about a fault, as far as the reader's options allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_OTHERWISE = "Correct the log."
_RAISE = "Or raise ingestion.max_bad_share if this is expected."


class _Hint(NamedTuple):
    """A hint that holds only where the reader has an option, and where that has a value that it can be changed from."""

    text: str
    option: str = ""
    value: Any = None


_HINTS: Mapping[str, tuple[_Hint, ...]] = {
    "bad_position": (
        _Hint("If your positions start at 0, set click_log.options.first_position: 0.", "first_position", 1),
    ),
    "missing_position": (_Hint("Map the column that holds it: click_log.options.columns.position.", "columns"),),
    "unreadable_position": (
        _Hint(
            "Map a column of whole numbers (click_log.options.columns), or raise click_log.options.max_position.",
            "max_position",
        ),
    ),
    "unreadable_clicked": (
        _Hint(
            "Write 0 or false where there was no click, and map a column of flags or counts: "
            "click_log.options.columns.clicked.",
            "columns",
        ),
    ),
    "unreadable_shown_at": (
        _Hint(
            "Write times as ISO 8601 text or as an epoch (docs/stages/ingestion.md lists the formats), or map another "
            "column under click_log.options.columns.",
            "columns",
        ),
    ),
    "unreadable_id": (_Hint("Write ids as text, exactly as the search index has them."),),
    "conflicting_query": (
        _Hint("The id is not one of result pages: map another under click_log.options.columns.", "columns"),
    ),
    "missing_query": (_Hint("Map the column that holds it under click_log.options.columns.", "columns"),),
    "missing_doc_id": (_Hint("Map the column that holds it under click_log.options.columns.", "columns"),),
    "repeated_document": (_Hint("Set ingestion.repeated_documents: first_place to keep such pages."),),
    "repeated_position": (
        _Hint(
            "Set click_log.options.duplicates: drop if these are copies of rows, or correct the positions.",
            "duplicates",
            "fault",
        ),
        _Hint("Correct the positions: rows that differ stand at one place."),
    ),
    "duplicate_serp_id": (
        _Hint(
            "Set click_log.options.duplicates: drop if these are copies of pages, or correct the ids.",
            "duplicates",
            "fault",
        ),
        _Hint("The id is not one of result pages: map another under click_log.options.columns.", "columns"),
    ),
    "too_late": (_Hint("Raise ingestion.sessions.max_late_days if the log may come later.", "columns"),),
    "too_long": (_Hint("Correct the log; ingestion.max_query_chars, max_id_chars and max_documents hold the limits."),),
    "unreadable_record": (_Hint("Check click_log.reader and load_args: another format may fit the text."),),
}


def hint_for(reason: str, options: Mapping[str, Any]) -> str:
    """Say what to do about the most frequent fault, or that more of them may be let pass.

    Args:
        reason: As for `cure_for`.
        options: Likewise.
    """
    cure = cure_for(reason, options)
    if cure == _OTHERWISE:
        return "Correct the log, or raise ingestion.max_bad_share if this is expected."
    return f"{cure} {_RAISE}"


def cure_for(reason: str, options: Mapping[str, Any]) -> str:
    """Say what to do about a fault.

    Args:
        reason: A key of `faults.REASONS`, or another reader's own.
        options: The reader's options with their values: a hint names no other.
    """
    for hint in _HINTS.get(reason, ()):
        if not hint.option or (hint.option in options and hint.value in (None, options[hint.option])):
            return hint.text
    return _OTHERWISE
