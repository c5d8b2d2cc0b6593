"""The closing facts of a run, as JSON and as a table for a person, and what it left out of what it read."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING, Any

from rich import box, get_console
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import rankhammer
from rankhammer import plot_style
from rankhammer.errors import one_line
from rankhammer.runs import champion_facts, corpus_status, search_text, verdict_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Facts = Mapping[str, Any]
    from collections.abc import Mapping, Sequence

    from rankhammer.runs.corpus_status import Scope
    from rankhammer.spark.health import Health

MAX_LINES = 20
_FEW_FOUND = 0.1
_KEPT = ("kept", "repeated")
_USED_RECORDS = ("queries", "clicks", "impressions")


def describe(reports: Mapping[str, Facts], holds: Callable[[str], bool]) -> list[str]:
    """Say what was left out, and how many reference judgments were of use.

    Args:
        reports: Stage to its report.
        holds: Whether the run was to work on a corpus.

    Returns:
        Sentences, the corpora in order; what is beyond MAX_LINES is counted.
    """
    lines = [*_pages(reports, holds), *_documents(reports, holds), *_judgments(reports.get("training", {}), holds)]
    rest = [f"... and {len(lines) - MAX_LINES} more: see the stages' reports."] if len(lines) > MAX_LINES else []
    return lines[:MAX_LINES] + rest


def _pages(reports: Mapping[str, Facts], holds: Callable[[str], bool]) -> Iterator[str]:
    days = reports.get("ingestion", {}).get("days")
    if days:
        yield (
            f"Days of the click log: {days['n']} from {days['first']} to {days['last']}; "
            f"{days['n_ingested']} ingested by this run, the others kept."
        )
    for corpus, facts in _corpora(reports, "ingestion", holds):
        lost = [
            _listed("result pages", facts.get("n_read", 0), _lost_pages(facts)),
            _listed("clicks", sum(facts.get("clicks", {}).values()), _without(facts.get("clicks", {}), _KEPT)),
            _listed(
                "records", sum(facts.get("records", {}).values()), _without(facts.get("records", {}), _USED_RECORDS)
            ),
            *(f"{n} copies of {name}" for name, n in facts.get("duplicates", {}).items()),
        ]
        if any(lost):
            yield f"Left out of {corpus}: {'; '.join(filter(None, lost))}."
        yield from _sessions(corpus, facts)
    if any(facts.get("set_aside") for _, facts in _corpora(reports, "ingestion", holds)):
        yield "Faulty pages, each with its reason, are in the table `quarantine`."


def _sessions(corpus: str, facts: Facts) -> Iterator[str]:
    counts = facts.get("sessions", {})
    if counts.get("made"):
        share = counts.get("split", 0) / counts["made"]
        yield (
            f"Sessions of {corpus}: {counts['made']} made of {counts['pages of made sessions']} pages; "
            f"{counts.get('split', 0)} ({share:.1%}) were cut off longer ones."
        )
    if counts.get("late pages"):
        share = counts["late pages"] / max(1, facts.get("n_read", 0))
        yield f"Late pages of {corpus}: {counts['late pages']} ({share:.1%}) were received on a later day."


def _documents(reports: Mapping[str, Facts], holds: Callable[[str], bool]) -> Iterator[str]:
    for corpus, facts in _corpora(reports, "features", holds):
        faults = facts.get("documents_set_aside") or {}
        fields = {f"without a readable {name}": n for name, n in (facts.get("unreadable_fields") or {}).items()}
        n_copies = facts.get("document_copies") or 0
        copies = {"copies of others": n_copies} if n_copies else {}
        if faults or fields or copies:
            yield f"Documents of {corpus}: {_sum({**faults, **fields, **copies})}."


def _judgments(training: Facts, holds: Callable[[str], bool]) -> Iterator[str]:
    for corpus, facts in sorted(training.get("reference_judgments", {}).items()):
        if not holds(corpus):
            continue
        left = facts["set_aside"] | ({"without a grade": facts["n_ungraded"]} if facts["n_ungraded"] else {})
        lost = f" ({_sum(left)} left out)" if left else ""
        use = _use(corpus, facts, training)
        yield f"Reference judgments of {corpus}: {facts['n_kept']} of {facts['n_read']} kept{lost}; {use}."


def _use(corpus: str, facts: Facts, training: Facts) -> str:
    n_found, n_relevant = facts["n_relevant_found"], facts["n_relevant"]
    if n_found is None:
        return "not used, as this corpus was not trained"
    use = f"{n_found} of {n_relevant} relevant ones are on documents of the training rows"
    if n_found <= _FEW_FOUND * n_relevant:
        use = f"only {use}: check that queries and ids are written as in the click log"
    is_truth = training["corpora"].get(corpus, {}).get("truth") == "reference"
    return use if is_truth else f"{use}; not used, as no test query has a relevant one"


def _corpora(reports: Mapping[str, Facts], stage: str, holds: Callable[[str], bool]) -> Iterator[tuple[str, Facts]]:
    for corpus, facts in sorted(reports.get(stage, {}).get("corpora", {}).items()):
        if holds(corpus):
            yield corpus, facts


def _lost_pages(facts: Facts) -> dict[str, int]:
    robots = facts.get("n_robot_serps", 0)
    abandoned = facts.get("n_abandoned", 0)
    more = {"of robots": robots, "without a click": abandoned}
    return {**facts.get("set_aside", {}), **{name: n for name, n in more.items() if n}}


def _without(counts: Mapping[str, int], used: tuple[str, ...]) -> dict[str, int]:
    return {name: n for name, n in counts.items() if name not in used}


def _listed(what: str, n_all: int, lost: Mapping[str, int]) -> str:
    return f"{sum(lost.values())} of {n_all} {what} ({_sum(lost)})" if lost else ""


def _sum(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {_plain(name)}" for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _plain(name: str) -> str:
    """Write what would move a terminal's cursor, or change its colours, as Python does: names come from a log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


ORDERED_BY = {system: name for system, (name, _) in plot_style.SYSTEMS.items()}
TRUTHS = {
    "reference": "reference judgments",
    "clicks": "judgments from clicks",
    "given": "the grades that feature_rows came with",
}
MEASURED = {"metric": "ndcg@10", "confidence": 0.95}
"""What stands in the table's title while no training has said what it measured."""
PLAIN_WIDTH = 100
STATE_STYLES = {corpus_status.FAILED: "red", corpus_status.HELD_BACK: "red", corpus_status.DONE: "green"}
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
        JSON-able facts; `corpora` has one entry per corpus that any stage knows.
    """
    known = {stage: report for stage, report in reports.items() if report}
    training = known.get("training", {})
    measured = {name: training.get(name, default) for name, default in MEASURED.items()}
    corpora = sorted({corpus for report in known.values() for corpus in report["corpora"]})
    found = [failure for report in known.values() for failure in report.get("failures", [])]
    failures = [failure for failure in found if scope.holds(failure["corpus"])]
    status = corpus_status.status_of(corpora, failures, scope)
    held_back = verdict_text.held_back(known.get("export", {}), status)
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
        "left_out": describe(known, scope.holds),
        **measured,
        "corpora": {corpus: _facts(corpus, known, measured["metric"]) for corpus in corpora},
        "verdict_min_clusters": training.get("verdict_min_clusters"),
        "status": status,
        "held_back": held_back,
        "accept": verdict_text.accepting_command(held_back, scope),
        "promote": verdict_text.promoting_commands(held_back, scope),
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
    return [*steps, "rankhammer init-log FILE...     # your own click log, documents and grades (README)"]


def show(facts: Mapping[str, Any], *, where: str) -> None:
    """Print the closing table to the terminal.

    Args:
        facts: What `build` returned.
        where: Path of run_summary.json.
    """
    console = get_console() if get_console().is_terminal else Console(width=PLAIN_WIDTH)
    console.print(_table(facts))
    if any(of_corpus["verdicts"] for of_corpus in facts["corpora"].values()):
        console.print(verdict_text.verdict_table(facts["corpora"], facts["metric"]))
    if truths := _truths(facts):
        console.print(f"Measured against {truths}.", soft_wrap=True, markup=False)
    for line in verdict_text.verdict_lines(facts["corpora"], min_clusters=facts["verdict_min_clusters"]):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    for line in search_text.search_lines(facts["corpora"])[:MAX_LINES]:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    for line in (*champion_facts.champion_lines(facts["corpora"]), *facts["left_out"]):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    for line in facts.get("drift", ()):
        console.print(f"[yellow]Drift:[/] {escape(line)}", soft_wrap=True, highlight=False)
    for failure in facts["failures"]:
        who = escape(f"Corpus {failure['corpus']!r} failed in {failure['stage']}:")
        why = one_line(failure["error"], whole="run_summary.json")
        console.print(f"[red]{who}[/] {escape(why)}", soft_wrap=True)
        console.print(f"  Hint: {failure['hint']}", soft_wrap=True, markup=False)
    console.print(_status_table(facts["status"]))
    for line in verdict_text.held_back_lines(facts):
        console.print(line, soft_wrap=True, markup=False, highlight=False, style="red")
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
    """Print the status of each corpus, as the closing table does."""
    Console(width=PLAIN_WIDTH).print(_status_table(status))


_OF_TRAINING = ("differences", "verdict", "verdicts", "choice", "search_max_rows", "why_null")


def _facts(corpus: str, reports: Mapping[str, Mapping[str, Any]], metric: str) -> dict[str, Any]:
    of_stage = {stage: report["corpora"].get(corpus, {}) for stage, report in reports.items()}
    facts: dict[str, Any] = {name: of_stage.get(stage, {}).get(fact) for name, (stage, fact) in COUNTS.items()}
    training = of_stage.get("training", {})
    facts |= {"truth": training.get("truth"), metric: training.get(metric)}
    facts |= {name: training.get(name) for name in _OF_TRAINING}
    facts |= {"ranker": training.get("learner") or training.get("ranker")}
    facts |= {name: training[name] for name in champion_facts.NAMES if name in training}
    return facts | {"targets": of_stage.get("export", {}).get("targets")}


def _table(facts: Mapping[str, Any]) -> Table:
    """One block a corpus, one line an order: it fits a terminal of 80 columns."""
    metric = facts["metric"]
    title = f"{metric} on held-out queries, {100 * facts['confidence']:g} % intervals by resampling query clusters"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("corpus", "SERPs", "judgments", "feature\nrows", "ordered by", metric):
        table.add_column(column, justify="left" if column in ("corpus", "ordered by") else "right", no_wrap=True)
    for corpus, of_corpus in facts["corpora"].items():
        if facts["status"][corpus]["state"] not in corpus_status.WORKED_ON:
            continue
        measured = of_corpus[metric] or {}
        first = [escape(corpus), *(_count(of_corpus[name]) for name in COUNTS)]
        for system in [system for system in ORDERED_BY if system in measured] or ["none"]:
            table.add_row(*first, _ordered_by(system, of_corpus.get("ranker")), _interval(measured.get(system)))
            first = [""] * len(first)
        table.add_section()
    return table


def _ordered_by(system: str, ranker: str | None) -> str:
    """Name an order; of the ranker, also what it is."""
    named = ORDERED_BY.get(system, "-")
    return escape(f"{named}: {ranker}") if system == "ranker" and ranker else named


def _status_table(status: Mapping[str, Mapping[str, str | None]]) -> Table:
    """One line per corpus: which of thirty failed is seen at a glance."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("corpus", no_wrap=True)
    table.add_column("status")
    for corpus, of_corpus in status.items():
        style = STATE_STYLES.get(str(of_corpus["state"]))
        table.add_row(escape(corpus), corpus_status.describe_status(of_corpus), style=style)
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
