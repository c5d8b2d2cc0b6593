"""One page that holds everything and loads nothing; what comes from a log is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from rankhammer_doctor.reports.text import NO_VERSION
from rankhammer_doctor.units import format_bytes, format_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:960px;margin:24px auto;padding:0 16px;color:#222;background:#fff}
h1{font-size:22px}h2{font-size:17px;margin-top:28px}svg{width:100%;height:auto;font:11px sans-serif}
table{border-collapse:collapse;font-size:13px;width:100%}td,th{padding:3px 8px;border-bottom:1px solid #ddd}
td,th{text-align:right}td:first-child,th:first-child{text-align:left}figure{margin:16px 0}figcaption{font-weight:600}
article{border-left:4px solid #888;padding:2px 12px;margin:14px 0;background:#fafafa}article.error{border-color:#b3261e}
article.warning{border-color:#c77700}article.info{border-color:#2a6f97}
pre{white-space:pre-wrap;background:#f0f0f0;padding:6px}
.tag{font-weight:700;text-transform:uppercase;font-size:12px}.quiet{color:#666}
"""
MOST_STAGES = 100
"""Stages that a page lists."""


def log_page(facts: Mapping[str, Any], plots: Iterable[str]) -> str:
    """Write a run's page.

    Args:
        facts: `reports.facts.log_facts`.
        plots: SVG of `reports.plots`.
    """
    application = facts["application"]
    name = application["name"] or facts["log"]["name"]
    body = [
        f"<h1>{escape(name)}</h1>",
        (
            f"<p>{escape(application['id'] or 'no id')}, Spark {escape(application['spark_version'] or NO_VERSION)}, "
            f"{format_ms(application['duration_ms'])}</p>"
        ),
        *_missing(facts["log"]["missing"]),
        *_findings(facts["findings"]),
        *plots,
        *_what_if(facts["what_if"]),
        *_stages(facts["stages"]),
        *_settings(facts["conf"]),
    ]
    return _page(f"Doctor: {name}", body)


def findings_page(title: str, facts: Mapping[str, Any], tables: Iterable[str] = ()) -> str:
    """Write a page of findings, for a configuration or a comparison."""
    return _page(f"Doctor: {title}", [f"<h1>{escape(title)}</h1>", *_findings(facts["findings"]), *tables])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; the first column is text, the others are figures."""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    return f"<table><tr>{titles}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _page(title: str, body: Iterable[str]) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _missing(sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield "<p class='quiet'>Missing: " + "; ".join(escape(one) for one in sentences[:10]) + "</p>"


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"<h2>Findings ({len(findings)})</h2>"
    if not findings:
        yield "<p>Nothing to change.</p>"
    for one in findings:
        yield f"<article class='{one['severity']}'><p><span class='tag'>{one['severity']} {escape(one['rule'])}</span> "
        place = f" <span class='quiet'>[{escape(one['place'])}]</span>" if one["place"] else ""
        yield f"{escape(one['summary'])}{place}</p>"
        yield from _list("ul", [*one["evidence"], *one["arithmetic"]])
        yield from _list("ol", one["remedies"])
        if one["changes"]:
            lines = (f"{change['file']}  {change['key']}: {change['value'] or '(none)'}" for change in one["changes"])
            yield f"<pre>{escape(chr(10).join(lines))}</pre>"
        effect = f"{escape(one['effect'])}. " if one["effect"] else ""
        yield f"<p class='quiet'>{effect}{escape(one['docs'])}</p></article>"


def _list(kind: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"<{kind}>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</{kind}>"


def _what_if(found: Mapping[str, Any] | None) -> Iterator[str]:
    if not found:
        return
    yield "<h2>What if: other numbers of executors</h2>"
    rows = (
        (
            f"{one['executors']} x {one['cores']} cores{' (this run)' if one['is_observed'] else ''}",
            format_ms(one["wall_ms"]),
            f"{one['core_hours']:.2f}",
        )
        for one in found["estimates"]
    )
    yield table(("executors", "wall time", "core-hours"), rows)
    smallest = found["smallest_within_10_percent"]
    yield (
        f"<p class='quiet'>No job ran for {format_ms(found['driver_ms'])}. The smallest size within 10 % of the best: "
        f"{smallest['executors']} x {smallest['cores']} cores.</p>"
    )


def _stages(stages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    longest = sorted((one for one in stages if one["complete_tasks"]), key=lambda one: -one["run_ms"])[:MOST_STAGES]
    if longest:
        yield "<h2>Stages with the most work</h2>"
        rows = (
            (
                f"{one['id']} {one['description'] or one['name']}"[:90],
                f"{one['complete_tasks']:,}",
                format_ms(one["duration_ms"]),
                format_ms(one["run_ms"]),
                format_bytes(one["input_bytes"] + one["shuffle_read_bytes"]),
                format_bytes(one["disk_spilled"]),
                format_ms(one["gc_ms"]),
            )
            for one in longest
        )
        yield table(("stage", "tasks", "time", "task time", "read", "spilled", "GC"), rows)


def _settings(conf: Mapping[str, str]) -> Iterator[str]:
    if conf:
        lines = "\n".join(f"{key}={value}" for key, value in conf.items())
        yield f"<h2>Settings</h2><details><summary>{len(conf)} keys</summary><pre>{escape(lines)}</pre></details>"
