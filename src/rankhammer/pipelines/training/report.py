"""The training stage's report: facts per corpus, two figures and a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from rankhammer import plugins
from rankhammer.canonical_json import to_json
from rankhammer.corpora import corpus_in, folder_of
from rankhammer.evaluation import systems
from rankhammer.evaluation.corpus_figures import corpus_figures
from rankhammer.evaluation.metrics import parse_metric
from rankhammer.rankers.selected import learner_of
from rankhammer.training import choice, final
from rankhammer.training.trial_choice import choice_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plotly.graph_objects import Figure

    from rankhammer.evaluation.verdict import VerdictRule
    from rankhammer.training.choice import Lead, RankerChoice
    from rankhammer.training.search import Standing


def ndcg_figure(summary_rows: Sequence[Mapping[str, Any]], *, metric: str = "ndcg@10", max_corpora: int = 20) -> Figure:
    """Draw each system's mean with its interval, one group of bars per corpus and truth.

    Args:
        summary_rows: Rows of `systems.summarize` as mappings, any number of corpora.
        metric: The one to draw.
        max_corpora: The corpora with most queries are drawn, in name order; the others are left out.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    means = [row for row in summary_rows if row["quantity"] == "mean" and row["metric"] == metric]
    corpora = _largest(means, max_corpora)
    figure = graph_objects.Figure()
    for system in sorted({row["system"] for row in means}, key=systems.system_order):
        rows = [row for row in means if row["system"] == system and row["corpus"] in corpora and row["n_queries"]]
        rows.sort(key=lambda row: (corpora.index(row["corpus"]), row["truth"]))
        name, colour = plot_style.SYSTEMS.get(system, (system, plot_style.TEXT))
        figure.add_bar(
            name=name,
            x=[[row["corpus"] for row in rows], [plot_style.TRUTHS.get(row["truth"], row["truth"]) for row in rows]],
            y=[row["mean"] for row in rows],
            **plot_style.bar_with_interval(colour, above=_reach(rows, "upper"), below=_reach(rows, "lower")),
        )
    title = f"{metric} on held-out queries, with the interval from resampled query clusters"
    x, y = "corpus, and whose grades it is measured by", f"mean {metric} (0 to 1)"
    return plot_style.themed(figure, title=title, legend="ordered by", x=x, y=y, barmode="group")


def importance_figure(
    importances: Mapping[str, Mapping[str, float]], *, max_features: int = 20, max_corpora: int = 20
) -> Figure:
    """Draw each feature's share of the gain, one bar a corpus.

    Args:
        importances: Corpus to feature name to share, 0 to 1.
        max_features: The features with the largest mean share are drawn.
        max_corpora: The first of the corpora in name order are drawn.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    names = {name for shares in importances.values() for name in shares}
    total = {name: sum(shares.get(name, 0.0) for shares in importances.values()) for name in names}
    largest = sorted(names, key=lambda name: (-total[name], name))[:max_features]
    figure, colours = graph_objects.Figure(), plot_style.corpus_colours(importances)
    for corpus in sorted(importances)[:max_corpora]:
        shares = [importances[corpus].get(name, 0.0) for name in largest]
        figure.add_bar(name=corpus, x=shares, y=largest, orientation="h", marker_color=colours[corpus])
    x = "share of all that the ranker gained by its features"
    plot_style.themed(figure, title="Feature importance", legend="corpus", x=x, y="feature", barmode="group")
    # A horizontal bar chart is drawn from the bottom up, and its legend from the top down.
    return figure.update_xaxes(tickformat=".0%").update_yaxes(autorange="reversed")


def _reach(rows: Sequence[Mapping[str, Any]], end: str) -> list[float]:
    """Length of each error bar; 0 where there is no interval."""
    return [0.0 if row[end] is None else abs(row[end] - row["mean"]) for row in rows]


def _largest(means: Sequence[Mapping[str, Any]], max_corpora: int) -> list[str]:
    from rankhammer import plot_style

    n_queries: dict[str, int] = {}
    for row in means:
        n_queries[row["corpus"]] = max(n_queries.get(row["corpus"], 0), row["n_queries"])
    return plot_style.largest_corpora(n_queries, max_corpora)


VERDICT = "verdict.json"

Row = dict[str, Any]


def build(
    files: Mapping[str, bytes],
    summary: Sequence[Row],
    counts: Mapping[str, Row],
    *,
    headline: str,
    rule: VerdictRule,
    rankers: RankerChoice,
) -> dict[str, Any]:
    """Put the facts of every corpus together.

    Args:
        files: The ranker's folder.
        summary: Rows of `evaluation.summarize`.
        counts: What `matrix_table.count_trials` returned.
        headline: The metric to show first.
        rule: When a difference between two orders counts.
        rankers: How they were chosen, and their parameters searched.

    Returns:
        Corpus to facts: truth (whose grades the headline is measured by), the headline metric by system, differences,
        the verdict, every metric, what was trained and on how much, why this ranker, the search's figures, feature
        importance.
    """
    made = final.models(files)
    corpora = {}
    for name in sorted(files):
        if name.endswith("/manifest.json"):
            corpus, manifest = corpus_in(name), json.loads(files[name])
            measured = corpus_figures([row for row in summary if row["corpus"] == corpus], headline, rule)
            ranker = plugins.create("rankers", made[corpus].ranker)
            importance = ranker.importance(made[corpus].model, tuple(manifest["features"]))
            shared = {key: manifest[key] for key in manifest if key.startswith("n_") or key in _FROM_MANIFEST}
            corpora[corpus] = measured | shared | _tried(counts[corpus], headline, rankers)
            size = rankers.size_of(manifest["n_train_queries"], manifest["n_train_rows"])
            corpora[corpus] |= {"learner": learner_of(made[corpus].ranker).name}
            corpora[corpus] |= {"feature_importance": importance, "search_max_rows": size.max_rows if size else None}
    return corpora


def _tried(counts: Row, headline: str, rankers: RankerChoice) -> Row:
    """Return the search's figures, and how the ranker was chosen where there were several."""
    standings: list[Standing] = counts["standings"]
    lead: Lead | None = counts["lead"]
    figures = {name: counts[name] for name in counts if name not in ("standings", "lead", "of_chosen")}
    trial = choice_of(counts["of_chosen"], rankers.trial_rule)
    candidates = {
        found.ranker: {headline: found.ndcg, "behind": found.behind, "standard_error": found.standard_error}
        for found in standings
    }
    why = choice.reason(standings, rankers.standard_errors)
    return figures | {
        "choice": {
            "reason": why,
            "standard_errors": rankers.standard_errors,
            "candidates": candidates,
            "lead": {**asdict(lead), "more_folds_may_change_it": lead.is_noise} if lead else None,
            "trial": trial.facts() if trial else None,
        }
    }


def pack(
    corpora: dict[str, Any], summary: list[Row], failures: list[dict[str, str]], about: Row
) -> tuple[dict[str, Any], Figure, Figure, pd.DataFrame]:
    """Return the report, the comparison of the systems, the features' importance, and the summary as a table."""
    importances = {corpus: facts["feature_importance"] for corpus, facts in corpora.items()}
    rules = {name: parse_metric(name).rule for name in sorted({row["metric"] for row in summary})}
    return (
        {"corpora": corpora, "failures": failures, **about, "metric_rules": rules},
        ndcg_figure(summary, metric=about["metric"]),
        importance_figure(importances),
        pd.DataFrame(summary).drop(columns="queries", errors="ignore"),
    )


def verdict_files(corpora: Mapping[str, Row], about: Row) -> dict[str, bytes]:
    """Return what the export stage has to know of each ranker: "<folder of the corpus>/verdict.json" to content.

    Args:
        corpora: What `build` returned.
        about: How all of them were measured: metric, confidence, baseline_feature.
    """
    return {
        f"{folder_of(corpus)}/{VERDICT}": to_json(
            {
                **about,
                "ranker": {"name": facts["ranker"], "options": facts["ranker_options"]},
                **{name: facts[name] for name in ("truth", "verdict", "verdicts", "test_queries")},
                "measured": facts[about["metric"]],
            }
        )
        for corpus, facts in corpora.items()
    }


_FROM_MANIFEST = ("ranker", "ranker_options", "params", "cross_validation", "features", "feature_set")
