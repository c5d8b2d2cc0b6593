"""Puts what was measured of the rankers that are current until now beside the figures of those that a run has made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.evaluation.corpus_figures import interval
from rankhammer.evaluation.promotion import CHAMPION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Report = Mapping[str, Any]

CURRENT_COMPARISON = "current_comparison"
LEFT_OUT, IS_UNSEEN = "champion_left_out", "champion_is_unseen"
NAMES = (CHAMPION, LEFT_OUT, IS_UNSEEN)
_NOTHING = {"mean": None, "lower": None, "upper": None}


def with_champions(training: Report | None, comparison: Report | None) -> Report | None:
    """Add the current rankers' figures to the training stage's report; the verdict on a ranker stays what it is.

    Args:
        training: The report; None where there is none.
        comparison: What the node `compare_with_current` has found; None where there is nothing.

    Returns:
        The same report. Corpora with a current ranker have `champion` (its id), LEFT_OUT and IS_UNSEEN, and "champion"
        among the systems, differences and verdicts.
    """
    if training is None or comparison is None or training.get("metric") != comparison["metric"]:
        return training
    corpora = {
        corpus: _beside(facts, comparison["corpora"][corpus], training["metric"])
        if corpus in comparison["corpora"]
        else facts
        for corpus, facts in training["corpora"].items()
    }
    return {**training, "corpora": corpora}


def champion_lines(corpora: Mapping[str, Any]) -> Iterator[str]:
    """Say which current rankers were not measured, and which may have learned from the test queries.

    Args:
        corpora: Corpus to the closing table's facts.
    """
    for corpus, facts in corpora.items():
        if facts.get(LEFT_OUT):
            yield f"{corpus}, current before: {facts[LEFT_OUT]}"
        elif facts.get(IS_UNSEEN) is False:
            yield (
                f"{corpus}, current before: ranker {facts[CHAMPION]} was measured on other test queries when it was "
                "trained; it may have learned from some of these, which is to its own good."
            )


def _beside(facts: Mapping[str, Any], found: Mapping[str, Any], metric: str) -> dict[str, Any]:
    about = {CHAMPION: found[CHAMPION], LEFT_OUT: found["left_out"], IS_UNSEEN: found.get("is_unseen")}
    measured = {metric: {**(facts.get(metric) or {}), CHAMPION: found.get(metric, _NOTHING)}}
    if "difference" not in found:
        return {**facts, **about, **measured}
    difference = found["difference"]
    metrics = {
        truth: {of: {**systems, **_named(found["metrics"], truth, of)} for of, systems in every.items()}
        for truth, every in facts.get("metrics", {}).items()
    }
    return {
        **facts,
        **about,
        **measured,
        "differences": {**facts.get("differences", {}), f"ranker - {CHAMPION}": interval(difference)},
        "verdicts": {**facts.get("verdicts", {}), CHAMPION: difference},
        "metrics": metrics,
    }


def _named(metrics: Mapping[str, Any], truth: str, metric: str) -> dict[str, Any]:
    found = metrics.get(truth, {}).get(metric)
    return {} if found is None else {CHAMPION: found}
