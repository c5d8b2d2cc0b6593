"""Which corpora can be trained at all, by what is known of them before any trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.casts import MAX_GRADE
from rankhammer.errors import CorpusFailure
from rankhammer.training.feature_values import read_values, values_of

if TYPE_CHECKING:
    from rankhammer.training.matrix import CorpusFacts
    from rankhammer.training.staging import StagedCorpus

MIN_FOLDS = 2
"""Folds that have a relevant document."""


def untrainable(staged: StagedCorpus, facts: CorpusFacts) -> CorpusFailure | None:
    """Say why a corpus is set aside; None: it is not, and features that say nothing are named in warnings.

    Args:
        staged: Its files, or its rows in Spark.
        facts: What there is to train it on.
    """
    if failure := _without_a_lesson(staged.corpus, facts):
        return failure
    values = values_of(staged.distributed.table) if staged.distributed else read_values(staged.paths)
    failure = values.failure(staged.corpus)
    if failure is None:
        values.warn(staged.corpus)
    return failure


def _without_a_lesson(corpus: str, facts: CorpusFacts) -> CorpusFailure | None:
    """Say that the grades cannot be learned from."""
    faulty = [grade for grade in (facts.lowest_grade, facts.highest_grade) if not 0 <= grade <= MAX_GRADE]
    if faulty:
        return CorpusFailure(
            corpus,
            "training",
            f"grade {faulty[0]} cannot be trained on: a gain is 2^grade - 1, and grades go from 0 to {MAX_GRADE}.",
            f"Scale the grades to 0 to {MAX_GRADE}; 0 to 4 is usual, and TREC's -1 and -2 are 0.",
        )
    if len(facts.folds) < MIN_FOLDS:
        return CorpusFailure(
            corpus,
            "training",
            f"{len(facts.folds)} of its folds have a document of grade 1 or more; expected at least {MIN_FOLDS} "
            f"({facts.n_rows['train']} training rows, {facts.n_graded_rows} of them graded).",
            "Bring a log with more clicks of this corpus, or lower labeling's min_examined.",
        )
    if not facts.n_telling_queries:
        return CorpusFailure(
            corpus,
            "training",
            f"in each of its {facts.n_graded_queries} graded training queries all documents have the same grade: "
            "nothing says which of them is better.",
            "Bring judgments of several documents a query that differ; labeling.grading says how grades are cut.",
        )
    return None
