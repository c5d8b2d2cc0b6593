"""The validation of a log as text for a terminal, and as one HTML page that needs nothing beside it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from rankhammer import plot_style

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from plotly.graph_objects import Figure

    from rankhammer.click_logs.log_findings import LogFinding
    from rankhammer.runs.validation import LogValidation

MAX_CORPORA = 10
"""Corpora that are drawn, the largest ones."""
_CONFIG = {"displayModeBar": False}
_BAR = 30
_SHOWN_POSITIONS = 10
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #24292f; background: #fff; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
.numbers th:not(:first-child):not(:last-child) { text-align: right; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #d0d7de; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.error { color: #b42318; font-weight: 600; } .warning { color: #9a6700; font-weight: 600; } .note { color: #57606a; }
.hint { color: #57606a; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; } th, td { border-color: #30363d; }
  .error { color: #ff7b72; } .warning { color: #d29922; } .note, .hint { color: #8b949e; }
}
"""


def text_lines(found: LogValidation) -> Iterator[str]:
    """Yield the validation for a terminal: corpora with their numbers, then findings, the worst first."""
    yield f"click_log: {found.log} (reader {found.reader or 'not known'})"
    for name, column in found.columns.items():
        yield f"  {name:18} {column}"
    for corpus in sorted(found.counts):
        yield ""
        yield from _corpus_lines(corpus, found)
    yield ""
    for one in found.findings:
        where = f"{_shown(one.corpus)}: " if one.corpus else ""
        yield f"{one.level:7} {where}{one.topic}: {_shown(one.message)}"
        if one.hint:
            yield f"{'':8}Hint: {_shown(one.hint)}"
    yield summary(found.findings)


def summary(findings: Sequence[LogFinding]) -> str:
    """Count the findings by level, in a sentence."""
    counts = {level: sum(one.level == level for one in findings) for level in ("error", "warning", "note")}
    return ", ".join(f"{n} {level}{'' if n == 1 else 's'}" for level, n in counts.items()) + "."


def _corpus_lines(corpus: str, found: LogValidation) -> Iterator[str]:
    counts, profile = found.counts[corpus], found.profiles.get(corpus)
    left_out = f"{counts.n_set_aside} faulty, {counts.n_robot_serps} of robots"
    yield f"{_shown(corpus)}: {counts.n_serps} of {counts.n_read} result pages would be kept ({left_out})"
    if profile is None:
        return
    if profile.days:
        yield f"  from {min(profile.days)} to {max(profile.days)}, {len(profile.days)} days with pages (UTC)"
    yield f"  {profile.n_queries} queries as typed, {counts.n_clicks} clicked documents"
    highest = max((rate.click_through for rate in profile.positions), default=0.0)
    for rate in profile.positions[:_SHOWN_POSITIONS]:
        bar = "#" * round(_BAR * rate.click_through / highest) if highest else ""
        yield f"  position {rate.position:3}  {rate.n_impressions:9} shown  {rate.click_through:6.1%} clicked  {bar}"


def html_page(found: LogValidation) -> str:
    """Return the validation as one page, scripts included: it can be sent to somebody."""
    drawn = (_days_figure(found), _positions_figure(found), _shown_figure(found), _lost_figure(found))
    figures = [figure for figure in drawn if figure]
    plots = [
        figure.to_html(full_html=False, include_plotlyjs=place == 0, default_height="420px", config=_CONFIG)
        for place, figure in enumerate(figures)
    ]
    corpora = "".join(_corpus_row(corpus, found) for corpus in sorted(found.counts))
    findings = "".join(map(_finding_row, found.findings))
    columns = "".join(f"<tr><td>{escape(name)}</td><td>{escape(one)}</td></tr>" for name, one in found.columns.items())
    head = (
        "<tr><th>corpus</th><th>read</th><th>kept</th><th>faulty</th><th>robots</th><th>clicks</th><th>days</th></tr>"
    )
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>Click log: {escape(found.log)}</title>"
        f"<style>{_STYLE}</style></head><body><h1>Click log</h1>"
        f"<p>{escape(found.log)}, read by {escape(found.reader or 'no reader')}: {escape(summary(found.findings))}</p>"
        f"<h2>What was found</h2><table>{findings or '<tr><td>Nothing.</td></tr>'}</table>"
        f"<h2>Corpora</h2><table class=numbers>{head}{corpora}</table>{''.join(plots)}"
        f"<h2>Columns</h2><table>{columns}</table></body></html>"
    )


def _finding_row(one: LogFinding) -> str:
    hint = f'<div class="hint">{escape(one.hint)}</div>' if one.hint else ""
    return (
        f'<tr><td class="{one.level}">{one.level}</td><td>{escape(one.corpus)}</td><td>{escape(one.topic)}</td>'
        f"<td>{escape(one.message)}{hint}</td></tr>"
    )


def _corpus_row(corpus: str, found: LogValidation) -> str:
    counts, profile = found.counts[corpus], found.profiles.get(corpus)
    numbers = (counts.n_read, counts.n_serps, counts.n_set_aside, counts.n_robot_serps, counts.n_clicks)
    days = f"{min(profile.days)} to {max(profile.days)}" if profile and profile.days else "no times"
    cells = "".join(f'<td class="n">{number:,}</td>' for number in numbers)
    return f"<tr><td>{escape(corpus)}</td>{cells}<td>{escape(days)}</td></tr>"


def _drawn(found: LogValidation) -> list[str]:
    return plot_style.largest_corpora({corpus: counts.n_read for corpus, counts in found.counts.items()}, MAX_CORPORA)


def _days_figure(found: LogValidation) -> Figure | None:
    """Plot pages by day; a day without any is a zero, so that it is seen."""
    lines = {}
    for corpus in _drawn(found):
        profile = found.profiles.get(corpus)
        if profile and profile.days:
            days = profile.days | dict.fromkeys(profile.missing_days(), 0)
            lines[corpus] = (sorted(days), [days[day] for day in sorted(days)])
    return _lines(lines, title="Result pages by day", x="day (UTC)", y="result pages") if lines else None


def _positions_figure(found: LogValidation) -> Figure | None:
    lines = {
        corpus: ([rate.position for rate in profile.positions], [rate.click_through for rate in profile.positions])
        for corpus in _drawn(found)
        if (profile := found.profiles.get(corpus)) and profile.positions
    }
    if not lines:
        return None
    figure = _lines(lines, title="Click-through by position", x="position (1: first)", y="clicks per shown document")
    return figure.update_yaxes(tickformat=".0%", rangemode="tozero")


def _shown_figure(found: LogValidation) -> Figure | None:
    """Plot how many documents were shown at each position: pages of other lengths, and gaps, are seen."""
    lines = {
        corpus: ([rate.position for rate in profile.positions], [rate.n_impressions for rate in profile.positions])
        for corpus in _drawn(found)
        if (profile := found.profiles.get(corpus)) and profile.positions
    }
    if not lines:
        return None
    return _lines(lines, title="Documents shown by position", x="position (1: first)", y="documents shown")


def _lines(lines: Mapping[str, tuple[Sequence[Any], Sequence[Any]]], *, title: str, x: str, y: str) -> Figure:
    from plotly.graph_objects import Figure, Scatter

    colours, figure = plot_style.corpus_colours(lines), Figure()
    for corpus, (across, up) in lines.items():
        figure.add_trace(Scatter(name=corpus, x=across, y=up, mode="lines+markers", line={"color": colours[corpus]}))
    return plot_style.themed(figure, title=title, legend="corpus", x=x, y=y)


def _lost_figure(found: LogValidation) -> Figure | None:
    """Plot what would be left out by reason."""
    from plotly.graph_objects import Bar, Figure

    colours, figure = plot_style.corpus_colours(_drawn(found)), Figure()
    for corpus in _drawn(found):
        counts = found.counts[corpus]
        robots = {f"robots: {rule}": one["n_serps"] for rule, one in counts.robots.items()}
        lost = {**counts.set_aside, **robots}
        if lost:
            marker = {"color": colours[corpus]}
            figure.add_trace(Bar(name=corpus, x=sorted(lost), y=[lost[name] for name in sorted(lost)], marker=marker))
    if not figure.data:
        return None
    return plot_style.themed(figure, title="Left out, by reason", legend="corpus", x="reason", y="result pages")


def _shown(text: str) -> str:
    """Return a text of somebody else for a terminal: on one line, without control characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
