"""The ingestion report and its plot, from small values."""

from __future__ import annotations

import logging
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Figure, Scatter

from rankhammer import plot_style
from rankhammer.click_logs import CorpusCounts
from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rankhammer.click_logs import PositionRate

logger = logging.getLogger(__name__)
MAX_PLOTTED_POSITION = 50
_COUNTS = (
    *("n_read", "set_aside", "n_robot_serps", "n_robot_sessions", "n_abandoned", "robots", "sessions", "notes"),
    *("clicks", "records", "duplicates"),
)
_NOTES = ("uncompared", "absent")
"""Counts that only some settings bring."""


def absent_corpora(
    configured: Collection[str], found: Collection[str], corpora: Collection[str] | None
) -> dict[str, dict[str, Any]]:
    """Say which corpora have settings of their own and no result page; a warning names them.

    Args:
        configured: Those with a language or thresholds of their own.
        found: Those of the log.
        corpora: Those that the run works on; None: all.

    Returns:
        Corpus to its counts, none of which is above 0, and `absent`.
    """
    wanted = configured if corpora is None else set(configured) & set(corpora)
    absent = sorted(set(wanted) - set(found))
    if absent:
        logger.warning("No result page is of %s, which has settings of its own", ", ".join(map(repr, absent)))
    return {corpus: {**asdict(CorpusCounts()), "absent": True} for corpus in absent}


def ingestion_facts(
    facts: Mapping[str, Mapping[str, Any]],
    counts: Mapping[str, Mapping[str, Any]],
    failures: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """Put what was kept and what was left out side by side.

    Args:
        facts: Corpus to the facts of its kept pages.
        counts: Corpus to the counts taken before the write.
        failures: The corpora that were given up.

    Returns:
        The stage's report.

    Raises:
        DataError: Pages were sound, and all of them were left out.
    """
    given_up = {failure["corpus"] for failure in failures}
    _require_pages(facts, counts.keys() - given_up)
    names = (*_COUNTS, *_NOTES)
    corpora: dict[str, dict[str, Any]] = {}
    for corpus, counted in sorted(counts.items()):
        of_kept = facts.get(corpus, {"n_serps": 0})
        corpora[corpus] = {**of_kept, **{name: counted[name] for name in names if name in counted}}
        left_out = counted["n_serps"] - of_kept["n_serps"]
        if left_out and corpus not in given_up:
            corpora[corpus]["n_left_out"] = left_out
    return {"corpora": corpora, "failures": list(failures)}


def day_facts(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Say of a log in a folder a day which days there are; nothing of any other log.

    Args:
        summary: `whole.IngestedLog.days`; empty where the log is not in a folder a day.
    """
    if not summary:
        return {}
    days = sorted(summary["days"])
    return {"days": {"first": days[0], "last": days[-1], "n": len(days), "n_ingested": summary["n_ingested"]}}


def _require_pages(facts: Mapping[str, Mapping[str, Any]], usable: Collection[str]) -> None:
    if usable and not facts:
        raise DataError(
            "No query was searched for by enough sessions, or the sample is too small: no result page is left.",
            hint="Lower ingestion.min_sessions, or raise ingestion.sample_pairs.",
        )


def click_through_figure(rates: Sequence[PositionRate]) -> Figure:
    """Plot the share of shown documents that were clicked, by position, one line per corpus.

    Args:
        rates: In the order of corpus and position.
    """
    figure, colours = Figure(), plot_style.corpus_colours({rate.corpus for rate in rates})
    for corpus, group in groupby(rates, key=lambda rate: rate.corpus):
        line = list(group)
        figure.add_trace(
            Scatter(
                name=corpus,
                x=[rate.position for rate in line],
                y=[rate.click_through for rate in line],
                customdata=[[rate.n_impressions, rate.n_clicks] for rate in line],
                mode="lines+markers",
                line={"color": colours[corpus]},
                hovertemplate="position %{x}: %{y:.1%} of %{customdata[0]:,} shown were clicked",
            )
        )
    plot_style.themed(
        figure,
        title="Click-through by position",
        legend="corpus",
        x="position on the result page (1: first)",
        y="clicks per shown document",
    )
    return figure.update_yaxes(tickformat=".0%", rangemode="tozero")
