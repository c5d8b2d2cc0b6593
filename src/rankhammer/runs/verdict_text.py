"""What the closing table says of each ranker against the other orders: differences, one word, and what to do."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

from rankhammer import plot_style
from rankhammer.evaluation.verdict import BETTER, POWER, SAME, TOO_FEW, WORSE
from rankhammer.exporters.held_back import BY_HAND
from rankhammer.runs.corpus_status import HELD_BACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rankhammer.runs.corpus_status import Scope

FAVOURED = (
    "Judgments from clicks favour the logged order: they come from what it showed, at the places where it showed it."
)
AGAINST = {system: plot_style.SYSTEMS[system][0] for system in ("logged", "baseline", "champion")}
STYLES = {BETTER: "green", SAME: "yellow", WORSE: "red", TOO_FEW: "yellow"}
MOST_QUERIES = 1_000_000
"""More than this is no number that somebody collects."""


def verdict_table(corpora: Mapping[str, Any], metric: str) -> Table:
    """Return one line a corpus and order that its ranker was compared with.

    Args:
        corpora: Corpus to the closing table's facts; those without verdicts are left out.
        metric: What was measured.
    """
    table = Table(title=f"ranker minus another order, {metric} on the same queries", box=box.SIMPLE_HEAD)
    table.padding = (0, 1, 0, 0)
    for column in ("corpus", "ranker minus", "test\nqueries", "difference", "verdict"):
        table.add_column(column, justify="right" if column in ("test\nqueries", "difference") else "left", no_wrap=True)
    for corpus, facts in corpora.items():
        first = escape(corpus)
        for against, found in (facts.get("verdicts") or {}).items():
            word = found["verdict"]
            style = STYLES[word]
            verdict = f"[{style}]{word}[/]"
            table.add_row(first, AGAINST[against], f"{found['n_queries']:,}", _difference(found), verdict)
            first = ""
        table.add_section()
    return table


def verdict_lines(corpora: Mapping[str, Any], *, min_clusters: int | None) -> Iterator[str]:
    """Say what a word alone does not: how many queries it would take, and whom the truth favours.

    Args:
        corpora: Corpus to the closing table's facts.
        min_clusters: Query clusters that a verdict takes; None where training has not said it.
    """
    for corpus, facts in corpora.items():
        for against, found in (facts.get("verdicts") or {}).items():
            if found["verdict"] == SAME:
                yield f"{corpus}, {AGAINST[against]}: {_needed(found['n_queries_needed'])}"
    for corpus, facts in corpora.items():
        if facts.get("why_null"):
            yield f"Corpus {corpus!r} has {facts['why_null']}."
    few = [corpus for corpus, facts in corpora.items() if facts.get("verdict") == TOO_FEW]
    if few and min_clusters is not None:
        yield f"Too few queries ({', '.join(few)}): a verdict takes {min_clusters} test query clusters."
    if any(facts.get("truth") == "clicks" and "logged" in (facts.get("verdicts") or {}) for facts in corpora.values()):
        yield FAVOURED


def held_back_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Say which rankers did not become current, why, and how they would.

    Args:
        facts: The closing table's.
    """
    for corpus, reason in facts.get("held_back", {}).items():
        version = facts["status"].get(corpus, {}).get("version")
        where = f" It is in version {version}, and what was current stays." if version else ""
        yield f"Corpus {corpus!r}: the new ranker is not current, as it is {reason}.{where}"
    if facts.get("promote"):
        yield "Compare with what is current, and make the better one current:\n  " + "\n  ".join(facts["promote"])
    if facts.get("accept"):
        yield f"Make it current anyway (export.accept_worse names corpora):\n  {facts['accept']}"


def held_back(export: Mapping[str, Any], status: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the corpora whose ranker a run did not make current, and why.

    Args:
        export: The export stage's report; empty where there is none.
        status: Corpus to its status.
    """
    reasons = {corpus: facts.get("held_back") for corpus, facts in export.get("corpora", {}).items()}
    return {
        corpus: str(reason) for corpus, reason in reasons.items() if reason and status[corpus]["state"] == HELD_BACK
    }


def accepting_command(corpora: Mapping[str, str], scope: Scope) -> str | None:
    """Return the command that makes held-back rankers current; None where there are none, or by hand alone."""
    worse = [corpus for corpus, reason in corpora.items() if not reason.startswith(BY_HAND)]
    if not worse:
        return None
    # The command line has one value here, and a comma in it would part it.
    accepted = worse[0] if len(worse) == 1 and "," not in worse[0] else "true"
    return scope.command("export", **{"export.accept_worse": accepted})


def promoting_commands(corpora: Mapping[str, str], scope: Scope) -> list[str]:
    """Return the commands that promote rankers which become current by hand.

    Args:
        corpora: What `held_back` returned.
        scope: Of the run.
    """
    by_hand = [corpus for corpus, reason in corpora.items() if reason.startswith(BY_HAND)]
    of_env = "" if scope.environment == "local" else f" --env={scope.environment}"
    return [f"rankhammer promote {shlex.quote(corpus)}{of_env}" for corpus in by_hand]


def _difference(found: Mapping[str, Any]) -> str:
    if found["mean"] is None:
        return "-"
    if found["lower"] is None:
        return f"{found['mean']:+.3f} (no interval)"
    return f"{found['mean']:+.3f} ({found['lower']:+.3f} to {found['upper']:+.3f})"


def _needed(n_queries: int | None) -> str:
    if n_queries is None:
        return "no difference at all was seen; more queries of this kind would show none."
    number = f"{n_queries:,}" if n_queries <= MOST_QUERIES else f"more than {MOST_QUERIES:,}"
    return f"it would take about {number} test queries to show a difference of this size ({POWER:.0%} power)."
