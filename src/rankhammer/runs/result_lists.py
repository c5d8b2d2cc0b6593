"""Asks the feature source of an environment what it shows for the queries of the log, and writes it down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError, DataError
from rankhammer.queries.overlap import TOP_RESULTS
from rankhammer.schemas import RESULT_LISTS
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def write_result_lists(env: str | None, path: str, *, run: str | None = None) -> tuple[int, int]:
    """Search for every query whose normal form has others, and write the first documents of each.

    Args:
        env: Kedro environment; None for the default one.
        path: New folder, local or a URI; gets Parquet with the columns of `schemas.RESULT_LISTS`.
        run: Id of the run, where runs have ids; None for the newest that ingested a log.

    Returns:
        Queries that were asked, and those of them that found something.

    Raises:
        ConfigError: The folder is there already, or the source cannot search.
        DataError: No form has several queries.
        EngineError: The engine cannot answer.
    """
    from rankhammer import plugins
    from rankhammer.feature_sources.base import FindsCandidates
    from rankhammer.runs.execute import session_of_run

    if storage_for(path).exists(path):
        raise ConfigError(f"{path} is there already.", hint="Name a folder that does not exist, or remove it.")
    session = session_of_run(env, run, lambda: ["serps"])
    with session:
        context = session.load_context()
        catalog: Any = context.catalog
        source = plugins.create("feature_sources", context.params["features"].source)
        if not isinstance(source, FindsCandidates):
            raise ConfigError(
                "The feature source of this environment cannot search.",
                hint="Use embedded, opensearch, elasticsearch or solr in features.source.",
            )
        queries = _ambiguous(catalog.load("serps")).persist()
        # An action: how many there are is said, and none is no reason to ask an engine.
        n_queries = queries.count()
        if not n_queries:
            raise DataError(
                "No normal form has several queries: there is nothing to tell apart.",
                hint="`clusters: results` would change nothing for this log.",
            )
        found = source.candidates(
            queries,
            documents=_documents(catalog, context.params),
            feature_set=context.params["feature_set"],
            n=TOP_RESULTS,
        )
        lists = RESULT_LISTS.select(found.withColumn("place", found["place"].cast("double")))
        lists.coalesce(1).sortWithinPartitions(*RESULT_LISTS.grain).write.parquet(path)
        written: DataFrame = lists.sparkSession.read.parquet(path)
        return n_queries, written.select("corpus", "query").distinct().count()


def _ambiguous(serps: DataFrame) -> DataFrame:
    """Return the queries, as typed, of forms that have several."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    queries = serps.select("corpus", "normalized_query", "query").distinct()
    form = Window.partitionBy("corpus", "normalized_query")
    return queries.withColumn("n", F.count("*").over(form)).where("n > 1").select("corpus", "query")


def _documents(catalog: Any, params: Any) -> DataFrame | None:
    """Return the documents as a source wants them, where they are given."""
    from rankhammer.feature_sources.base import read_documents, single_documents, sound_documents

    documents = catalog.load("documents")
    if documents is None:
        return None
    feature_set = params["feature_set"]
    return sound_documents(single_documents(read_documents(documents, feature_set), feature_set))
