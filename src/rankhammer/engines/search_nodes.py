"""Feature sources that ask a real search engine for the values its own index gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rankhammer.engines.remote.client import connect
from rankhammer.engines.remote.collecting import PAIR, Collector
from rankhammer.engines.remote.courtesy import check_cluster
from rankhammer.engines.remote.named_queries import NamedQueries
from rankhammer.engines.remote.options import SearchOptions
from rankhammer.engines.remote.plugin_logging import PluginLogging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel
    from pyspark.sql import DataFrame

    from rankhammer.engines.remote.base import FeatureLogging
    from rankhammer.feature_sets import FeatureSet


class OpenSearch:
    """Asks OpenSearch 2 or 3 by named queries, which need no plugin, or by the Learning to Rank plugin's own log.

    Args:
        options: Where the cluster is and how hard it may be asked.
    """

    Options: ClassVar[type[BaseModel]] = SearchOptions

    def __init__(self, options: BaseModel) -> None:
        self._options = SearchOptions.model_validate(options.model_dump())

    def collect(self, rows: DataFrame, *, documents: DataFrame | None, feature_set: FeatureSet) -> DataFrame:  # noqa: ARG002
        """Add the column `features` to rows of (query, document) pairs; see `base.FeatureSource`.

        With `progress` set the engine is asked when this is called, batch by batch, and a batch that ended is not
        asked again by the next run; else it is asked when the result is used.

        Args:
            rows: Has at least corpus, query, doc_id; every other column is carried through.
            documents: Not looked at: the engine has its own.
            feature_set: What to compute, in order.

        Returns:
            The same rows plus `features`: struct<name: float>, null where the engine does not have the document.

        Raises:
            EngineError: The cluster is live, busy, not there, lacks an index or the plugin, or refuses the searches.
            ConfigError: There are no such credentials, a field is searched by two analyzers, or the plugin cannot
                compute a feature.
        """
        located = self._options.locate(feature_set)
        n_connections = self._options.max_in_flight
        client = connect(self._options, n_connections=n_connections)
        # An action: one row a corpus comes back; an index that is not there stops the run before any search.
        corpora = sorted(row["corpus"] for row in rows.select("corpus").distinct().collect())
        check_cluster(client, self._options, corpora)
        logging = self._logging(located, corpora)
        return rows.join(Collector(client, self._options, logging).collect(rows), PAIR, "left")

    def _logging(self, located: FeatureSet, corpora: Sequence[str]) -> FeatureLogging:
        if self._options.logging == "sltr":
            return PluginLogging.of(self._options, located, corpora)
        return NamedQueries(self._options, located)


class Elasticsearch(OpenSearch):
    """Asks Elasticsearch 8 or 9 by named queries, which need no plugin, or by the Learning to Rank plugin's own log."""
