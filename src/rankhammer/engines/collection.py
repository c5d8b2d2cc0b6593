"""Collect a feature set for judged pairs: what can be served, what is set aside, and the values of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.engines.base import KeepsAnswers
from rankhammer.engines.coverage import Coverage, coverage_in, coverage_of
from rankhammer.errors import CorpusFailure, DataError, stop_if_all_failed
from rankhammer.schemas import FEATURE_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from rankhammer.engines.base import FeatureSource
    from rankhammer.feature_sets import FeatureSet


@dataclass(frozen=True)
class Collected:
    """What a feature source gave.

    Args:
        rows: `schemas.FEATURE_ROWS` of the corpora that could be served; pairs without their document are left out.
        failures: The corpora that could not.
        coverage: Documents had and missing, one entry a corpus, failed ones included.
    """

    rows: DataFrame
    failures: list[CorpusFailure]
    coverage: list[Coverage]

    def missing(self) -> dict[str, dict[str, Any]]:
        """Return corpus to n_judgments, n_documents, n_missing, missing_share and one missing doc_id."""
        return {
            found.corpus: {
                "n_judgments": found.n_rows,
                "n_documents": found.n_documents,
                "n_missing": found.n_missing,
                "missing_share": found.missing_share,
                "missing_example": found.example,
            }
            for found in self.coverage
        }


def collect_features(
    source: FeatureSource,
    judgments: DataFrame,
    *,
    documents: DataFrame | None,
    feature_set: FeatureSet,
    max_bad_share: float,
) -> Collected:
    """Collect features for every judged pair whose document the source has.

    Args:
        source: The engine, embedded or real.
        judgments: `schemas.JUDGMENTS`.
        documents: The corpora; None when the engine holds them itself: then its answers are kept until they are
            counted, since asking twice is dear.
        feature_set: What to compute.
        max_bad_share: Largest share of a corpus's judgments that may miss their document.

    Returns:
        Feature rows, failures and coverage; nothing is written yet.

    Raises:
        DataError: There are no judgments, or no corpus can be served.
    """
    if documents is None:
        collected = source.collect(judgments, documents=None, feature_set=feature_set)
        if not (isinstance(source, KeepsAnswers) and source.keeps_answers):
            collected = collected.persist()
        coverage = coverage_of(collected)
        failures = _failures(coverage, max_bad_share)
        rows = _without(collected, failures)
    else:
        coverage = coverage_in(judgments, documents)
        failures = _failures(coverage, max_bad_share)
        rows = source.collect(_without(judgments, failures), documents=documents, feature_set=feature_set)
    return Collected(FEATURE_ROWS.select(rows.where("features IS NOT NULL")), failures, coverage)


def _failures(coverage: Sequence[Coverage], max_bad_share: float) -> list[CorpusFailure]:
    if not coverage:
        raise DataError("There are no judgments to collect features for.", hint="Run the labeling stage first.")
    found = (_failure(corpus, max_bad_share) for corpus in coverage)
    failures = [failure for failure in found if failure is not None]
    stop_if_all_failed(failures, len(coverage))
    return failures


def _failure(found: Coverage, max_bad_share: float) -> CorpusFailure | None:
    if found.n_documents == 0:
        return CorpusFailure(
            found.corpus,
            "features",
            f"there are {found.n_rows} judgments but no documents of this corpus",
            "Add its documents, or map the column `corpus` under documents.columns in globals.yml.",
        )
    if found.n_missing == found.n_rows or found.missing_share > max_bad_share:
        return CorpusFailure(
            found.corpus,
            "features",
            f"{found.n_missing} of {found.n_rows} judgments ({found.missing_share:.1%}) name a document that is not "
            f"in the corpus, such as {found.example!r}; at most {max_bad_share:.1%} may",
            "Check that doc_id means the same in the click log and the documents, or raise features.max_bad_share.",
        )
    return None


def _without(rows: DataFrame, failures: Sequence[CorpusFailure]) -> DataFrame:
    from pyspark.sql import functions as F

    return rows.where(~F.col("corpus").isin([failure.corpus for failure in failures])) if failures else rows
