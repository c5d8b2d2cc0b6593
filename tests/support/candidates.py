"""Whether an engine's search finds documents as good as the embedded engine's: equal scores may stand in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import plugins
from rankhammer.feature_sets import FeatureSet, Match
from rankhammer.plugins import PluginSpec

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def same_candidates(source: Any, feature_set: FeatureSet, documents: DataFrame, pairs: DataFrame, n: int = 10) -> None:
    """Search for each query of some pairs, and compare place by place what the embedded engine scores for it."""
    embedded = plugins.create("feature_sources", PluginSpec(name="embedded"))
    queries = pairs.select("corpus", "query").distinct()
    found = _scores(
        embedded, source.candidates(queries, documents=None, feature_set=feature_set, n=n), feature_set, documents
    )
    expected = _scores(
        embedded,
        embedded.candidates(queries, documents=documents, feature_set=feature_set, n=n),
        feature_set,
        documents,
    )
    assert len(expected) > n
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[key] for key in expected], list(expected.values()), atol=1e-4, rtol=0)


def _scores(
    embedded: Any, found: DataFrame, feature_set: FeatureSet, documents: DataFrame
) -> dict[tuple[str, int], float]:
    matches = " + ".join(f"double(features.{one.name})" for one in feature_set.features if isinstance(one, Match))
    scored = embedded.collect(found, documents=documents, feature_set=feature_set)
    return {
        (row.query, row.place): row.score
        for row in scored.selectExpr("query", "place", f"{matches} AS score").collect()
    }
