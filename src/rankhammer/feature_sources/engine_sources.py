"""Feature sources that ask a real search engine for the values its own index gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from rankhammer.errors import ConfigError
from rankhammer.feature_sets import for_engine
from rankhammer.feature_sources.base import matches_of
from rankhammer.feature_sources.remote.batch_runner import Collector
from rankhammer.feature_sources.remote.bundle import Bundle
from rankhammer.feature_sources.remote.candidate_search import (
    ElasticSearching,
    SolrSearching,
    search_engine,
)
from rankhammer.feature_sources.remote.named_queries import NamedQueries
from rankhammer.feature_sources.remote.options import SearchOptions, SolrOptions
from rankhammer.feature_sources.remote.plugin_logging import PluginLogging
from rankhammer.feature_sources.remote.preflight import SearchCluster, SolrCluster, check_cluster
from rankhammer.feature_sources.remote.solr_logging import SolrLogging
from rankhammer.search_engines.client import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel
    from pyspark.sql import DataFrame

    from rankhammer.feature_sets import FeatureSet, Match
    from rankhammer.feature_sources.remote.base import FeatureLogging
    from rankhammer.feature_sources.remote.candidate_search import Searching
    from rankhammer.feature_sources.remote.preflight import ProbedCluster
    from rankhammer.search_engines.client import Client


class RealEngine(ABC):
    """A feature source that asks a real engine; each kind of engine says how.

    Args:
        options: Where the engine is and how hard it may be asked.
    """

    Options: ClassVar[type[BaseModel]]
    name: ClassVar[str]
    """Registered name."""

    def __init__(self, options: BaseModel) -> None:
        self._options: Any = self.Options.model_validate(options.model_dump(exclude_unset=True))

    @property
    def keeps_answers(self) -> bool:
        """See `base.KeepsAnswers`."""
        return self._options.progress is not None

    @abstractmethod
    def cluster(self, client: Client) -> ProbedCluster:
        """Return what tells of the cluster."""

    @abstractmethod
    def logging(self, feature_set: FeatureSet, corpora: Sequence[str]) -> FeatureLogging:
        """Return how a feature set is asked.

        Args:
            feature_set: What to compute, with the engine's names of fields.
            corpora: Whose documents will be asked for.
        """

    @abstractmethod
    def searching(self, matches: tuple[Match, ...]) -> Searching:
        """Return how the engine is searched.

        Args:
            matches: With the engine's names of fields.
        """

    def candidates(
        self,
        queries: DataFrame,
        *,
        documents: DataFrame | None,  # noqa: ARG002 - the engine has its own
        feature_set: FeatureSet,
        n: int,
    ) -> DataFrame:
        """See `base.FindsCandidates`.

        Raises:
            EngineError: The cluster is live, busy, not there, lacks an index, or refuses the searches.
            ConfigError: Answers come in a bundle, there are no such credentials, or the feature set has no match.
        """
        if self._options.bundle:
            raise ConfigError(
                "features.negatives searches the engine, and a bundle asks it for features alone.",
                hint="Set features.negatives.per_query: 0, or collect without `bundle`.",
            )
        # An action: one row per corpus comes back, as in `collect`.
        corpora = sorted(row["corpus"] for row in queries.select("corpus").distinct().collect())
        matches = matches_of(self._options.locate(feature_set))
        collector = self.collector(feature_set, corpora)
        return search_engine(
            queries, n, client=collector.client, options=self._options, searching=self.searching(matches)
        )

    def check(self, feature_set: FeatureSet) -> None:
        """See `base.ChecksFeatures`; asks nobody."""
        self.logging(self._options.locate(feature_set), ())

    def collect(self, rows: DataFrame, *, documents: DataFrame | None, feature_set: FeatureSet) -> DataFrame:  # noqa: ARG002
        """Add the column `features` to rows of (query, document) pairs; see `base.FeatureSource`.

        With `progress` set the engine is asked when this is called, batch by batch, and a batch that ended is not
        asked again by the next run; else it is asked whenever the result is used: persist it to use it twice.

        Args:
            rows: Has at least corpus, query, doc_id; every other column is carried through.
            documents: Not looked at: the engine has its own.
            feature_set: What to compute, in order.

        Returns:
            The same rows plus `features`: struct<name: float>, null where the engine does not have the document.

        Raises:
            EngineError: The cluster is live, busy, not there, lacks an index or a plugin, or refuses the searches.
            ConfigError: There are no such credentials, a field is searched by two analyzers, or the engine cannot
                compute a feature.
        """
        # An action: one row per corpus comes back; an index that is not there stops the run before any search.
        corpora = sorted(row["corpus"] for row in rows.select("corpus").distinct().collect())
        if self._options.bundle:
            return self._bundle(feature_set, corpora).collect(rows)
        return self.collector(feature_set, corpora).collect(rows)

    def collector(self, feature_set: FeatureSet, corpora: Sequence[str]) -> Collector:
        """Return what asks the engine, which is there and may be asked.

        Args:
            feature_set: What to compute.
            corpora: Whose documents will be asked for.

        Raises:
            EngineError: The cluster is live, busy, not there, or lacks an index or a plugin.
            ConfigError: There are no such credentials, or the engine cannot compute a feature.
        """
        client = connect(self._options)
        logging = self.logging(self._options.locate(feature_set), corpora)
        check_cluster(self.cluster(client), self._options, corpora)
        return Collector(client, self._options, logging)

    def _bundle(self, feature_set: FeatureSet, corpora: Sequence[str]) -> Bundle:
        logging = self.logging(self._options.locate(feature_set), corpora)
        options = self._options.model_dump(mode="json", exclude_unset=True)
        facts = {
            "source": {"name": self.name, "options": options},
            "feature_set": feature_set.model_dump(mode="json"),
            "corpora": list(corpora),
        }
        return Bundle(str(self._options.bundle), facts, logging.key)


class OpenSearch(RealEngine):
    """Asks OpenSearch 2 or 3 by named queries, which need no plugin, or by the Learning to Rank plugin's own log."""

    Options: ClassVar[type[BaseModel]] = SearchOptions
    name = "opensearch"

    def cluster(self, client: Client) -> ProbedCluster:
        """See `RealEngine`."""
        return SearchCluster(client)

    def searching(self, matches: tuple[Match, ...]) -> Searching:
        """See `RealEngine`."""
        return ElasticSearching(self._options, matches)

    def logging(self, feature_set: FeatureSet, corpora: Sequence[str]) -> FeatureLogging:
        """See `RealEngine`."""
        feature_set = for_engine(feature_set, self.name)
        if self._options.logging == "sltr":
            return PluginLogging.of(self._options, feature_set, corpora)
        return NamedQueries(self._options, feature_set)


class Elasticsearch(OpenSearch):
    """Asks Elasticsearch 8 or 9 by named queries, which need no plugin, or by the Learning to Rank plugin's own log."""

    name = "elasticsearch"


class Solr(RealEngine):
    """Asks Solr by the features that its Learning To Rank module logs."""

    Options: ClassVar[type[BaseModel]] = SolrOptions
    name = "solr"

    def cluster(self, client: Client) -> ProbedCluster:
        """See `RealEngine`."""
        return SolrCluster(client)

    def searching(self, matches: tuple[Match, ...]) -> Searching:
        """See `RealEngine`."""
        return SolrSearching(self._options, matches)

    def logging(self, feature_set: FeatureSet, corpora: Sequence[str]) -> FeatureLogging:
        """See `RealEngine`."""
        return SolrLogging.of(self._options, for_engine(feature_set, self.name), corpora)
