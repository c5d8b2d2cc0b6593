"""What the closing table says of a search, where there is something to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NAMED = 5
"""Corpora named in one line."""


def search_lines(corpora: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which corpora were searched by their size or got a simpler trial, and where more folds may choose otherwise.

    Args:
        corpora: Corpus to its facts in the summary; those of older runs know of neither.

    Returns:
        Sentences; none where all went the usual way.
    """
    by_size: dict[int, list[str]] = {}
    for corpus, facts in corpora.items():
        if facts.get("search_max_rows"):
            by_size.setdefault(facts["search_max_rows"], []).append(corpus)
    lines = [f"Searched as corpora of at most {size:,} rows: {_listed(by_size[size])}." for size in sorted(by_size)]
    lines += [_trial(corpus, facts) for corpus, facts in corpora.items() if _rule(facts) not in ("", "mean")]
    close = [corpus for corpus, facts in corpora.items() if _is_close(facts)]
    if close:
        lines.append(f"More folds (folding.n_folds: 11, say) may choose other parameters: {_listed(close)}.")
    return lines


def _rule(facts: Mapping[str, Any]) -> str:
    return str(((facts.get("choice") or {}).get("trial") or {}).get("rule", ""))


def _trial(corpus: str, facts: Mapping[str, Any]) -> str:
    trial = facts["choice"]["trial"]
    return f"{corpus} has trial {trial['number']} of {facts['ranker']}: {trial['reason']}."


def _is_close(facts: Mapping[str, Any]) -> bool:
    lead = (facts.get("choice") or {}).get("lead") or {}
    return bool(lead.get("more_folds_may_change_it"))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
