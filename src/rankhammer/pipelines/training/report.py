"""The training stage's report: facts a corpus, two figures and a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from rankhammer import plugins
from rankhammer.pipelines.training import figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from plotly.graph_objects import Figure

    from rankhammer.plugins import Choice

NDCG_RULE = "gain 2^grade - 1, discount log2(1 + rank); queries without a relevant document are skipped and counted"

Row = dict[str, Any]


def build(
    files: Mapping[str, bytes], summary: Sequence[Row], counts: Iterable[Row], *, ranker: Choice, headline: str
) -> dict[str, Any]:
    """Put the facts of every corpus together.

    Args:
        files: The ranker's folder.
        summary: Rows of `evaluation.summarize`.
        counts: Rows of `arrange.count_trials`.
        ranker: The registered ranker that made the models.
        headline: The metric to show first.

    Returns:
        Corpus to facts: truth (whose grades the headline is measured by), the headline metric by system, differences,
        every metric, what was trained and on how much, the search's figures, feature importance.
    """
    made = plugins.create("rankers", ranker)
    trials = {count.pop("corpus"): count for count in counts}
    corpora = {}
    for name in sorted(files):
        corpus, _, file = name.rpartition("/")
        if file == "manifest.json":
            manifest = json.loads(files[name])
            measured = _measured([row for row in summary if row["corpus"] == corpus], headline)
            importance = made.importance(files[f"{corpus}/model.ubj"], tuple(manifest["features"]))
            shared = {key: manifest[key] for key in manifest if key.startswith("n_") or key in _FROM_MANIFEST}
            corpora[corpus] = measured | shared | trials[corpus] | {"feature_importance": importance}
    return corpora


def pack(
    corpora: dict[str, Any], summary: list[Row], failures: list[dict[str, str]], *, metric: str, confidence: float
) -> tuple[dict[str, Any], Figure, Figure, pd.DataFrame]:
    """Return the report, the comparison of the systems, the features' importance, and the summary as a table."""
    importances = {corpus: facts["feature_importance"] for corpus, facts in corpora.items()}
    return (
        {"corpora": corpora, "failures": failures, "metric": metric, "confidence": confidence, "ndcg_rule": NDCG_RULE},
        figures.ndcg_figure(summary, metric=metric),
        figures.importance_figure(importances),
        pd.DataFrame(summary),
    )


_FROM_MANIFEST = ("ranker", "params", "cross_validation", "features", "feature_set")
_INTERVAL = ("mean", "lower", "upper")
_COUNTS = ("n_queries", "n_clusters", "n_skipped")


def _measured(rows: Sequence[Row], headline: str) -> dict[str, Any]:
    """People's grades are the truth where there are some."""
    truths = {row["truth"] for row in rows if row["n_queries"]}
    truth = "reference" if "reference" in truths else "clicks"
    chosen = [row for row in rows if row["truth"] == truth and row["metric"] == headline]
    metrics: dict[str, Any] = {}
    for row in rows:
        if row["quantity"] == "mean":
            facts = {name: row[name] for name in (*_INTERVAL, *_COUNTS)}
            metrics.setdefault(row["truth"], {}).setdefault(row["metric"], {})[row["system"]] = facts
    return {
        "truth": truth,
        headline: {row["system"]: _interval(row) for row in chosen if row["quantity"] == "mean"},
        "differences": {
            f"{row['system']} - {row['against']}": _interval(row) for row in chosen if row["quantity"] == "difference"
        },
        "oracle_share": next((_interval(row) for row in chosen if row["quantity"] == "oracle_share"), None),
        "metrics": metrics,
    }


def _interval(row: Row) -> dict[str, float | None]:
    return {name: row[name] for name in _INTERVAL}
