"""The pages of one run as one file that needs nothing beside it: to mail, to keep, to open from a disk."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import rankhammer
from rankhammer.dashboard import page_list
from rankhammer.dashboard.pages import queries
from rankhammer.dashboard.rendering import HERE, render
from rankhammer.dashboard.shapes import mapping, text
from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.dashboard.results import Results
    from rankhammer.dashboard.tables import Tables

_STYLES = ("uPlot.min.css", "dashboard.css")
_SCRIPTS = ("theme.js", "uPlot.iife.min.js", "dashboard.js")
MOST_CORPORA = 10
MOST_QUERIES = 10
"""Explained queries of each corpus in a file, those that lost most first."""


def report(results: Results, tables: Tables, run: int, *, environment: str) -> str:
    """Write a run's pages as one HTML file.

    Args:
        results: Of an environment.
        tables: To ask.
        run: Number in the history.
        environment: Name of the environment.

    Returns:
        The file's content; the same results give the same bytes.

    Raises:
        DataError: There is no such run, or its record cannot be read.
    """
    record = results.record(run)
    if record.fault:
        raise DataError(record.fault, hint="`rankhammer runs` lists the runs of an environment.", run=run)
    corpora = sorted(mapping(mapping(record.content.get("figures")).get("training")))[:MOST_CORPORA]
    sections = [section for name in page_list.TABS for section in _sections(name, results, tables, run, corpora)]
    return render(
        "report.html",
        title=f"Run {run}",
        run=run,
        environment=environment,
        version=rankhammer.__version__,
        sections=sections,
        is_file=True,
        signed_in=False,
        copied="",
        **_assets(),
    )


def _sections(name: str, results: Results, tables: Tables, run: int, corpora: Sequence[str]) -> list[dict[str, Any]]:
    if name != "queries":
        return [_section(name, name, page_list.TABS[name], page_list.content(name, results, tables, run, {}), run)]
    found: list[dict[str, Any]] = []
    for corpus in corpora:
        explained = _explained(results, tables, run, corpus)
        view = page_list.content(name, results, tables, run, {"corpus": corpus})
        links = {section["title"]: f"#{section['id']}" for section in explained}
        view |= {"explained": set(links), "query_link": lambda _run, _corpus, query, links=links: links.get(query, "#")}
        found.append(_section(name, f"queries-{len(found)}", f"{page_list.TABS[name]}: {corpus}", view, run))
        found += explained
    return found


def _explained(results: Results, tables: Tables, run: int, corpus: str) -> list[dict[str, Any]]:
    compared = results.report("query_comparison", run)
    kept = [text(one.get("query")) for one in queries.compared_queries(compared.content, corpus)][:MOST_QUERIES]
    pairs = [
        (query, page_list.content("query", results, tables, run, {"corpus": corpus, "query": query})) for query in kept
    ]
    digest = hashlib.sha256(corpus.encode("utf-8", "replace")).hexdigest()[:8]
    return [_section("query", f"query-{digest}-{place}", query, view, run) for place, (query, view) in enumerate(pairs)]


def _section(template: str, anchor: str, title: str, view: Mapping[str, Any], run: int) -> dict[str, Any]:
    """Fill in one page's template without what stands around it."""
    body = render(f"page_{template}.html", view=view, run=run, is_file=True, **view)
    return {"id": anchor, "title": title, "body": body, "is_query": template == "query"}


def _assets() -> dict[str, Any]:
    """Return styles and scripts, and a policy that lets a browser take these alone."""
    styles, scripts = ([(HERE / "static" / name).read_text() for name in names] for names in (_STYLES, _SCRIPTS))
    style_hashes, script_hashes = (" ".join(map(_hash, texts)) for texts in (styles, scripts))
    policy = (
        f"default-src 'none'; style-src {style_hashes}; script-src {script_hashes}; base-uri 'none'; form-action 'none'"
    )
    return {"styles": styles, "scripts": scripts, "policy": policy}


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
