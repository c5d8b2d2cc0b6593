"""What stages cost, from what they cost last time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROWS_OF = {
    "ingestion": "n_serps",
    "labeling": "n_serps",
    "features": "n_judgments",
    "judgment_export": "n_judgments",
    "folding": "n_feature_rows",
    "training": "n_feature_rows",
    "export": "n_feature_rows",
}
"""The count by which a stage's work grows."""
FEATURE_ROWS = "n_feature_rows"
WORKED_ON = ("done", "failed")


def summaries(pattern: str, *, at_most: int) -> list[Mapping[str, Any]]:
    """Read the last run_summary.json files, the newest first.

    Args:
        pattern: Their path, or a pattern for those of several runs.
        at_most: How many.
    """
    storage = storage_for(pattern)
    paths = sorted(storage.glob(pattern), key=storage.changed_at, reverse=True)
    return [json.loads(storage.read(path)) for path in paths[:at_most]]


def estimate(
    past: Sequence[Mapping[str, Any]],
    *,
    stages: Sequence[str],
    corpora: Sequence[str] | None = None,
    rows: Mapping[str, int] | None = None,
) -> dict[str, Any] | None:
    """Estimate what stages take: each what it took last time, in proportion to its rows where those are known.

    Args:
        past: Run summaries, the newest first.
        stages: Those to run.
        corpora: Those to work on; None: all.
        rows: Feature rows by corpus, as far as they are collected already.

    Returns:
        `core_hours` and `seconds` (on as many cores as then) of each of `stages` and of all, and the stages `unknown`;
        None where no run had any of them.
    """
    found = {stage: _of_stage(stage, past, corpora, rows or {}) for stage in stages}
    known = {stage: facts for stage, facts in found.items() if facts is not None}
    if not known:
        return None
    return {
        "from": "last run",
        "core_hours": round(sum(facts["core_hours"] for facts in known.values()), 4),
        "seconds": round(sum(facts["seconds"] for facts in known.values()), 1),
        "stages": known,
        "unknown": [stage for stage in stages if stage not in known],
    }


def _of_stage(
    stage: str, past: Sequence[Mapping[str, Any]], corpora: Sequence[str] | None, rows: Mapping[str, int]
) -> dict[str, float] | None:
    last = next((one for one in past if stage in one["stage_seconds"] and one.get("core_hours")), None)
    if last is None:
        return None
    seconds, of_run = last["stage_seconds"][stage], sum(last["stage_seconds"].values())
    growth = _growth(last, ROWS_OF[stage], corpora, rows)
    hours = last["core_hours"] * seconds / of_run if of_run else 0.0
    return {"core_hours": round(hours * growth, 4), "seconds": round(seconds * growth, 1), "rows": round(growth, 3)}


def _growth(last: Mapping[str, Any], count: str, corpora: Sequence[str] | None, rows: Mapping[str, int]) -> float:
    """Return the rows of now over those of then; 1 where one of them is not known."""
    status = last.get("status", {})
    of_then = {corpus: facts.get(count) or 0 for corpus, facts in last["corpora"].items()}
    then = sum(n for corpus, n in of_then.items() if status.get(corpus, {}).get("state", "done") in WORKED_ON)
    of_now = rows if count == FEATURE_ROWS and rows else of_then
    chosen = sum(n for corpus, n in of_now.items() if corpora is None or corpus in corpora)
    return chosen / then if then and chosen else 1.0
