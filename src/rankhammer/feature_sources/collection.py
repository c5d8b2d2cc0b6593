"""Collect a feature set for judged pairs: what can be served, what is set aside, and the values of the rest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rankhammer.corpora import only
from rankhammer.errors import CorpusFailure, DataError, stop_if_all_failed
from rankhammer.feature_sources.base import (
    AMBIGUOUS,
    UNREADABLE,
    KeepsAnswers,
    number_fields,
    read_documents,
    single_documents,
    sound_documents,
)
from rankhammer.feature_sources.negatives import NegativeRules, draw_negatives
from rankhammer.schemas import FEATURE_ROWS, IS_NEGATIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

    from rankhammer.feature_sets import FeatureSet
    from rankhammer.feature_sources.base import FeatureSource

_DOCUMENT_FAULTS = ("unreadable_corpus", "unreadable_doc_id", "missing_doc_id", "too_long", AMBIGUOUS)


@dataclass(frozen=True)
class Coverage:
    """What a feature source can serve of one corpus.

    Args:
        corpus: Which one.
        n_documents: Documents that the source has; None where it does not say.
        n_rows: (query, document) pairs asked for.
        n_missing: Those whose document the source does not have.
        example: The first such doc_id in alphabetical order; None when there is none.
        set_aside: Faulty documents, by reason.
        unreadable: Number fields to documents where they hold something else; there they are missing.
        n_repeated: Rows of documents that stand in an earlier row, too.
    """

    corpus: str
    n_documents: int | None
    n_rows: int
    n_missing: int
    example: str | None
    set_aside: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)
    n_repeated: int = 0

    @property
    def missing_share(self) -> float:
        """Share of the pairs whose document is missing, 0 to 1."""
        return self.n_missing / self.n_rows


def coverage_in(rows: DataFrame, documents: DataFrame, feature_set: FeatureSet) -> list[Coverage]:
    """Compare pairs with the documents that are at hand.

    Args:
        rows: Has corpus, doc_id.
        documents: From `documents.read_documents`: corpus, doc_id, `UNREADABLE`, and `casts.FAULT` where it was read by
            the catalog.
        feature_set: Names the number fields.

    Returns:
        One entry a corpus of `rows`, in alphabetical order.
    """
    from pyspark.sql import functions as F

    counted = _counted(documents, number_fields(feature_set))
    nothing = {name: F.lit(0).alias(name) for name in counted}
    asked = rows.select("corpus", "doc_id", F.lit(1).alias("n_rows"), *nothing.values())
    had = documents.select("corpus", "doc_id", F.lit(0), *(column.cast("int") for column in counted.values()))
    # Counted together, and not joined: what is shuffled is one row per document and task, and nothing is sorted.
    sums = [F.sum(f"`{name}`").alias(name) for name in ("n_rows", *counted)]
    of_document = asked.union(had).groupBy("corpus", "doc_id").agg(*sums)
    missing = F.col("n") == 0
    per_corpus = (
        of_document.groupBy("corpus")
        .agg(
            *(F.sum(f"`{name}`").alias(name) for name in counted),
            F.sum("n_rows").alias("n_rows"),
            F.sum(F.greatest(F.col("n") - 1, F.lit(0))).alias("n_repeated"),
            F.sum(F.when(missing, F.col("n_rows")).otherwise(0)).alias("n_missing"),
            F.min(F.when(missing & (F.col("n_rows") > 0), F.col("doc_id"))).alias("example"),
        )
        .where("n_rows > 0")
    )
    return _listed(per_corpus)


def _counted(documents: DataFrame, fields: list[str]) -> dict[str, Column]:
    """Return what is counted of each document: whether it is sound, its fault, and which fields cannot be read."""
    from pyspark.sql import functions as F

    from rankhammer.casts import FAULT

    fault = F.col(FAULT) if FAULT in documents.columns else F.lit(None).cast("string")
    return {
        "n": fault.isNull(),
        **{f"fault/{reason}": fault.eqNullSafe(reason) for reason in _DOCUMENT_FAULTS},
        **{f"field/{name}": fault.isNull() & F.array_contains(UNREADABLE, name) for name in fields},
    }


def coverage_of(collected: DataFrame) -> list[Coverage]:
    """Count the rows for which a source returned no features.

    Args:
        collected: What a feature source returned; read once here, so persist it where scoring is dear.

    Returns:
        One entry per corpus, in alphabetical order.
    """
    from pyspark.sql import functions as F

    missing = F.col("features").isNull()
    per_corpus = collected.groupBy("corpus").agg(
        F.lit(None).cast("bigint").alias("n"),
        F.count(F.lit(1)).alias("n_rows"),
        F.count_if(missing).alias("n_missing"),
        F.min(F.when(missing, F.col("doc_id"))).alias("example"),
    )
    return _listed(per_corpus)


def _listed(per_corpus: DataFrame) -> list[Coverage]:
    # An action: the run must stop here, before any row is written. One row per corpus comes back.
    return sorted((_coverage(row.asDict()) for row in per_corpus.collect()), key=lambda found: found.corpus)


def _coverage(row: dict[str, Any]) -> Coverage:
    def of_group(group: str) -> dict[str, int]:
        return {name.removeprefix(group): n for name, n in row.items() if name.startswith(group) and n}

    known = (row["corpus"], row.get("n"), row["n_rows"], row["n_missing"], row["example"])
    set_aside, unreadable, n_repeated = of_group("fault/"), of_group("field/"), row.get("n_repeated", 0)
    return Coverage(*known, set_aside=set_aside, unreadable=unreadable, n_repeated=n_repeated)


@dataclass(frozen=True)
class Collected:
    """What a feature source gave.

    Args:
        rows: `schemas.FEATURE_ROWS` of the corpora that could be served; pairs without their document are left out.
        failures: The corpora that could not.
        coverage: Documents had and missing, one entry per corpus, failed ones included.
    """

    rows: DataFrame
    failures: list[CorpusFailure]
    coverage: list[Coverage]

    def missing(self) -> dict[str, dict[str, Any]]:
        """Return corpus to its counts of judgments and documents, one missing doc_id, documents' faults and copies."""
        return {
            found.corpus: {
                "n_judgments": found.n_rows,
                "n_documents": found.n_documents,
                "n_missing": found.n_missing,
                "missing_share": found.missing_share,
                "missing_example": found.example,
                "documents_set_aside": found.set_aside,
                **({"document_copies": found.n_repeated} if found.n_repeated else {}),
                "unreadable_fields": found.unreadable,
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
    negatives: NegativeRules | None = None,
) -> Collected:
    """Collect features for every judged pair whose document the source has.

    Args:
        source: The engine, embedded or real.
        judgments: `schemas.JUDGMENTS`.
        documents: The corpora; None when the engine holds them itself: then its answers are kept until they are
            counted, since asking twice is dear.
        feature_set: What to compute.
        max_bad_share: Largest share of a corpus's judgments that may miss their document.
        negatives: Documents that were never shown to draw beside; None for none.

    Returns:
        Feature rows, failures and coverage; nothing is written yet.

    Raises:
        DataError: There are no judgments, or no corpus can be served.
        ConfigError: Negatives are wanted, and the source cannot search.
    """

    def with_negatives(rows: DataFrame, documents: DataFrame | None) -> DataFrame:
        if negatives is None or not negatives.per_query:
            return rows
        drawn = draw_negatives(source, rows, documents=documents, feature_set=feature_set, rules=negatives)
        return rows.unionByName(drawn)

    if documents is None:
        collected = source.collect(with_negatives(judgments, None), documents=None, feature_set=feature_set)
        if not (isinstance(source, KeepsAnswers) and source.keeps_answers):
            collected = collected.persist()
        coverage = coverage_of(collected.where(f"NOT {IS_NEGATIVE}"))
        failures = _failures(coverage, max_bad_share)
        rows = _without(collected, failures)
    else:
        documents = read_documents(documents, feature_set)
        coverage = coverage_in(judgments, documents, feature_set)
        if any(found.n_repeated for found in coverage):
            documents = single_documents(documents, feature_set)
            coverage = _with_copies(coverage, coverage_in(judgments, documents, feature_set))
        failures = _failures(coverage, max_bad_share)
        served = [found.corpus for found in coverage if found.corpus not in {failure.corpus for failure in failures}]
        sound = sound_documents(only(documents, served))
        asked = with_negatives(_without(judgments, failures), sound)
        rows = source.collect(asked, documents=sound, feature_set=feature_set)
    return Collected(FEATURE_ROWS.select(rows.where("features IS NOT NULL")), failures, coverage)


def _with_copies(before: Sequence[Coverage], after: Sequence[Coverage]) -> list[Coverage]:
    """Count the copies that were dropped: what is neither kept nor a fault."""
    known = {found.corpus: found.n_documents or 0 for found in before}
    return [
        replace(found, n_repeated=known[found.corpus] - (found.n_documents or 0) - found.set_aside.get(AMBIGUOUS, 0))
        for found in after
    ]


def _failures(coverage: Sequence[Coverage], max_bad_share: float) -> list[CorpusFailure]:
    if not coverage:
        raise DataError("There are no judgments to collect features for.", hint="Run the labeling stage first.")
    found = (_failure(corpus, max_bad_share) for corpus in coverage)
    failures = [failure for failure in found if failure is not None]
    stop_if_all_failed(failures, len(coverage))
    return failures


def _failure(found: Coverage, max_bad_share: float) -> CorpusFailure | None:
    if (faulty := _too_many_faults(found, max_bad_share)) is not None:
        return faulty
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


def _too_many_faults(found: Coverage, max_bad_share: float) -> CorpusFailure | None:
    """Refuse documents that cannot be named, or a field that holds no numbers."""
    n_faulty = sum(found.set_aside.values())
    n_read = n_faulty + (found.n_documents or 0)
    if n_faulty > max_bad_share * n_read:
        listed = "; ".join(f"{n} {reason}" for reason, n in sorted(found.set_aside.items()))
        error = f"{n_faulty} of {n_read} documents are faulty, more than features.max_bad_share: {listed}"
        hint = "Write doc_id as text, as the search index has it."
        if set(found.set_aside) == {AMBIGUOUS}:
            hint = "Keep one row of each document where documents are made: those of one doc_id differ."
        return CorpusFailure(found.corpus, "features", error, hint)
    for name, n in sorted(found.unreadable.items()):
        if n > max_bad_share * (found.n_documents or 0):
            error = f"field {name!r} of {n} of {found.n_documents} documents holds no finite number"
            hint = "Map another field under documents.columns in globals.yml, or correct the feature set."
            return CorpusFailure(found.corpus, "features", error, hint)
    return None


def _without(rows: DataFrame, failures: Sequence[CorpusFailure]) -> DataFrame:
    from pyspark.sql import functions as F

    return rows.where(~F.col("corpus").isin([failure.corpus for failure in failures])) if failures else rows
