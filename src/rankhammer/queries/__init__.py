"""Query normalisation: spellings of one query fall together, and their group gets an id."""

from rankhammer.queries.clusters import add_query_columns, query_cluster_id
from rankhammer.queries.normalize import languages, normalize_query, require_language

__all__ = ["add_query_columns", "languages", "normalize_query", "query_cluster_id", "require_language"]
