"""One click model from Parquet to judgments, timed, and what it foresees."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pyspark.sql import functions as F

from rankhammer import click_models, plugins
from rankhammer import spark as spark_provider
from rankhammer.click_models.counts.pattern_counts import INPUT_COLUMNS, count_chunk
from rankhammer.click_models.counts.pattern_merge import gather
from rankhammer.click_models.counts.pattern_reader import read_counted
from rankhammer.plugins import PluginSpec

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

REPOSITORY = Path(__file__).parents[1]
SETTINGS = {"spark.master": "local[2]", "spark.driver.extraJavaOptions": "-XX:+UseParallelGC"}
"""Beside conf/base/spark.yml: as for a log of this size, the JVM compiles with all it has."""

LIMITS = {"sample_serps": 100_000, "min_examined": 1.0}
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def open_session() -> None:
    settings = yaml.safe_load((REPOSITORY / "conf/base/spark.yml").read_text())
    spark_provider.configure(lambda: {**settings, **SETTINGS})
    spark_provider.session().range(1).count()


def judge(model: str, log: Path, judgments: Path) -> tuple[float, float]:
    """Fit and write once: (wall seconds, processor seconds)."""
    session = spark_provider.session()
    wall, cpu = time.perf_counter(), processor_seconds()
    fitted = fit(model, session.read.parquet(str(log / "train")))
    cuts = click_models.cuts_by_corpus(
        "quantiles", max_grade=4, cuts=[], relevance_quantiles=fitted.relevance_quantiles
    )
    judged = click_models.judge(fitted.parameters, cuts=cuts, min_examined=1.0, weighting="equal")
    judged.write.mode("overwrite").parquet(str(judgments))
    taken = round(time.perf_counter() - wall, 2), round(processor_seconds() - cpu, 2)
    session.catalog.clearCache()
    return taken


def fit(model: str, serps: DataFrame) -> click_models.FittedClickModel:
    return click_models.fit(plugins.create("click_models", PluginSpec(name=model)), serps, **LIMITS)


def fit_alone(model: str, log: Path) -> float:
    """Return the seconds of a fit in this process, over the whole log at once, counted beforehand: no Spark."""
    table = pq.read_table(log / "train").select(INPUT_COLUMNS)
    shares = pa.Table.from_batches([count_chunk(table)])
    ordered = shares.sort_by([("corpus", "ascending"), ("query_cluster_id", "ascending")])
    [counted] = read_counted(pa.Table.from_batches([gather(ordered)]))
    created = plugins.create("click_models", PluginSpec(name=model))
    started = time.perf_counter()
    created.fit(counted.serps, created.fit_corpus(counted.serps))
    return round(time.perf_counter() - started, 3)


def quality(model: str, log: Path) -> dict[str, Any]:
    """Say what the model foresees of the test part, by the public verbs, and what clusters share."""
    session = spark_provider.session()
    fitted = fit(model, session.read.parquet(str(log / "train")))
    fitted = replace(fitted, parameters=fitted.parameters.persist())
    test = session.read.parquet(str(log / "test"))
    predicted = click_models.predict_clicks(fitted, click_models.predict_conditional_clicks(fitted, test))
    figures = foresight(predicted)
    session.catalog.clearCache()
    [shared] = fitted.corpora.values()
    found = {key: round(value, 5) for key, value in shared.parameters.items() if isinstance(value, float)}
    return {**figures, **found}


def foresight(predicted: DataFrame) -> dict[str, float]:
    """Return log-likelihood per document, perplexity and conditional perplexity, both by position, then averaged."""
    cells = predicted.select(
        F.posexplode(F.arrays_zip("clicked", "conditional_click_probabilities", "click_probabilities"))
    )
    by_position = cells.groupBy("pos").agg(
        F.count(F.lit(1)).alias("n"),
        F.avg(surprise("conditional_click_probabilities")).alias("conditional"),
        F.avg(surprise("click_probabilities")).alias("marginal"),
    )
    # An action: these are the figures. One row per position comes back.
    rows = by_position.collect()
    n = np.array([row["n"] for row in rows], float)
    conditional, marginal = (np.array([row[name] for row in rows]) for name in ("conditional", "marginal"))
    return {
        "log_likelihood": round(float((conditional * n).sum() / n.sum()), 5),
        "perplexity": round(float((np.exp(-marginal) * n).sum() / n.sum()), 5),
        "conditional_perplexity": round(float((np.exp(-conditional) * n).sum() / n.sum()), 5),
    }


def surprise(column: str) -> Column:
    bounded = F.least(F.greatest(F.col(f"col.{column}"), F.lit(1e-9)), F.lit(1 - 1e-9))
    return F.log(F.when(F.col("col.clicked"), bounded).otherwise(1 - bounded))


def processor_seconds() -> float:
    """Processor time of this process and everything below it: the JVM and the Python workers."""
    stats = read_processes()
    return sum(stats[pid][1] for pid in family(os.getpid(), stats)) * TICK_S


def read_processes() -> dict[int, tuple[int, int]]:
    """Return parent and processor ticks of every process."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        stats[int(path.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    return stats


def family(first: int, stats: dict[int, tuple[int, int]]) -> set[int]:
    """Return a process and everything below it."""
    found = {first} & set(stats)
    while more := {pid for pid, (parent, _) in stats.items() if parent in found} - found:
        found |= more
    return found
