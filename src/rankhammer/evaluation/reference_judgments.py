"""People's grades: which of them can be used, and the status of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from rankhammer.casts import FAULT, MAX_GRADE
from rankhammer.errors import CorpusFailure, stop_if_all_failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame, Row

    Facts = dict[str, dict[str, Any]]

_STAGE = "training"
_HINTS = {
    "unreadable_grade": f"Grades are whole numbers from 0 to {MAX_GRADE}: scale others (0.5 to 1, 100 to 4), and "
    "write 0 for TREC's -1 and -2.",
    "missing_query": "Map the column that holds it under reference_judgments.columns in globals.yml.",
    "missing_doc_id": "Map the column that holds it under reference_judgments.columns in globals.yml.",
}
_OTHERWISE = "Write queries and ids as text, as the click log and the documents have them."


def check_judgments(
    reference_judgments: DataFrame | None, *, max_bad_share: float
) -> tuple[Facts, list[CorpusFailure]]:
    """Count the judgments of each corpus, and refuse those with too many faulty ones before a grade is used.

    Args:
        reference_judgments: `schemas.REFERENCE_JUDGMENTS` as the catalog loads them; None: there are none.
        max_bad_share: Largest share of faulty judgments in a corpus, 0 to 1.

    Returns:
        Corpus to n_read = n_kept + n_ungraded + all of set_aside, and n_relevant (kept, with grade 1 or more); and the
        corpora whose judgments cannot be used.

    Raises:
        DataError: None of the corpora that have judgments can be used.
    """
    if reference_judgments is None:
        return {}, []
    fault = F.col(FAULT) if FAULT in reference_judgments.columns else F.lit(None).cast("string")
    groups = reference_judgments.groupBy("corpus", fault.alias("fault")).agg(
        F.count("*").alias("n"), F.count("grade").alias("n_graded"), F.count_if(F.col("grade") > 0).alias("n_relevant")
    )
    facts: Facts = {}
    # An action of its own: a row a (corpus, reason) comes back, and the run has to stop before the grades are used.
    for row in sorted(groups.collect(), key=lambda row: (row["corpus"], row["fault"] or "")):
        _add(facts.setdefault(row["corpus"], _nothing()), row)
    failures = [failure for corpus, found in facts.items() if (failure := _failure(corpus, found, max_bad_share))]
    stop_if_all_failed(failures, len(facts))
    return facts, failures


def with_found(facts: Facts, found: Mapping[str, int]) -> Facts:
    """Say how many of the relevant judgments are on documents that the training rows have.

    Args:
        facts: From `check_judgments`.
        found: Corpus to documents with a relevant reference grade in its training matrix.

    Returns:
        The same with n_relevant_found; null for corpora that were not trained.
    """
    return {corpus: {**counted, "n_relevant_found": found.get(corpus)} for corpus, counted in facts.items()}


def without(table: DataFrame, failures: Sequence[CorpusFailure]) -> DataFrame:
    """Leave out the corpora that failed."""
    return table.where(~F.col("corpus").isin([failure.corpus for failure in failures])) if failures else table


def _nothing() -> dict[str, Any]:
    return {"n_read": 0, "n_kept": 0, "n_ungraded": 0, "n_relevant": 0, "set_aside": {}}


def _add(facts: dict[str, Any], row: Row) -> None:
    facts["n_read"] += row["n"]
    if row["fault"] is not None:
        facts["set_aside"][row["fault"]] = row["n"]
        return
    facts["n_kept"] += row["n_graded"]
    facts["n_ungraded"] += row["n"] - row["n_graded"]
    facts["n_relevant"] += row["n_relevant"]


def _failure(corpus: str, facts: Mapping[str, Any], max_bad_share: float) -> CorpusFailure | None:
    set_aside: dict[str, int] = facts["set_aside"]
    n_bad = sum(set_aside.values())
    if n_bad <= max_bad_share * facts["n_read"]:
        return None
    listed = "; ".join(f"{n} {reason}" for reason, n in sorted(set_aside.items(), key=lambda item: (-item[1], item[0])))
    worst = max(sorted(set_aside), key=lambda reason: set_aside[reason])
    error = (
        f"{n_bad} of {facts['n_read']} reference judgments ({n_bad / facts['n_read']:.1%}) are faulty, more than "
        f"training.max_bad_share = {max_bad_share:.1%}: {listed}."
    )
    return CorpusFailure(corpus, _STAGE, error, _HINTS.get(worst, _OTHERWISE))
