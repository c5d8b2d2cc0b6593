"""Query normalisation: spellings of one query fall together, and their group gets an id."""

from rankhammer.queries.clusters import add_query_columns, query_cluster_id
from rankhammer.queries.languages import QueryForm, QueryLanguages, languages, require_language
from rankhammer.queries.normalize import normalize_queries, normalize_query

__all__ = [
    "QueryForm",
    "QueryLanguages",
    "add_query_columns",
    "languages",
    "normalize_queries",
    "normalize_query",
    "query_cluster_id",
    "require_language",
]
