"""The hand-offs between stages: one table each, with its grain and its columns in order.

Types are Spark's simple names ("string", "array<string>"). Importing this module does not import Spark.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from rankhammer.errors import SchemaError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql import DataFrame, SparkSession

NUMBER_TYPES = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
"""How the names of Spark's number types begin."""

FLOAT_STRUCT = "struct<float>"
DOUBLE_STRUCT = "struct<double>"
"""Each stands for a struct whose fields all have that type, whatever their names."""


def ddl(columns: Mapping[str, str]) -> str:
    """Return columns as Spark's functions take a schema: "corpus string, n_serps bigint".

    Args:
        columns: Name to Spark type, in order.
    """
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


@dataclass(frozen=True)
class Table:
    """A named table: its grain and its columns, in order.

    Args:
        name: The catalog's name for it.
        grain: The columns that identify a row.
        columns: Column name to Spark type name, in order.
        timings: Columns that say how long something took: they differ between two equal runs.
        optional: Columns that may stand behind those, in order, with their types.
    """

    name: str
    grain: tuple[str, ...]
    columns: Mapping[str, str]
    timings: tuple[str, ...] = ()
    optional: Mapping[str, str] = field(default_factory=dict)

    def select(self, table: DataFrame) -> DataFrame:
        """Put the columns in schema order and drop every other one.

        Args:
            table: Any table that has at least these columns.

        Returns:
            The same rows with exactly this table's columns.

        Raises:
            SchemaError: A column is missing or has another type.
        """
        self.require(table.dtypes)
        return table.select(*self.names_in(table.columns))

    def names_in(self, found: Iterable[str]) -> list[str]:
        """Return the columns that a table with these names has, in order."""
        there = set(found)
        return [*self.columns, *(name for name in self.optional if name in there)]

    def empty(self, session: SparkSession) -> DataFrame:
        """Return the table without a row, of which Spark knows that it is empty.

        Args:
            session: Of Spark.
        """
        import pyarrow as pa
        from pyspark.sql.pandas.types import to_arrow_schema
        from pyspark.sql.types import StructType

        schema = to_arrow_schema(cast("StructType", StructType.fromDDL(ddl(self.columns))), timezone="UTC")
        return session.createDataFrame(pa.Table.from_batches([], schema))

    def check(self, table: DataFrame) -> DataFrame:
        """Pass a table through when it has exactly these columns, in this order, with these types.

        Raises:
            SchemaError: A column is missing, superfluous, out of order, or has another type.
        """
        self.require(table.dtypes)
        expected = self.names_in(table.columns)
        if table.columns != expected:
            raise SchemaError(
                f"Table {self.name!r}: got columns {table.columns}, expected {expected} in this order.",
                hint="End the stage with the schema's own select.",
                table=self.name,
            )
        return table

    def require(self, dtypes: Iterable[tuple[str, str]]) -> None:
        """Check that these columns exist with these types; others may stand beside them.

        Args:
            dtypes: (column, Spark type name) pairs, as `DataFrame.dtypes` gives them.

        Raises:
            SchemaError: Names the first column that is missing or wrong, and the columns that were found.
        """
        found = dict(dtypes)
        known = {name: {**self.columns, **self.optional}[name] for name in self.names_in(found)}
        for column, expected in known.items():
            if column not in found:
                raise SchemaError(
                    f"Table {self.name!r}: column {column!r} is missing; found {sorted(found)}.",
                    hint=f"{did_you_mean(column, found)} Map the input's columns where it is read.",
                    table=self.name,
                    column=column,
                )
            if not _same_type(found[column], expected):
                raise SchemaError(
                    f"Table {self.name!r}: column {column!r} has type {found[column]}, expected {expected}.",
                    hint="Cast the column where the table is read.",
                    table=self.name,
                    column=column,
                )


def _same_type(found: str, expected: str) -> bool:
    if expected not in (FLOAT_STRUCT, DOUBLE_STRUCT):
        return found == expected
    kind = expected.removeprefix("struct<").removesuffix(">")
    fields = found.removeprefix("struct<").removesuffix(">").split(",")
    return found.startswith("struct<") and all(field.endswith(f":{kind}") for field in fields)


DOCUMENTS = Table("documents", ("corpus", "doc_id"), {"corpus": "string", "doc_id": "string"})
"""Text fields (string) and numbers (double) stand beside these two, as the feature set names them."""

CLICK_WEIGHTS = "click_weights"
"""What a click on each document of a page is worth, 0 to 1, 0 where it was not clicked: as `doc_ids`, or null."""
_WEIGHTS = {CLICK_WEIGHTS: "array<double>"}

SERPS = Table(
    "serps",
    ("corpus", "serp_id"),
    {
        "corpus": "string",
        "serp_id": "string",
        "session_id": "string",
        "query": "string",
        "normalized_query": "string",
        "query_cluster_id": "string",
        "shown_at": "timestamp",
        "doc_ids": "array<string>",
        "clicked": "array<boolean>",
    },
    optional=_WEIGHTS,
)

RAW_SERPS = Table(
    "raw_serps",
    ("corpus", "serp_id"),
    {
        "corpus": "string",
        "serp_id": "string",
        "session_id": "string",
        "query": "string",
        "shown_at": "timestamp",
        "doc_ids": "array<string>",
        "clicked": "array<boolean>",
        "fault": "string",
    },
    optional=_WEIGHTS,
)
"""What a click-log reader returns: `fault` is null for a sound row, else the reason it is set aside."""

QUARANTINE = Table(
    "quarantine",
    ("corpus", "reason", "serp_id"),
    {
        "corpus": "string",
        "reason": "string",
        "serp_id": "string",
        "shown_at": "timestamp",
        "page": "string",
        "row": "string",
        "file": "string",
    },
)
"""Pages that ingestion set aside; `serp_id` is null where the log has none, so several rows may share a grain. `page`
is JSON of session_id, query, doc_ids and clicked as far as they could be read; `row` is JSON of what its first faulty
row holds, and `file` where that stands; both are null where the fault is of the page as a whole. Nothing says who
searched."""

PERIOD, EARLIER, LATER = "period", "earlier", "later"
"""Days that a row's evidence is from, where the log is cut by time; a grain is unique within a period then."""
_PERIODS = {PERIOD: "string"}

JUDGMENTS = Table(
    "judgments",
    ("corpus", "query_cluster_id", "doc_id"),
    {
        "corpus": "string",
        "query": "string",
        "query_cluster_id": "string",
        "doc_id": "string",
        "relevance": "double",
        "grade": "int",
        "weight": "double",
        "n_impressions": "bigint",
        "n_examined": "double",
        "n_clicks": "bigint",
        "mean_position": "double",
        "relevance_sd": "double",
        "relevance_lower": "double",
        "prior_share": "double",
    },
    optional=_PERIODS,
)

COUNTED_SERPS = Table(
    "counted_serps",
    ("corpus", "query_cluster_id"),
    {
        "corpus": "string",
        "query_cluster_id": "string",
        "query": "string",
        "n_serps": "bigint",
        "n_clicks": "bigint",
        "doc_ids": "binary",
        "doc_lengths": "binary",
        "page_lengths": "binary",
        "page_weights": "binary",
        "cells": "binary",
    },
    optional={"gains": "binary"},
)
"""The labeling stage's own working table: each distinct page of a cluster once, with how often it was seen.
`query` is the cluster's most frequent typed form. Lists are packed as `click_models.packing` says: `doc_ids`, sorted;
of each page its number of positions (`page_lengths`) and how often it was seen (`page_weights`); and the `cells` of all
pages end to end, each 2 x (place in doc_ids) + clicked. Where clicks have weights, `gains` has the one of each cell, in
thousandths."""

CLICK_MODEL_PARAMETERS = Table(
    "click_model_parameters",
    JUDGMENTS.grain,
    {
        "corpus": "string",
        "query_cluster_id": "string",
        "query": "string",
        "doc_id": "string",
        "n_impressions": "bigint",
        "n_examined": "double",
        "n_clicks": "bigint",
        "mean_position": "double",
        "relevance": "double",
        "relevance_sd": "double",
        "relevance_lower": "double",
        "prior_share": "double",
        "n_iter": "int",
        "converged": "boolean",
        "parameters": DOUBLE_STRUCT,
    },
)
"""What a click model found for each document; `parameters` holds the model's own, by name, each in [0, 1]."""

PREVIOUS_CLICK_MODEL = Table(
    "previous_click_model",
    JUDGMENTS.grain,
    {name: CLICK_MODEL_PARAMETERS.columns[name] for name in (*JUDGMENTS.grain, "parameters")},
)
"""What a fit can begin at: `click_model_parameters` of an earlier run."""

REFERENCE_JUDGMENTS = Table(
    "reference_judgments",
    ("corpus", "query", "doc_id"),
    {"corpus": "string", "query": "string", "doc_id": "string", "grade": "int"},
)

RESULT_LISTS = Table(
    "result_lists",
    ("corpus", "query", "doc_id"),
    {"corpus": "string", "query": "string", "doc_id": "string", "place": "double"},
)
"""What a search engine shows for queries: `place` counts from 1, and a smaller one stands above."""

FEATURE_ROWS = Table(
    "feature_rows", JUDGMENTS.grain, {**JUDGMENTS.columns, "features": FLOAT_STRUCT}, optional=_PERIODS
)
IS_NEGATIVE = "(n_impressions <=> 0 AND prior_share <=> 1D)"
"""SQL that tells the rows of documents that no result page showed, and that were drawn to learn from: of grade 0, with
nothing known of them but the prior. They are in no test split."""

TRAINING_ROWS = Table(
    "training_rows",
    JUDGMENTS.grain,
    {**FEATURE_ROWS.columns, "qid": "int", "fold": "int", "split": "string"},
    optional=_PERIODS,
)

TRAINING_MATRIX = Table(
    "training_matrix",
    JUDGMENTS.grain,
    {
        "corpus": "string",
        "qid": "int",
        "query": "string",
        "query_cluster_id": "string",
        "doc_id": "string",
        "split": "string",
        "fold": "int",
        "grade": "int",
        "weight": "double",
        "reference_grade": "int",
        "mean_position": "double",
        "features": FLOAT_STRUCT,
    },
)
"""The training stage's own working table: one Parquet file per corpus, sorted by (qid, doc_id).
`reference_grade` is null where there are no reference judgments for the query."""

TUNING_TRIALS = Table(
    "tuning_trials",
    ("corpus", "ranker", "trial"),
    {
        "corpus": "string",
        "trial": "int",
        "loss": "double",
        "status": "string",
        "n_rounds": "int",
        "params": "string",
        "duration_s": "double",
        "ranker": "string",
        "ndcg": "double",
        "behind": "double",
        "behind_se": "double",
        "chosen": "boolean",
        "error": "string",
        "fold_ndcg": "array<double>",
        "standard_error": "double",
    },
    timings=("duration_s",),
    optional={
        "fold_rounds": "array<int>",
        "curve_rounds": "array<array<int>>",
        "curve_ndcg": "array<array<double>>",
        "model_size": "double",
        "behind_best": "double",
        "behind_best_se": "double",
    },
)
"""`params` is a JSON object; `loss` is minus the mean NDCG over folds (null when the trial failed). `chosen` marks the
one trial of a corpus that its ranker is trained with. Of each candidate's best trial: `ndcg` is its mean over all
validation queries, `behind` how far that is behind the best candidate's, `behind_se` the standard error of that; null
elsewhere. One element a fold, in their order, null where the trial failed: `fold_rounds` is its best number of rounds,
`curve_ndcg` its validation metric after the rounds `curve_rounds`, at most `training.rounds_kept` of them, none where
nothing stopped early. `model_size` is the mean over folds of a model's leaves or weights; `behind_best` how far a
trial is behind the best of its own search, paired by query, and `behind_best_se` the standard error of that. Older
tables have none of the six."""

EVALUATION = Table(
    "evaluation",
    ("corpus", "metric", "truth", "system", "query"),
    {
        "corpus": "string",
        "metric": "string",
        "truth": "string",
        "system": "string",
        "query": "string",
        "query_cluster_id": "string",
        "value": "double",
    },
)
"""One value per test query. truth: "reference" or "clicks"; system: "logged", "baseline", "ranker" or "oracle"."""
