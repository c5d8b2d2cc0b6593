"""Documents that a search would find and that no result page showed, drawn so that a ranker meets them in training.

A log shows what an earlier ranker put first; the next one has to order an engine's candidates, of which many were never
shown. Trees that saw none of them rank them by chance: see docs/adr/0047 and benchmarks/negatives.py for what it costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rankhammer.errors import ConfigError
from rankhammer.feature_sources.base import FindsCandidates
from rankhammer.schemas import EARLIER, JUDGMENTS, PERIOD
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from rankhammer.feature_sets import FeatureSet
    from rankhammer.feature_sources.base import FeatureSource

_CLUSTER = ("corpus", "query_cluster_id")


class NegativeRules(StrictModel):
    """How many unshown documents are drawn, and among which."""

    per_query: int = Field(0, ge=0, le=1000, description="documents drawn for each query cluster; 0 for none")
    n_candidates: int = Field(
        100, ge=1, le=10_000, description="first documents of a search for any word of the query, to draw among"
    )
    seed: int = Field(0, ge=0, lt=1 << 63, description="of the draw")


def draw_negatives(
    source: FeatureSource,
    judgments: DataFrame,
    *,
    documents: DataFrame | None,
    feature_set: FeatureSet,
    rules: NegativeRules,
) -> DataFrame:
    """Draw unshown documents of each query cluster.

    Args:
        source: Searches.
        judgments: `schemas.JUDGMENTS`.
        documents: As the source wants them.
        feature_set: Names the fields that are searched.
        rules: How many, and among which.

    Returns:
        `schemas.JUDGMENTS` as `schemas.IS_NEGATIVE` tells them: grade and relevance 0, no position, and the mean weight
        of their cluster's other rows, so that the cluster's own weight stays what it is. The same rows whatever the
        partitioning.

    Raises:
        ConfigError: The source cannot search.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    if not isinstance(source, FindsCandidates):
        raise ConfigError(
            "features.negatives needs a feature source that can search, and this one cannot.",
            hint="Use embedded, opensearch, elasticsearch or solr, or set features.negatives.per_query: 0.",
        )
    # Where the log is cut by time, what is learned from knows nothing of the later days.
    periods = {PERIOD: EARLIER} if PERIOD in judgments.columns else {}
    for name, value in periods.items():
        judgments = judgments.where(F.col(name) == value)
    clusters = judgments.groupBy(*_CLUSTER).agg(F.min("query").alias("query"), F.avg("weight").alias("weight"))
    asked = clusters.select("corpus", "query").distinct()
    found = source.candidates(asked, documents=documents, feature_set=feature_set, n=rules.n_candidates)
    unshown = found.join(clusters, ["corpus", "query"]).join(
        judgments.select(*_CLUSTER, "doc_id"), [*_CLUSTER, "doc_id"], "left_anti"
    )
    lot = F.xxhash64(*_CLUSTER, "doc_id", F.lit(rules.seed).cast("bigint"))
    place = F.row_number().over(Window.partitionBy(*_CLUSTER).orderBy(lot, "doc_id"))
    drawn = unshown.withColumn("drawn", place).where(F.col("drawn") <= rules.per_query)
    nothing = {"relevance": 0.0, "grade": 0, "n_impressions": 0, "n_examined": 0.0, "n_clicks": 0}
    nothing |= {"relevance_lower": 0.0, "prior_share": 1.0}
    columns = (
        F.col(name) if name in drawn.columns else F.lit(nothing.get(name)).cast(kind).alias(name)
        for name, kind in JUDGMENTS.columns.items()
    )
    return drawn.select(*columns, *[F.lit(value).alias(name) for name, value in periods.items()])
