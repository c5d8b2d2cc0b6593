"""Feature importance: what each feature brought the ranker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import Span, bar
from rankhammer.dashboard.shapes import mapping, number, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.dashboard.results import Results

MOST = 40


def view(results: Results, run: int) -> dict[str, Any]:
    """Describe the features of a run's rankers.

    Args:
        results: Of an environment.
        run: Number in the history.
    """
    report = results.report("training_report", run)
    corpora = {name: mapping(of) for name, of in mapping(report.content.get("corpora")).items()}
    return {"fault": report.fault, "corpora": [_corpus(name, of) for name, of in corpora.items()]}


def _corpus(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    every = {feature: number(share) for feature, share in mapping(facts.get("feature_importance")).items()}
    shares = {feature: share for feature, share in every.items() if share is not None}
    order = sorted(shares, key=lambda feature: (-shares[feature], feature))
    span = Span(0.0, max([*shares.values(), 1e-9]))
    rows = [{"name": one, "share": shares[one], "bar": bar(shares[one], span)} for one in order[:MOST]]
    return {
        "name": name,
        "ranker": text(facts.get("learner") or facts.get("ranker")),
        "features": rows,
        "n_left_out": len(order) - len(rows),
    }
