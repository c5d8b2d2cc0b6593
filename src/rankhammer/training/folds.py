"""The test split and the folds: by a hash of the query cluster, equal in rows, never splitting a cluster.

Every corpus is cut for itself. Its clusters are laid out in the order of their hash, and the cuts are made where the
running share of the rows says so. A grown log moves each cut a little, so nearly every cluster keeps its side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from rankhammer import corpora as of_corpora
from rankhammer import schemas
from rankhammer.click_models.periods import PATTERN, Holdout
from rankhammer.errors import ConfigError, CorpusFailure, stop_if_all_failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from plotly.graph_objects import Figure
    from pyspark.sql import Column, DataFrame, Row

MAX_BUCKETS = 4096
"""A corpus with more clusters than this is cut between buckets of clusters, so no task ever orders all clusters."""

TEST_FOLD = -1
"""The fold number of a test row."""

_QUERY = ("corpus", "query_cluster_id", "query")
_BUCKET = ["corpus", "bucket", "in_test"]
_BUCKET_BITS = 12
_TEST_COLOUR = "#f0871f"
_FOLD_COLOURS = ("#4c8fd0", "#7fb0de", "#3a76b0", "#a5c8e8", "#5f9fd8")


def assign_folds(
    feature_rows: DataFrame,
    *,
    n_folds: int,
    test_share: float,
    test_pattern: str | None,
    random_state: int,
    corpora: Sequence[str] | None = None,
) -> tuple[DataFrame, list[CorpusFailure]]:
    """Give every row its query's number, its split and its fold.

    The result depends on the rows alone, not on their order or partitioning. Every fold, and the test split, has at
    least one cluster.

    Args:
        feature_rows: schemas.FEATURE_ROWS; one row a (corpus, cluster, document).
        n_folds: Folds of the train split, 2 or more; each has the same number of rows, to within a cluster.
        test_share: Share of a corpus's rows in the test split, above 0 and below 1.
        test_pattern: Java regular expression; where given, the clusters with a matching query are the test split,
            and test_share is not used. Rows with a `period` are cut by that: the later ones are the test split.
        random_state: Seed of the hash.
        corpora: Names of those to work on; None: all.

    Returns:
        schemas.TRAINING_ROWS of the corpora that have enough clusters (split "train" with fold 0..n_folds - 1, split
        "test" with fold TEST_FOLD; qid counts a corpus's queries from 0), and the corpora that have not.

    Raises:
        DataError: No corpus has enough clusters, or one that is asked for is not there.
        ConfigError: A pattern is given for rows that are cut by time.
    """
    chosen = of_corpora.only(feature_rows, corpora)
    is_by_time = schemas.PERIOD in chosen.columns
    if is_by_time and test_pattern:
        raise ConfigError(
            f"folding.test_pattern {test_pattern!r}: the judgments are cut by time (holdout: time), and the later "
            "ones are the test split.",
            hint="Set folding.test_pattern: null, or holdout: clusters.",
        )
    queries = _queries(chosen, test_pattern=test_pattern, random_state=random_state).persist()
    # An action; one row per corpus comes back: the run must know which corpora to leave out, and say so.
    counts = sorted(queries.transform(_cluster_counts).collect())
    of_corpora.require_found(corpora, [row.corpus for row in counts], lambda: of_corpora.names_in(feature_rows))
    rule = TestRule(test_pattern, is_by_time)
    failures = [found for row in counts if (found := _failure(row, n_folds=n_folds, rule=rule))]
    stop_if_all_failed(failures, len(counts))
    numbered = (
        queries.filter(~F.col("corpus").isin([failure.corpus for failure in failures]))
        .withColumn("bucket", _bucket([row.corpus for row in counts if rule.n_cut(row) > MAX_BUCKETS]))
        .transform(_number, n_folds=n_folds, test_share=None if rule.is_known else test_share)
        .select(
            *_keys(queries), "qid", "fold", F.when(F.col("fold") == TEST_FOLD, "test").otherwise("train").alias("split")
        )
    )
    rows = chosen.join(numbered, _keys(queries))
    # Nobody has seen a document that was drawn: it is there to learn from, and never to measure by.
    kept = (F.col("split") == "train") | ~F.expr(schemas.IS_NEGATIVE)
    return schemas.TRAINING_ROWS.select(rows.where(kept)), failures


def require_holdout(feature_rows: DataFrame, holdout: object, test_pattern: str | None) -> None:
    """Refuse a way to hold out that these rows, or the other parameters, do not go with.

    Args:
        feature_rows: schemas.FEATURE_ROWS.
        holdout: The parameter; see `periods.Holdout.parse`.
        test_pattern: That of folding.

    Raises:
        ConfigError: A pattern is needed and not given; or rows are cut by time and should not be, or not and should.
    """
    by, is_by_time = Holdout.parse(holdout), schemas.PERIOD in feature_rows.columns
    if by.by == PATTERN and test_pattern is None:
        raise ConfigError(
            "holdout: pattern needs folding.test_pattern, which is null.",
            hint='Set folding.test_pattern to a regular expression, such as "^test ".',
        )
    if by.is_by_time != is_by_time:
        raise ConfigError(
            f"holdout: {by.by}, but the feature rows are {'cut by time' if is_by_time else 'of no period'}.",
            hint="The labeling stage cuts by time: run from it on with the same holdout.",
        )


def fold_counts(training_rows: DataFrame) -> list[dict[str, Any]]:
    """Count what each fold holds.

    Args:
        training_rows: schemas.TRAINING_ROWS.

    Returns:
        One entry a (corpus, split, fold), in their order: n_rows, n_graded_rows, n_queries, n_clusters.
    """
    counts = training_rows.groupBy("corpus", "split", "fold").agg(
        F.count("*").alias("n_rows"),
        F.count("grade").alias("n_graded_rows"),
        F.countDistinct("qid").alias("n_queries"),
        F.countDistinct("query_cluster_id").alias("n_clusters"),
    )
    # An action: the report is made of these. At most n_folds + 1 rows per corpus come back.
    return [row.asDict() for row in sorted(counts.collect())]


def balance(counts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Sum up one corpus's fold counts.

    Args:
        counts: Rows of `fold_counts` of one corpus.

    Returns:
        n_rows, n_queries, n_clusters; test_share: the test split's share of the rows; largest_fold: rows of the largest
        fold over the mean fold (1.0 is perfectly even); folds: the counts themselves.
    """
    folds = [{key: value for key, value in fold.items() if key != "corpus"} for fold in counts]
    total = {name: sum(fold[name] for fold in folds) for name in ("n_rows", "n_queries", "n_clusters")}
    train = [fold["n_rows"] for fold in folds if fold["split"] == "train"]
    return {
        **total,
        "test_share": round(1.0 - sum(train) / total["n_rows"], 4),
        "largest_fold": round(max(train) * len(train) / sum(train), 4),
        "folds": folds,
    }


def balance_figure(corpora: Mapping[str, Mapping[str, Any]], *, max_corpora: int = 20) -> Figure:
    """Draw the rows of every fold, one group of bars per corpus, the corpora in name order.

    Args:
        corpora: Corpus to what `balance` returned for it.
        max_corpora: Smaller corpora beyond this many are left out.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    largest = plot_style.largest_corpora({name: of["n_rows"] for name, of in corpora.items()}, max_corpora)
    folds = sorted({fold["fold"] for corpus in largest for fold in corpora[corpus]["folds"]})
    figure = graph_objects.Figure()
    for number in folds:
        rows = {c: f["n_rows"] for c in largest for f in corpora[c]["folds"] if f["fold"] == number}
        name = "test" if number == TEST_FOLD else f"fold {number}"
        colour = _TEST_COLOUR if number == TEST_FOLD else _FOLD_COLOURS[number % len(_FOLD_COLOURS)]
        figure.add_bar(name=name, x=list(rows), y=list(rows.values()), marker_color=colour)
    title, x, y = "Rows of the test split and of each fold", "corpus", "number of training rows"
    return plot_style.themed(figure, title=title, legend="split", x=x, y=y, barmode="group")


@dataclass(frozen=True)
class TestRule:
    """Which rows are held out.

    Args:
        pattern: Clusters with a query that it matches; None: no pattern says it.
        is_by_time: Rows of later days.
    """

    pattern: str | None
    is_by_time: bool

    @property
    def is_known(self) -> bool:
        """Whether rows say by themselves that they are held out, instead of a share of them being drawn."""
        return self.is_by_time or self.pattern is not None

    def n_cut(self, counts: Row) -> int:
        """Return how many clusters are cut into folds: of days that are held out, nothing is to be known."""
        n_clusters: int = counts.n_clusters
        return n_clusters - counts.n_test_clusters if self.is_by_time else n_clusters

    def no_test_cluster(self, n_clusters: int) -> tuple[str, str]:
        """Return what is wrong where nothing is held out, and what to do."""
        if self.is_by_time:
            error = (
                f"holdout: time found no later judgments of its {n_clusters} query clusters: its pages are of "
                "one day, a page lacks its time, or no page of the later days has a click."
            )
            return (
                error,
                "Bring a longer log of this corpus, or set holdout: clusters.",
            )
        return (
            f"folding.test_pattern {self.pattern!r} matches no query of its {n_clusters} query clusters.",
            "Correct folding.test_pattern, or set it to null to hold out folding.test_share of the rows.",
        )


def _queries(feature_rows: DataFrame, *, test_pattern: str | None, random_state: int) -> DataFrame:
    """One row per query: its rows without negatives, its cluster's place, and whether a pattern holds that out."""
    cluster = Window.partitionBy("corpus", "query_cluster_id")
    in_test = F.max(F.col("query").rlike(test_pattern)).over(cluster) if test_pattern else F.lit(False)
    if schemas.PERIOD in feature_rows.columns:
        in_test = F.col(schemas.PERIOD) == schemas.LATER
    return (
        feature_rows.groupBy(*_keys(feature_rows))
        .agg(F.count_if(~F.expr(schemas.IS_NEGATIVE)).alias("n_rows"))
        .withColumn("place", F.xxhash64(F.lit(random_state).cast("bigint"), "corpus", "query_cluster_id"))
        .withColumn("in_test", in_test)
    )


def _keys(table: DataFrame) -> list[str]:
    """Return what a query is known by: where rows are cut by time, it may be searched in both periods."""
    return [*_QUERY, *(name for name in [schemas.PERIOD] if name in table.columns)]


def _cluster_counts(queries: DataFrame) -> DataFrame:
    clusters = queries.select("corpus", "query_cluster_id", "in_test").distinct()
    return clusters.groupBy("corpus").agg(
        F.count("*").alias("n_clusters"), F.count_if("in_test").alias("n_test_clusters")
    )


def _failure(counts: Row, *, n_folds: int, rule: TestRule) -> CorpusFailure | None:
    if rule.is_known and not counts.n_test_clusters:
        return CorpusFailure(counts.corpus, "folding", *rule.no_test_cluster(counts.n_clusters))
    n_train = counts.n_clusters - (counts.n_test_clusters or 1)
    if n_train >= n_folds:
        return None
    lower = f"Lower folding.n_folds to {n_train} or less, or bring" if n_train > 1 else "Bring"
    return CorpusFailure(
        counts.corpus,
        "folding",
        f"{counts.n_clusters} query clusters leave {n_train} for training beside the test split; "
        f"folding.n_folds = {n_folds} needs at least {n_folds}.",
        f"{lower} a log with more queries of this corpus.",
    )


def _bucket(large_corpora: list[str]) -> Column:
    """The cluster's own place where clusters are few, else the first 12 bits of it."""
    coarse = F.shiftright("place", 64 - _BUCKET_BITS)
    return F.when(F.col("corpus").isin(large_corpora), coarse).otherwise(F.col("place"))


def _number(queries: DataFrame, *, n_folds: int, test_share: float | None) -> DataFrame:
    """Add fold and qid. A corpus's queries are numbered in the order of (bucket, cluster, query), a bucket a task."""
    first = TEST_FOLD if test_share else 0
    earlier = Window.partitionBy("corpus").orderBy("bucket", "in_test").rowsBetween(Window.unboundedPreceding, -1)
    pooled = (
        queries.groupBy(*_BUCKET)
        .agg(F.sum("n_rows").alias("n_rows"), F.count("*").alias("n_queries"))
        .transform(_cut, test_share=test_share, n_folds=n_folds)
        .withColumn("fold", F.when(F.col("in_test"), TEST_FOLD).otherwise(F.col("side") + first).cast("int"))
        .withColumn("offset", F.coalesce(F.sum("n_queries").over(earlier), F.lit(0)))
    )
    in_bucket = Window.partitionBy(*_BUCKET).orderBy("query_cluster_id", "query")
    qid = F.col("offset") + F.row_number().over(in_bucket) - 1
    return queries.join(pooled.select(*_BUCKET, "fold", "offset"), _BUCKET).withColumn("qid", qid.cast("int"))


def _cut(pooled: DataFrame, *, test_share: float | None, n_folds: int) -> DataFrame:
    """Add `side`, 0 to n_sides - 1: by the share of the rows before the middle of the bucket, none left empty.

    One task orders the buckets of a corpus: at most 2 x MAX_BUCKETS rows. A bucket that spans a whole side would leave
    it empty, so side i is reached one step at a time, and early enough that the buckets left can fill the sides left:
    side_i = min(wanted_i, side_(i-1) + 1), which is i + min over j <= i of (wanted_j - j), at most i.
    Worked row: rows 1 8 1 in 3 sides: middles .05 .50 .95 want 0 1 2. Rows 8 1 1: .40 .85 .95 want 1 2 2 and get 0 1 2.
    """
    group = Window.partitionBy("corpus", "in_test")
    ordered = group.orderBy("bucket")
    so_far = ordered.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    n_sides = n_folds + (1 if test_share else 0)
    place = F.row_number().over(ordered) - 1
    n_left = F.count("*").over(group) - place
    rows = F.col("n_rows")
    middle = (F.sum(rows).over(so_far) - rows / 2) / F.sum(rows).over(group)
    wanted = F.greatest(_side_of(middle, test_share, n_folds), F.lit(n_sides) - n_left)
    return pooled.withColumn("i", place).withColumn(
        "side", F.col("i") + F.least(F.lit(0), F.min(wanted - F.col("i")).over(so_far))
    )


def _side_of(middle: Column, test_share: float | None, n_folds: int) -> Column:
    """The side that a place in 0..1 falls into: the test split first, where it is a share, then equal folds."""
    share = test_share or 0.0
    fold = F.least(F.floor((middle - share) / (1.0 - share) * n_folds), F.lit(n_folds - 1))
    return F.when(middle < share, 0).otherwise(fold + 1) if test_share else fold
