"""Every registered model through Spark: the same judgments whatever the order and the partitions."""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np
import pytest

from rankhammer import click_models, plugins
from rankhammer.plugins import PluginSpec
from rankhammer.schemas import SERPS

NAMES = [info.name for info in plugins.installed() if info.group == "click_models" and not info.error]
SHOWN_AT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@cache
def rows(n=600):
    """Twelve clusters of twelve documents, pages of ten to twelve of them."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(n):
        query = f"q{rng.integers(12)}"
        docs = [f"d{doc:02}" for doc in rng.permutation(12)[: rng.integers(10, 13)]]
        clicked = [bool(rng.random() < (0.6 - 0.04 * int(doc[1:])) * 0.8**place) for place, doc in enumerate(docs)]
        found.append(("main", f"s{number}", "v", query, query, query, SHOWN_AT, docs, clicked))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_neither_order_nor_partitions_change_a_bit(spark, name):
    schema = ", ".join(f"{column} {kind}" for column, kind in SERPS.columns.items())
    model = plugins.create("click_models", PluginSpec(name=name))
    shuffled = [rows()[place] for place in np.random.default_rng(1).permutation(600)]
    results = []
    for table in (
        spark.createDataFrame(rows(), schema).coalesce(1),
        spark.createDataFrame(shuffled, schema).repartition(3),
    ):
        fitted = click_models.fit(model, table, sample_serps=100_000, min_examined=1.0)
        results.append((fitted.corpora, fitted.relevance_quantiles, sorted(map(tuple, fitted.parameters.collect()))))
    assert results[0] == results[1]
    assert len(results[0][2]) == 12 * 12
