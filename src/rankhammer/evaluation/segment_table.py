"""Segments and estimates from clicks of every corpus, from the tables of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import functions as F

from rankhammer.errors import ConfigError
from rankhammer.evaluation.off_policy import LoggedClicks, OffPolicyRule, estimate
from rankhammer.evaluation.segments import MeasuredQueries, by_length, by_popularity, compare_segments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pyspark.sql import Column, DataFrame

    from rankhammer.evaluation.bootstrap import Bootstrap
    from rankhammer.evaluation.compared_queries import Measured

_CLUSTER = ("corpus", "query_cluster_id")
_FOUND = "corpus string, found string"
_ORDER = [("query_cluster_id", "ascending"), ("query", "ascending"), ("doc_id", "ascending")]
_OWN = "_own_"


def measured_segments(
    evaluation: DataFrame,
    training_rows: DataFrame,
    measured: Mapping[str, Measured],
    *,
    own: Mapping[str, str],
    bootstrap: Bootstrap,
) -> list[dict[str, Any]]:
    """Compare each corpus's ranker with the logged order and the baseline on parts of its test queries.

    Args:
        evaluation: schemas.EVALUATION.
        training_rows: schemas.TRAINING_ROWS: how often clusters were searched, and which are of the train split, too.
        measured: Corpus to metric and truth; the others are left out.
        own: Name of a segment to an expression of Spark SQL over columns of the training rows; of a cluster's rows the
            largest value counts, as text.
        bootstrap: How intervals are made.

    Returns:
        Rows of `segments.compare_segments` with corpus, metric and truth.

    Raises:
        ConfigError: An expression is wrong.
    """
    try:
        facts = training_rows.groupBy(*_CLUSTER).agg(
            F.max("n_impressions").cast("double").alias("n_searches"),
            F.max((F.col("split") == "train").cast("int")).alias("is_seen"),
            *[F.max(F.expr(text).cast("string")).alias(f"{_OWN}{name}") for name, text in own.items()],
        )
    except (AnalysisException, ParseException) as exc:
        raise ConfigError(
            f"ranker_report.segments has an expression that Spark refuses: {str(exc).splitlines()[0]}",
            hint="Expressions are Spark SQL over columns of the training rows, such as features.body_bm25 > 10.",
        ) from exc
    chosen = evaluation.where(F.col("value").isNotNull() & _headline(measured)).join(facts, [*_CLUSTER], "left")

    def compare(rows: pa.Table) -> pa.Table:
        corpus = rows["corpus"][0].as_py()
        return _as_text(corpus, compare_segments(_queries(rows, own), bootstrap))

    # An action: a few dozen rows per corpus come back.
    found = chosen.groupBy("corpus").applyInArrow(compare, _FOUND).collect()
    return [
        {
            "corpus": row["corpus"],
            "metric": measured[row["corpus"]].metric,
            "truth": measured[row["corpus"]].truth,
            **one,
        }
        for row in sorted(found)
        for one in json.loads(row["found"])
    ]


def off_policy_estimates(scored: DataFrame, rule: OffPolicyRule, bootstrap: Bootstrap) -> dict[str, dict[str, Any]]:
    """Estimate what each corpus's ranker gains on the logged clicks; see `off_policy.estimate`.

    Args:
        scored: Test rows of schemas.TRAINING_ROWS with a column `ranker`, the score.
        rule: Cutoff, clipping, and the fewest effective clicks.
        bootstrap: How intervals are made.

    Returns:
        Corpus to estimates.
    """
    columns = ["n_clicks", "n_impressions", "n_examined", "mean_position", "ranker"]
    shown = scored.where("n_impressions > 0").select(
        "corpus", "query_cluster_id", "query", "doc_id", *[F.col(name).cast("double") for name in columns]
    )

    def judge(rows: pa.Table) -> pa.Table:
        return _as_text(rows["corpus"][0].as_py(), estimate(_clicks(rows.sort_by(_ORDER)), rule, bootstrap))

    # An action: a dozen numbers per corpus come back.
    found = shown.groupBy("corpus").applyInArrow(judge, _FOUND).collect()
    return {row["corpus"]: json.loads(row["found"]) for row in sorted(found)}


def _headline(measured: Mapping[str, Measured]) -> Column:
    found = F.lit(False)
    for corpus, one in measured.items():
        is_it = (F.col("corpus") == corpus) & (F.col("metric") == one.metric) & (F.col("truth") == one.evaluated_by)
        found = found | is_it
    return found


def _queries(rows: pa.Table, own: Mapping[str, str]) -> MeasuredQueries:
    """Put one corpus's rows, one per query and system, side by side."""
    table = rows.to_pandas().sort_values(["query_cluster_id", "query", "system"])
    wide = table.pivot_table(index=["query_cluster_id", "query"], columns="system", values="value")
    facts = (
        table.drop_duplicates(["query_cluster_id", "query"]).set_index(["query_cluster_id", "query"]).loc[wide.index]
    )
    clusters = np.unique(wide.index.get_level_values(0).to_numpy(dtype=str), return_inverse=True)[1]
    labels: dict[str, NDArray[Any]] = {
        "popularity": by_popularity(facts["n_searches"].fillna(0.0).to_numpy(), clusters),
        "length": by_length(wide.index.get_level_values(1).tolist()),
        "seen in training": np.where(facts["is_seen"].fillna(0) > 0, "seen", "unseen"),
        **{name: facts[f"{_OWN}{name}"].fillna("none").to_numpy(dtype=str) for name in own},
    }
    return MeasuredQueries({name: wide[name].to_numpy() for name in wide.columns}, clusters, labels)


def _clicks(rows: pa.Table) -> LoggedClicks:
    cluster, query = (rows[name].to_numpy().astype(str) for name in ("query_cluster_id", "query"))
    starts = np.ones(len(rows), dtype=bool)
    starts[1:] = (cluster[1:] != cluster[:-1]) | (query[1:] != query[:-1])
    numbers = {name: np.nan_to_num(rows[name].to_numpy()) for name in ("n_clicks", "n_impressions", "n_examined")}
    return LoggedClicks(
        qid=np.cumsum(starts) - 1,
        clusters=np.unique(cluster, return_inverse=True)[1],
        **numbers,
        mean_position=np.nan_to_num(rows["mean_position"].to_numpy(), nan=1e6),
        scores=rows["ranker"].to_numpy(),
    )


def _as_text(corpus: str, found: Any) -> pa.Table:
    return pa.table({"corpus": [corpus], "found": [json.dumps(found)]})
