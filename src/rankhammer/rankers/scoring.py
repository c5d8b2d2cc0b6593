"""Scores a table of feature vectors with each corpus's rankers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rankhammer import plugins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

    from rankhammer.plugins import PluginSpec
    from rankhammer.rankers.base import Ranker

    Models = Mapping[str, "Made"]


@dataclass(frozen=True)
class Made:
    """A model, and what scores with it.

    Args:
        ranker: The registered ranker that made it.
        model: What `Ranker.fit` returned.
    """

    ranker: PluginSpec
    model: bytes


def score_rows(rows: DataFrame, systems: Mapping[str, Models]) -> DataFrame:
    """Add a score column a system; models reach each executor once, and rows are scored an Arrow batch at a time.

    Args:
        rows: Has corpus and features: struct<name: float>; every other column is carried through.
        systems: Name of the new column to corpus to model; each corpus may have another ranker's.

    Returns:
        The same rows with one double column a system, null where the system has no model for the corpus.
    """
    from pyspark.sql.types import DoubleType, StructField, StructType

    shared = rows.sparkSession.sparkContext.broadcast({name: dict(models) for name, models in systems.items()})

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorers: dict[str, Ranker] = {}
        for batch in batches:
            scored = batch
            for name, models in shared.value.items():
                scored = scored.append_column(name, _score_batch(batch, models, scorers))
            yield scored

    added = [StructField(name, DoubleType()) for name in systems]
    return rows.mapInArrow(score, StructType([*rows.schema.fields, *added]))


def rank_as_shown(rows: DataFrame, *, baseline_feature: str) -> DataFrame:
    """Add the scores of the two systems that need no ranker.

    Args:
        rows: Has mean_position and features.
        baseline_feature: One feature's name.

    Returns:
        The same rows with `logged` (minus the mean position shown) and `baseline` (the feature; absent ranks last).
    """
    from pyspark.sql import functions as F

    feature = F.col(f"features.{baseline_feature}").cast("double")
    return rows.withColumn("logged", -F.col("mean_position")).withColumn("baseline", F.when(~F.isnan(feature), feature))


def struct_to_matrix(vectors: pa.StructArray) -> NDArray[np.float32]:
    """Lay a struct of floats out as float32, shape (n_rows, n_fields), NaN where null."""
    matrix = np.empty((len(vectors), vectors.type.num_fields), dtype=np.float32)
    for place, values in enumerate(vectors.flatten()):
        matrix[:, place] = values.to_numpy(zero_copy_only=False)
    return matrix


def _score_batch(batch: pa.RecordBatch, models: Models, scorers: dict[str, Ranker]) -> pa.Array:
    """Score one batch, corpus by corpus; a batch has rows of few corpora, as they are stored by corpus."""
    import pyarrow as pa

    corpus = np.asarray(batch.column("corpus").to_pylist(), dtype=object)
    features = struct_to_matrix(batch.column("features"))
    scores = np.full(len(corpus), np.nan)
    for name in set(corpus) & set(models):
        mine = corpus == name
        spec = models[name].ranker
        key = spec.model_dump_json()
        if key not in scorers:
            scorers[key] = plugins.create("rankers", spec)
        scores[mine] = scorers[key].score(models[name].model, features[mine])
    return pa.array(scores, pa.float64(), mask=np.isnan(scores))
