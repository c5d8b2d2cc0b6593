"""One run: its closing table with intervals, what was found on the way, and what it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import Span, bar
from rankhammer.dashboard.shapes import dig, mapping, number, sequence, text
from rankhammer.plot_style import SYSTEMS, TRUTHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.dashboard.results import Report

_COUNTS = {
    "n_serps": ("ingestion", "result pages"),
    "n_judgments": ("labeling", "judgments"),
    "n_rows": ("features", "feature rows"),
    "n_test_queries": ("training", "test queries"),
}


def view(record: Report) -> dict[str, Any]:
    """Describe a run by its record alone, which is kept when its results are gone.

    Args:
        record: Of the history; without a fault.
    """
    content = record.content
    figures = mapping(content.get("figures"))
    metric = text(content.get("metric"))
    corpora = {corpus: mapping(facts) for corpus, facts in mapping(figures.get("training")).items()}
    return {
        "record": content,
        "stage_names": [text(stage) for stage in sequence(content.get("stages"))],
        "metric": metric,
        "confidence": number(content.get("confidence")),
        "corpora": [_corpus(corpus, facts, metric, figures) for corpus, facts in corpora.items()],
        "notes": [text(note) for name in ("left_out", "drift") for note in sequence(content.get(name))],
        "failures": [mapping(failure) for failure in sequence(content.get("failures"))],
        "held_back": mapping(content.get("held_back")),
        "stages": stage_bars(content),
        "made_of": _made_of(content),
    }


def _corpus(name: str, facts: Mapping[str, Any], metric: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    systems = {system: mapping(found) for system, found in mapping(facts.get(metric)).items()}
    differences = {label: mapping(found) for label, found in mapping(facts.get("differences")).items()}
    verdicts = mapping(facts.get("verdicts"))
    return {
        "name": name,
        "ranker": text(facts.get("learner") or facts.get("ranker")),
        "truth": TRUTHS.get(text(facts.get("truth")), text(facts.get("truth"))),
        "verdict": text(facts.get("verdict")),
        "systems": _intervals(systems, {system: SYSTEMS[system][0] for system in SYSTEMS}),
        "differences": _intervals(differences, {}, zero=True),
        "verdicts": {f"ranker - {other}": text(dig(found, "verdict")) for other, found in verdicts.items()},
        "counts": {label: dig(figures, stage, name, key) for key, (stage, label) in _COUNTS.items()},
        "metrics": _means(mapping(facts.get("metrics"))),
    }


def _intervals(
    found: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], *, zero: bool = False
) -> list[dict[str, Any]]:
    """Return a row for each interval, with its places in percent of a common width."""
    rows: list[dict[str, Any]] = []
    for key in [*(key for key in names if key in found), *(key for key in found if key not in names)]:
        mean, lower, upper = (number(found[key].get(part)) for part in ("mean", "lower", "upper"))
        if mean is not None:
            rows.append({"key": key, "name": names.get(key, key), "mean": mean, "lower": lower, "upper": upper})
    values = [row[part] for row in rows for part in ("mean", "lower", "upper") if row[part] is not None]
    span = Span.of(values, zero=zero)
    for row in rows:
        row["at"] = {part: None if row[part] is None else span.place(row[part]) for part in ("mean", "lower", "upper")}
        row |= {"zero": span.place(0.0) if zero else None, "span": span}
    return rows


def _means(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"truth": TRUTHS.get(truth, truth), "metric": metric, "values": {s: number(v) for s, v in mapping(of).items()}}
        for truth, every in metrics.items()
        for metric, of in sorted(mapping(every).items(), key=lambda one: (len(one[0]), one[0]))
    ]


def stage_bars(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each stage's seconds with its bar, in the order in which they ran."""
    seconds = {stage: number(s) for stage, s in mapping(content.get("stage_seconds")).items()}
    known = {stage: s for stage, s in seconds.items() if s is not None}
    order = [text(stage) for stage in sequence(content.get("stages"))]
    span = Span(0.0, max([*known.values(), 0.001]))
    rows = sorted(known, key=lambda stage: order.index(stage) if stage in order else len(order))
    return [{"name": stage, "seconds": known[stage], "bar": bar(known[stage], span)} for stage in rows]


def _made_of(content: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    parts = (("Inputs (checksum)", "inputs"), ("Parameters", "parameters"), ("Versions", "versions"))
    return [(title, flat(mapping(content.get(name)))) for title, name in parts]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted names; a list is one value."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {f"{prefix}{name}": value}
    return found
