"""Nodes of the folding stage."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from typing import Any

# Kedro resolves every annotation of a node at run time.
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer import corpora as of_corpora
from rankhammer.pipelines.folding.params import FoldingParams  # noqa: TC001
from rankhammer.pipelines.params import Corpora, Holdout, RandomState  # noqa: TC001
from rankhammer.training import folds


def fold(
    feature_rows: DataFrame, params: FoldingParams, random_state: RandomState, corpora: Corpora, holdout: Holdout
) -> tuple[DataFrame, list[dict[str, str]]]:
    """Give every row its query's number, its split and its fold."""
    folds.require_holdout(feature_rows, holdout, params.test_pattern)
    training_rows, failures = folds.assign_folds(
        feature_rows,
        n_folds=params.n_folds,
        test_share=params.test_share,
        test_pattern=params.test_pattern,
        random_state=random_state,
        corpora=of_corpora.named(corpora),
    )
    return training_rows, [asdict(failure) for failure in failures]


def report_folding(training_rows: DataFrame, failures: list[dict[str, str]]) -> tuple[dict[str, Any], Figure]:
    """Count rows, queries and clusters per fold of every corpus."""
    counts = groupby(folds.fold_counts(training_rows), key=itemgetter("corpus"))
    corpora = {corpus: folds.balance(rows) for corpus, rows in counts}
    return {"corpora": corpora, "failures": failures}, folds.balance_figure(corpora)
