"""Queries fall together: the normal form of spellings, clusters by results, and which of them are kept."""

from rankhammer.queries.clusters import add_query_columns, query_cluster_id
from rankhammer.queries.grouping import Selection, assign_clusters, group_queries
from rankhammer.queries.normalize import normalize_queries, normalize_query
from rankhammer.queries.rules import QueryForm, QueryRules, languages, require_language

__all__ = [
    "QueryForm",
    "QueryRules",
    "Selection",
    "add_query_columns",
    "assign_clusters",
    "group_queries",
    "languages",
    "normalize_queries",
    "normalize_query",
    "query_cluster_id",
    "require_language",
]
