"""Measures the rankers that are current beside those that training has made, on the same test queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer import plugins
from rankhammer.errors import RankhammerError
from rankhammer.evaluation.corpus_figures import corpus_figures
from rankhammer.exporters.publish import by_corpus, read_ranker
from rankhammer.plugins import PluginSpec
from rankhammer.storage.publication import NewRanker
from rankhammer.training.rescoring import Measuring, measure_corpora, require_same_features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.evaluation.verdict import VerdictRule
    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.storage.champions import CurrentRankers

RANKER, CHAMPION = "ranker", "champion"


@dataclass(frozen=True)
class Pair:
    """A corpus's new ranker and the one that is current.

    Args:
        champion: Id of the current one; None where it has none.
        test_queries: Digest of the queries that the current one was measured on when it was trained.
        rankers: RANKER and CHAMPION to each; empty where the current one cannot be measured here.
        left_out: Why it cannot, a sentence; empty where it can.
    """

    champion: str | None
    test_queries: str | None
    rankers: Mapping[str, TrainedRanker]
    left_out: str = ""


def find_pairs(ranker: Mapping[str, bytes], current: CurrentRankers) -> dict[str, Pair]:
    """Find the current ranker of each corpus that training has made a ranker of.

    Args:
        ranker: The new rankers' folders, "<folder of the corpus>/<file>" to content.
        current: What is current.

    Returns:
        Corpus to both; corpora are left out of which nothing is current, or the very ranker that was made.
    """
    found = {corpus: _pair(corpus, files, current) for corpus, files in by_corpus(ranker).items()}
    return {corpus: pair for corpus, pair in found.items() if pair is not None}


def compare_with_champions(
    matrix: DataFrame,
    reference_judgments: DataFrame | None,
    pairs: Mapping[str, Pair],
    *,
    measuring: Measuring,
    headline: str,
    rule: VerdictRule,
) -> dict[str, Any]:
    """Measure both rankers of each corpus on its test queries.

    Args:
        matrix: schemas.TRAINING_MATRIX.
        reference_judgments: schemas.REFERENCE_JUDGMENTS; None where there are none.
        pairs: What `find_pairs` returned.
        measuring: How, as training does it.
        headline: The metric to show first.
        rule: When a difference counts.

    Returns:
        Corpus to champion (its id, or None), left_out (why it is not measured, or empty) and, where it is measured, the
        headline metric with its interval, difference (the new ranker less this one, with its verdict: see
        `verdict.judge`), metrics (truth to metric to mean, interval and counts) and is_unseen (whether these are the
        test queries that it was measured on when it was trained; None where nobody knows).
    """
    measured = {corpus: pair for corpus, pair in pairs.items() if not pair.left_out}
    systems = {system: {corpus: pair.rankers[system] for corpus, pair in measured.items()} for system in _SYSTEMS}
    rows = measure_corpora(matrix, reference_judgments, systems, measuring=measuring) if measured else []
    facts = {}
    for corpus, pair in pairs.items():
        about = {CHAMPION: pair.champion, "left_out": pair.left_out}
        mine = [row for row in rows if row["corpus"] == corpus]
        facts[corpus] = about | (_figures(mine, pair, headline, rule) if mine else {})
    return facts


_SYSTEMS = (RANKER, CHAMPION)


def _pair(corpus: str, files: Mapping[str, bytes], current: CurrentRankers) -> Pair | None:
    try:
        entry = current.entry(corpus)
    except RankhammerError as exc:
        return Pair(None, None, {}, exc.message)
    if entry is None or entry.ranker == NewRanker(files).id:
        return None
    held_out = entry.evidence.get("test_queries")
    try:
        new, champion = read_ranker(corpus, files), read_ranker(corpus, current.read(entry))
        require_same_features(
            champion, new.feature_set, name=f"The ranker {entry.ranker} of {corpus!r}, which is current until now,"
        )
        _require_scorable(champion)
    except RankhammerError as exc:
        return Pair(entry.ranker, held_out, {}, exc.message)
    return Pair(entry.ranker, held_out, {RANKER: new, CHAMPION: champion})


def _require_scorable(trained: TrainedRanker) -> None:
    """Find out here, not on a worker, that a ranker's plugin is not installed or its model cannot be opened.

    Raises:
        RankhammerError: So it is.
    """
    made_by = trained.manifest
    plugins.create("rankers", PluginSpec(name=made_by["ranker"], options=made_by.get("ranker_options", {})))
    _ = trained.opened


def _figures(rows: Sequence[Mapping[str, Any]], pair: Pair, headline: str, rule: VerdictRule) -> dict[str, Any]:
    found = corpus_figures(rows, headline, rule)
    if CHAMPION not in found["verdicts"]:
        return {}
    metrics = {
        truth: {metric: of[CHAMPION] for metric, of in every.items() if CHAMPION in of}
        for truth, every in found["metrics"].items()
    }
    return {
        headline: found[headline][CHAMPION],
        "difference": found["verdicts"][CHAMPION],
        "metrics": metrics,
        "is_unseen": None if pair.test_queries is None else pair.test_queries == found["test_queries"],
    }
