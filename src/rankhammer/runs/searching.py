"""Looks at single queries: searches with a trained ranker, and test queries that it orders better or worse."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kedro.io import DatasetError

from rankhammer.errors import ConfigError, RankhammerError, did_you_mean
from rankhammer.runs.execute import session_of_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.evaluation.compared_queries import Choice
    from rankhammer.evaluation.faithfulness import Faithfulness
    from rankhammer.evaluation.offline_search import OfflineRanker, RankedDocument
    from rankhammer.evaluation.search_candidates import DocumentFinder

QUERIES_AT_ONCE = 50
"""Searches that go through Spark together: their candidates come back to this process."""
_COMPARED = ("evaluation", "training_matrix", "ranker", "verdicts")


@dataclass(frozen=True)
class Search:
    """A corpus' ranker with its documents, ready for queries.

    Args:
        ranker: Orders documents.
        candidates: Finds documents.
        fields: Fields to show, the title first where there is one.
        held_back: Version that the ranker stands in where it is not the current one; empty where it is.
    """

    ranker: OfflineRanker
    candidates: DocumentFinder
    fields: tuple[str, ...]
    held_back: str = ""

    def answer(self, queries: Sequence[str], *, n_candidates: int) -> Iterator[tuple[str, list[RankedDocument]]]:
        """Yield each query with all its candidates, best first.

        Args:
            queries: As typed.
            n_candidates: Documents of a query that are reranked.

        Raises:
            DataError: The corpus has no document.
        """
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            part = queries[start : start + QUERIES_AT_ONCE]
            found = self.ranker.rank(part, candidates=self.candidates, n_candidates=n_candidates, fields=self.fields)
            for query in part:
                yield query, found[query]

    def check_reasons(self, found: Sequence[RankedDocument]) -> Faithfulness:
        """Ask the ranker whether the first reason of each pair of neighbours is true."""
        from rankhammer.evaluation.faithfulness import check_reasons

        trained = self.ranker.trained
        return check_reasons(trained.opened, found, trained.feature_set.names)


@contextmanager
def opened(env: str | None, corpus: str, *, fields: Sequence[str] = (), run: str | None = None) -> Iterator[Search]:
    """Open a corpus' ranker for as many searches as are wanted.

    Args:
        env: Kedro environment; None for the default one.
        corpus: Which one.
        fields: Fields of the documents to show beside the title.
        run: Id of the run, where runs have ids; None for the newest that trained a ranker.

    Raises:
        ConfigError: The corpus has no exported ranker, or the documents lack a field.
        DataError: There are no documents.
    """
    from rankhammer.evaluation.offline_search import open_ranker
    from rankhammer.runs import searched_documents

    session = session_of_run(env, run, lambda: ["ranker"])
    with session:
        context = session.load_context()
        catalog: Any = context.catalog
        published = catalog["exported_model"]
        exported = published.load_all() | published.load_held_back(corpus)
        ranker = open_ranker(corpus, ranker=catalog["ranker"].load_all(), exported=exported)
        candidates, shown = searched_documents.find(context, catalog, ranker.trained, fields)
        yield Search(ranker, candidates, shown, published.held_back().get(corpus, ""))


def compare(
    env: str | None, corpus: str, choice: Choice, *, query: str | None = None, run: str | None = None
) -> list[dict[str, Any]]:
    """Return a corpus' test queries that gain and lose most, or one of them.

    Args:
        env: Kedro environment; None for the default one.
        corpus: Which one.
        choice: How many, and how much of each; the title's field is the one that the parameters name.
        query: One query, in any spelling, in place of the worst and best.
        run: Id of the run, where runs have ids; None for the newest that was measured.

    Returns:
        See `compared_queries.compare_queries`; `metric` and `truth` stand beside, and `held_back`: the version that the
        ranker stands in where it is not the current one, else empty.

    Raises:
        ConfigError: The corpus was not measured.
        DataError: The query is no test query, or nothing was measured yet.
    """
    from rankhammer.evaluation import compared_queries
    from rankhammer.training import rescoring

    session = session_of_run(env, run, lambda: _COMPARED)
    with session:
        context = session.load_context()
        catalog: Any = context.catalog
        params = context.params
        ranker, verdicts = catalog["ranker"].load_all(), catalog["verdicts"].load_all()
        measured = compared_queries.read_measured(verdicts, choice.against)
        if corpus not in measured:
            raise ConfigError(f"Corpus {corpus!r} was not measured.", hint=did_you_mean(corpus, sorted(measured)))
        cluster = None if query is None else _cluster_of(query, corpus, params, catalog)
        title = params["query_report"].title_field
        complete = replace(choice, title_field=title, cluster=cluster)
        found = compared_queries.compare_queries(
            catalog.load("evaluation"),
            catalog.load("training_matrix"),
            ranker=ranker,
            measured={corpus: measured[corpus]},
            documents=_documents(catalog),
            choice=complete,
            score=rescoring.scorer(ranker),
        )
        held_back = catalog["exported_model"].held_back().get(corpus, "")
        about = {"metric": measured[corpus].metric, "truth": measured[corpus].truth, "held_back": held_back}
        return [about | one for one in found[corpus]]


def _cluster_of(query: str, corpus: str, params: Mapping[str, Any], catalog: Any) -> str:
    """Return the id of the cluster that a query has in the log; empty where it has none."""
    from rankhammer.queries import QueryRules, assign_clusters, normalize_query, query_cluster_id

    rules = QueryRules.parse(params["language"])
    if rules.clusters == "form":
        return query_cluster_id(normalize_query(query, rules.of(corpus), rules.form))
    known = catalog.load("training_matrix")
    asked = known.sparkSession.createDataFrame([(corpus, query)], "corpus string, query string")
    (found,) = assign_clusters(asked, language=rules, known=known).collect()
    return found["query_cluster_id"] or ""


def _documents(catalog: Any) -> DataFrame | None:
    """Return the documents, which give the titles; None where they are not there, as an engine may hold them alone."""
    try:
        found: DataFrame | None = catalog.load("documents")
    except (DatasetError, RankhammerError):
        return None
    return found
