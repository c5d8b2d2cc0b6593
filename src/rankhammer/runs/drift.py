"""What is much unlike the run before: the click log, labels, feature rows and the measured metric of each corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.runs.held_out import BY_TIME, HOLDOUT, describe_holdout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Figures = Mapping[str, Any]

MOST_LINES = 20
FACTOR = 1.5
"""A count that grew or fell by more than this is told of."""
POINTS = 0.1
"""A share that moved by more than this is told of."""
_COUNTS = (
    ("ingestion", "n_serps", "result pages"),
    ("labeling", "n_judgments", "judgments"),
    ("features", "n_rows", "feature rows"),
)
_SHARES = (
    ("ingestion", "n_clicks", "n_impressions", "clicked of all shown documents"),
    ("labeling", "n_graded", "n_judgments", "graded of all judgments"),
)
_MEASURED_BY = {HOLDOUT: "the hold-out", "truth": "the truth"}


def describe(
    figures: Mapping[str, Mapping[str, Figures]], before: Iterable[Mapping[str, Any]], metric: str
) -> list[str]:
    """Compare a run's figures with those of the runs before.

    Args:
        figures: Stage to corpus to its figures, see `history.figures`.
        before: Records of earlier runs, the newest first; each figure is compared with the newest that has it. Only as
            many are read as that takes.
        metric: The headline metric.

    Returns:
        Sentences, the corpora in order; what is beyond MOST_LINES is counted.
    """
    wanted = {(stage, corpus) for stage, corpora in figures.items() for corpus in corpora}
    known = _newest(wanted, before)
    lines = [
        f"Corpus {corpus!r}: {line}."
        for corpus in sorted({corpus for _, corpus in wanted})
        for stage in figures
        if (stage, corpus) in known
        for run, old in [known[stage, corpus]]
        for line in _lines(stage, old, figures[stage][corpus], metric, run)
    ]
    rest = [f"... and {len(lines) - MOST_LINES} more: `rankhammer runs diff`."] if len(lines) > MOST_LINES else []
    return lines[:MOST_LINES] + rest


def _newest(
    wanted: set[tuple[str, str]], before: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, str], tuple[str, Figures]]:
    """Return the newest earlier figures of each stage and corpus, with the name of their run."""
    found: dict[tuple[str, str], tuple[str, Figures]] = {}
    for record in before:
        for stage, corpora in (record.get("figures") or {}).items():
            for corpus, figures in corpora.items():
                found.setdefault((stage, corpus), (f"#{record.get('number')}", _with_holdout(figures, record)))
        if wanted <= found.keys():
            break
    return found


def _with_holdout(figures: Figures, record: Mapping[str, Any]) -> Figures:
    """Add what was held out where a record is of a version that did not say it, and its parameters do."""
    found = None if HOLDOUT in figures else describe_holdout(record.get("parameters") or {})
    return figures if found is None else {**figures, HOLDOUT: found}


def _lines(stage: str, old: Figures, new: Figures, metric: str, run: str) -> Iterator[str]:
    if stage == "training" and (why := _not_comparable(old, new)):
        if all(_is_number(_ranker(found, metric).get("mean")) for found in (old, new)):
            yield f"{metric} of the ranker is not comparable with that of run {run}: {why}"
        return
    if stage == "labeling" and _period(old) != _period(new):
        # Judgments of a part of the days are fewer; what was held out is said of the ranker.
        return
    for moved in _moved(stage, old, new, metric):
        yield f"{moved}, since run {run}"


def _period(found: Figures) -> str:
    """Return by which days judgments were made apart; empty for all days together."""
    holdout = str(found.get(HOLDOUT) or "")
    return holdout if holdout.startswith(BY_TIME) else ""


def _not_comparable(old: Figures, new: Figures) -> str:
    """Say what differs of how two figures were measured; empty where nothing does, or nobody knows."""
    pairs = {name: (old.get(name), new.get(name)) for name in _MEASURED_BY}
    return "; ".join(
        f"{_MEASURED_BY[name]} differs ({before} -> {now})"
        for name, (before, now) in pairs.items()
        if before is not None and now is not None and before != now
    )


def _moved(stage: str, old: Figures, new: Figures, metric: str) -> Iterator[str]:
    for of_stage, name, what in _COUNTS:
        if stage == of_stage and _is_number(old.get(name), new.get(name)):
            yield from _count(what, old[name], new[name])
    for of_stage, part, whole, what in _SHARES:
        shares = [_share(found, part, whole) for found in (old, new)]
        if stage == of_stage and _is_number(*shares) and abs(shares[1] - shares[0]) > POINTS:  # type: ignore[operator]
            yield f"{shares[0]:.1%} -> {shares[1]:.1%} {what}"
    if stage == "training":
        yield from _metric(metric, *(_ranker(found, metric) for found in (old, new)))


def _count(what: str, old: float, new: float) -> Iterator[str]:
    if max(old, new) > FACTOR * min(old, new):
        change = f" ({new / old - 1:+.0%})" if old else ""
        yield f"{old:,} -> {new:,} {what}{change}"


def _metric(metric: str, old: Figures, new: Figures) -> Iterator[str]:
    """Tell of a mean that lies outside of the other one's interval, either way."""
    ends = [found.get(name) for found in (old, new) for name in ("mean", "lower", "upper")]
    if not _is_number(*ends):
        return
    if not _holds(old, new["mean"]) and not _holds(new, old["mean"]):
        yield f"{metric} of the ranker {old['mean']:.3f} -> {new['mean']:.3f}, outside of each other's interval"


def _ranker(found: Figures, metric: str) -> Figures:
    return (found.get(metric) or {}).get("ranker") or {}


def _holds(found: Figures, mean: float) -> bool:
    return bool(found["lower"] <= mean <= found["upper"])


def _share(found: Figures, part: str, whole: str) -> float | None:
    return found[part] / found[whole] if _is_number(found.get(part), found.get(whole)) and found[whole] else None


def _is_number(*values: object) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
