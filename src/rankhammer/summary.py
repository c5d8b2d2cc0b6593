"""The closing facts of a run, as JSON and as a table for a person."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING, Any

from rich import box, get_console
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import rankhammer
from rankhammer import corpus_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.corpus_status import Scope
    from rankhammer.spark_health import Health

SYSTEMS = ("logged", "baseline", "ranker", "oracle")
ORDERED_BY = {"logged": "logged order", "baseline": "baseline", "ranker": "ranker", "oracle": "trained on truth"}
TRUTHS = {"reference": "reference judgments", "clicks": "judgments from clicks"}
MEASURED = {"metric": "ndcg@10", "confidence": 0.95}
"""What stands in the table's title while no training has said what it measured."""
PLAIN_WIDTH = 100
RSS_UNITS_A_MB = 1 << 20 if sys.platform == "darwin" else 1 << 10
"""`getrusage` counts bytes on macOS and KiB elsewhere."""
COUNTS = {
    "n_serps": ("ingestion", "n_serps"),
    "n_judgments": ("labeling", "n_judgments"),
    "n_feature_rows": ("features", "n_rows"),
}


def build(
    reports: Mapping[str, Mapping[str, Any] | None],
    *,
    stages_run: Sequence[str],
    stage_seconds: Mapping[str, float],
    total_s: float,
    published: str,
    scope: Scope,
    health: Health,
) -> dict[str, Any]:
    """Put the stages' reports together.

    Args:
        reports: Stage to its report ({"corpora": {corpus: facts}, "failures": [...]}), None where it has not run.
        stages_run: The stages of this run.
        stage_seconds: Seconds of each of them.
        total_s: Seconds of the run, the session's start included.
        published: Folder of the exported models.
        scope: What the run was to work on.
        health: Tasks that were done again, and executors that were lost.

    Returns:
        JSON-able facts; `corpora` has one entry a corpus that any stage knows.
    """
    known = {stage: report for stage, report in reports.items() if report}
    training = known.get("training", {})
    measured = {name: training.get(name, default) for name, default in MEASURED.items()}
    corpora = sorted({corpus for report in known.values() for corpus in report["corpora"]})
    found = [failure for report in known.values() for failure in report.get("failures", [])]
    failures = [failure for failure in found if scope.holds(failure["corpus"])]
    return {
        "rankhammer": rankhammer.__version__,
        "environment": scope.environment,
        "stages": list(stages_run),
        "stage_seconds": {stage: round(seconds, 2) for stage, seconds in stage_seconds.items()},
        "total_seconds": round(total_s, 2),
        "driver_peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // RSS_UNITS_A_MB,
        "n_tasks": health.n_tasks,
        "n_failed_tasks": health.n_failed_tasks,
        "lost_executors": list(health.lost_executors),
        "core_hours": round(health.core_hours, 4),
        "warning": health.warning,
        **measured,
        "corpora": {corpus: _facts(corpus, known, measured["metric"]) for corpus in corpora},
        "status": corpus_status.status_of(corpora, failures, scope),
        "failures": failures,
        "again": corpus_status.command_again(failures, scope, stages_run=stages_run),
        "published": published,
        "next": next_steps(scope.environment, known=tuple(known), stages_run=stages_run),
    }


def next_steps(environment: str, *, known: Sequence[str], stages_run: Sequence[str]) -> list[str]:
    """Say what people do after this run.

    Args:
        environment: Kedro environment of the run.
        known: Stages that have run, now or before.
        stages_run: Stages of this run.
    """
    env = "" if environment == "local" else f" --env={environment}"
    steps = []
    if "features" not in known:
        steps.append(f"kedro run --pipeline=collect{env}     # from the log to features; they need documents")
    elif "export" not in stages_run:
        steps.append(f"kedro run --pipeline=train{env}     # from the collected features to the ranker")
    if "training" in known:
        steps.append(f"kedro viz run{env}     # the line, and the reports behind this table")
    return [*steps, "conf/local/globals.yml     # put your own click log there (README)"]


def show(facts: Mapping[str, Any], *, where: str) -> None:
    """Print the closing table to the terminal.

    Args:
        facts: What `build` returned.
        where: Path of run_summary.json.
    """
    console = get_console() if get_console().is_terminal else Console(width=PLAIN_WIDTH)
    console.print(_table(facts))
    if truths := _truths(facts):
        console.print(f"Measured against {truths}.", soft_wrap=True, markup=False)
    for failure in facts["failures"]:
        who = escape(f"Corpus {failure['corpus']!r} failed in {failure['stage']}:")
        console.print(f"[red]{who}[/] {escape(failure['error'])}", soft_wrap=True)
        console.print(f"  Hint: {failure['hint']}", soft_wrap=True, markup=False)
    console.print(_status_table(facts["status"]))
    if facts["again"]:
        console.print("Failed corpora once more:", soft_wrap=True)
        console.print(f"  {facts['again']}", soft_wrap=True, markup=False, highlight=False)
    seconds = ", ".join(f"{stage} {value:.1f}" for stage, value in facts["stage_seconds"].items())
    console.print(f"Seconds: {seconds}; {facts['total_seconds']:.1f} in all.", soft_wrap=True)
    if facts["warning"]:
        console.print(f"[yellow]Warning:[/] {escape(facts['warning'])}.", soft_wrap=True)
    if "export" in facts["stages"]:
        console.print(f"Rankers: {facts['published']}", soft_wrap=True, markup=False)
    console.print(f"Facts:   {where}", soft_wrap=True, markup=False)
    console.print("Next:    " + "\n         ".join(facts["next"]), soft_wrap=True)


def show_status(status: Mapping[str, Mapping[str, str | None]]) -> None:
    """Print what became of each corpus, as the closing table does."""
    Console(width=PLAIN_WIDTH).print(_status_table(status))


def _facts(corpus: str, reports: Mapping[str, Mapping[str, Any]], metric: str) -> dict[str, Any]:
    of_stage = {stage: report["corpora"].get(corpus, {}) for stage, report in reports.items()}
    facts: dict[str, Any] = {name: of_stage.get(stage, {}).get(fact) for name, (stage, fact) in COUNTS.items()}
    training = of_stage.get("training", {})
    facts |= {"truth": training.get("truth"), metric: training.get(metric), "differences": training.get("differences")}
    return facts | {"targets": of_stage.get("export", {}).get("targets")}


def _table(facts: Mapping[str, Any]) -> Table:
    """One block a corpus, one line an order: it fits a terminal of 80 columns."""
    metric = facts["metric"]
    title = f"{metric} on held-out queries, {100 * facts['confidence']:g} % intervals by resampling query clusters"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("corpus", "SERPs", "judgments", "feature\nrows", "ordered by", metric):
        table.add_column(column, justify="left" if column in ("corpus", "ordered by") else "right", no_wrap=True)
    for corpus, of_corpus in facts["corpora"].items():
        if facts["status"][corpus]["state"] not in (corpus_status.DONE, corpus_status.FAILED):
            continue
        measured = of_corpus[metric] or {}
        first = [escape(corpus), *(_count(of_corpus[name]) for name in COUNTS)]
        for system in [system for system in SYSTEMS if system in measured] or ["none"]:
            table.add_row(*first, ORDERED_BY.get(system, "-"), _interval(measured.get(system)))
            first = [""] * len(first)
        table.add_section()
    return table


def _status_table(status: Mapping[str, Mapping[str, str | None]]) -> Table:
    """One line a corpus: which of thirty failed is seen at a glance."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("corpus", no_wrap=True)
    table.add_column("what became of it")
    for corpus, of_corpus in status.items():
        style = {corpus_status.FAILED: "red", corpus_status.DONE: "green"}.get(str(of_corpus["state"]))
        table.add_row(escape(corpus), corpus_status.said(of_corpus), style=style)
    return table


def _truths(facts: Mapping[str, Any]) -> str:
    """Say by whose grades each corpus was measured."""
    truths = {of_corpus["truth"] for of_corpus in facts["corpora"].values() if of_corpus["truth"]}
    named = {truth: [name for name, of in facts["corpora"].items() if of["truth"] == truth] for truth in sorted(truths)}
    return "; ".join(f"{TRUTHS.get(truth, truth)} ({', '.join(corpora)})" for truth, corpora in named.items())


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _interval(measured: Mapping[str, float | None] | None) -> str:
    if not measured or measured.get("mean") is None:
        return "-"
    if measured["lower"] is None:
        return f"{measured['mean']:.3f} (no interval)"
    return f"{measured['mean']:.3f} ({measured['lower']:.3f}-{measured['upper']:.3f})"
