"""What is kept of each run: its figures by stage, and a record in the history of runs."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import rankhammer
from rankhammer.errors import DataError
from rankhammer.fingerprints.handoffs import plain
from rankhammer.runs.held_out import HOLDOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rankhammer.runs.corpus_status import Scope

    Reports = Mapping[str, Mapping[str, Any] | None]

FORMAT = 1
DONE, SOME_FAILED, FAILED = "done", "some corpora failed", "failed"
BY_STAGE = "by_stage"
LAST = "last"
_NEEDED = frozenset(("inputs", "parameters", "code", "versions", "stage_seconds", "total_seconds", "figures"))
_LONGEST_ERROR = 500
_NOT_KEPT = ("next", "again", "accept", "promote", "published", BY_STAGE)
"""Of the closing table's facts: what is advice, and what is not this run's alone."""


@dataclass(frozen=True)
class Started:
    """A run from its beginning on.

    Args:
        invocation: Its own id: no two commands have the same.
        run: Id of the folder that it works in, where runs have folders; several commands may work in one.
        at: When it began, by this host's clock.
    """

    invocation: str
    run: str | None
    at: datetime


def now() -> datetime:
    """Return the time, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def figures(
    reports: Reports, stages: Iterable[str], *, holdout: str | None = None
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what stages found.

    Args:
        reports: Stage to its report.
        stages: Those of the run.
        holdout: What was held out, see `held_out.describe_holdout`; None where nobody knows.

    Returns:
        Stage to corpus to its figures: every plain value of the report, and what was measured, with `holdout`.
    """
    found = {
        stage: {corpus: _figures(facts, report.get("metric")) for corpus, facts in report["corpora"].items()}
        for stage in stages
        if (report := reports.get(stage))
    }
    if holdout is not None:
        for facts in (*found.get("labeling", {}).values(), *found.get("training", {}).values()):
            facts[HOLDOUT] = holdout
    return found


def _figures(facts: Mapping[str, Any], metric: str | None) -> dict[str, Any]:
    kept = {name: value for name, value in facts.items() if value is None or isinstance(value, str | int | float)}
    whole = {name: facts[name] for name in (metric or "", "differences", "verdicts", "targets") if name in facts}
    means = {
        truth: {of: {system: one["mean"] for system, one in systems.items()} for of, systems in metrics.items()}
        for truth, metrics in facts.get("metrics", {}).items()
    }
    return kept | whole | ({"metrics": means} if means else {})


def by_stage(before: Mapping[str, Any] | None, record: Mapping[str, Any], scope: Scope) -> dict[str, dict[str, Any]]:
    """Put a run's figures over those of earlier runs; what it did not make stays, with the run that made it.

    Args:
        before: run_summary.json as it was.
        record: Of this run.
        scope: What it was to work on: where it was to work on all corpora, those that it did not find are gone.

    Returns:
        Stage to `run`, `ended`, `seconds` and `corpora`: each corpus' figures with their `run`.
    """
    kept = (before or {}).get(BY_STAGE)
    known = {stage: facts for stage, facts in kept.items() if isinstance(facts, dict)} if isinstance(kept, dict) else {}
    for stage in record["stages"]:
        found = {corpus: {"run": record["id"], **of} for corpus, of in record["figures"].get(stage, {}).items()}
        others = {} if scope.corpora is None else dict(known.get(stage, {}).get("corpora", {}))
        others = {corpus: of for corpus, of in others.items() if not scope.holds(corpus)}
        known[stage] = {
            "run": record["id"],
            "ended": record["ended"],
            "seconds": record["stage_seconds"].get(stage),
            "corpora": others | found,
        }
    return known


def record(
    started: Started,
    facts: Mapping[str, Any],
    *,
    found: Mapping[str, Any],
    params: Mapping[str, Any],
    lineage: Mapping[str, Any],
    error: str = "",
) -> dict[str, Any]:
    """Describe a run for the history.

    Args:
        started: Its beginning.
        facts: Those of the closing table; of a run that failed, the same as far as they are known.
        found: What `figures` returned.
        params: Values of the command line.
        lineage: What its results come from.
        error: What it ended with; empty where it went well.
    """
    state = FAILED if error else SOME_FAILED if facts.get("failures") else DONE
    versions = {"rankhammer": rankhammer.__version__, "python": platform.python_version()}
    return {
        **{name: value for name, value in facts.items() if name not in _NOT_KEPT},
        "format": FORMAT,
        "id": started.invocation,
        "run": started.run,
        "state": state,
        "error": error.partition("\n")[0][:_LONGEST_ERROR],
        "started": started.at.isoformat(),
        "ended": now().isoformat(),
        "versions": versions,
        "params": plain(dict(params)),
        "parameters": lineage.get("parameters", {}),
        "inputs": lineage.get("inputs", {}),
        "code": lineage.get("code", ""),
        "figures": dict(found),
    }


def find(history: Iterable[dict[str, Any]], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Find records.

    Args:
        history: All, the newest first.
        wanted: Numbers, ids, beginnings of ids, or `last`.

    Raises:
        DataError: One is not there, or an id begins several.
    """
    known = list(history)
    return [_find(known, name) for name in wanted]


def _find(known: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    text = name.removeprefix("#")
    exact = [run for run in known if text in (str(run["number"]), run.get("id"))]
    # Ids begin with a year: fewer digits are the number of a run that is not there.
    is_number = text.isdecimal() and len(text) < len("2026")
    begun = [run for run in known if not is_number and str(run.get("id")).startswith(text)]
    found = exact or (known[:1] if text == LAST else begun)
    if len(found) != 1 or not found[0].keys() >= _NEEDED:
        why = f"is the beginning of {len(found)} ids" if len(found) > 1 else "is not in the history"
        raise DataError(
            f"Run {name!r} {why}, which has {len(known)} runs.",
            hint="`rankhammer runs --limit 1000` lists their numbers and ids; --env names another environment.",
            name=name,
        )
    return found[0]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted names; a list is one value."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {f"{prefix}{name}": value}
    return found


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Compare two records.

    Returns:
        `a`, `b` (the runs), and names to pairs of values, None where a run has none: `measured` and `data` (figures by
        stage and corpus), `parameters`, `inputs`, `made_by` (code and versions), and `seconds`. Of parameters, inputs
        and what it was made by only what differs; of figures and seconds all.
    """
    measured, data = (_pairs(*(_of_figures(run, kind) for run in (one, other))) for kind in (True, False))
    return {
        "a": identity(one),
        "b": identity(other),
        "measured": measured,
        "data": data,
        "inputs": _differing(_pairs(one["inputs"], other["inputs"])),
        "parameters": _differing(_pairs(*(flat(run["parameters"]) for run in (one, other)))),
        "made_by": _differing(_pairs(*({"code": run["code"], **run["versions"]} for run in (one, other)))),
        "seconds": _pairs(*({**run["stage_seconds"], "total": run["total_seconds"]} for run in (one, other))),
    }


def identity(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list says of a record."""
    names = ("number", "id", "run", "environment", "state", "error", "started", "ended", "stages", "params")
    return {name: run.get(name) for name in names} | {
        "metric": run.get("metric"),
        "corpora": headline(run),
        "verdicts": verdicts(run),
        "held_back": sorted(run.get("held_back") or {}),
        "total_seconds": run.get("total_seconds"),
    }


def headline(run: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the ranker's mean of the run's metric by corpus; None for a corpus that it did not measure."""
    found: dict[str, float | None] = {}
    for corpora in run["figures"].values():
        found |= {corpus: None for corpus in corpora if corpus not in found}
    for corpus, facts in run["figures"].get("training", {}).items():
        found[corpus] = (facts.get(run.get("metric")) or {}).get("ranker", {}).get("mean")
    return found


def verdicts(run: Mapping[str, Any]) -> dict[str, str]:
    """Return one word on each ranker that a run measured; none of runs of versions that gave none."""
    found = run["figures"].get("training", {})
    return {corpus: facts["verdict"] for corpus, facts in found.items() if facts.get("verdict")}


def _of_figures(run: Mapping[str, Any], is_measured: bool) -> dict[str, float]:
    """Return figures that are numbers: what was measured (means and intervals), or what was counted."""
    found = flat(run["figures"])
    numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
    return {name: value for name, value in numbers.items() if _is_measured(name, run.get("metric")) == is_measured}


def _is_measured(name: str, metric: str | None) -> bool:
    parts = (f".{metric}.", ".metrics.", ".differences.", ".verdicts.")
    return name.startswith("training.") and any(part in name for part in parts)


def _pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = dict.fromkeys([*one, *other])
    return {name: [one.get(name), other.get(name)] for name in names}


def _differing(pairs: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: list(pair) for name, pair in pairs.items() if pair[0] != pair[1]}
