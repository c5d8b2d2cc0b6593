"""The verbs of a fitted click model on tables of result pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.click_models.base import CountedSerps
from rankhammer.click_models.counts.columnar import from_arrow, to_arrow
from rankhammer.click_models.counts.sequences import mix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

    from rankhammer.click_models.base import CorpusFit
    from rankhammer.click_models.fitting import FittedClickModel
    from rankhammer.click_models.types import Floats

    Compute = Callable[[CountedSerps, dict[str, Floats], CorpusFit, Floats], NDArray[Any]]


def predict_clicks(fitted: FittedClickModel, serps: DataFrame) -> DataFrame:
    """Add `click_probabilities`: array<double>, P(C_r = 1) at each position before any click is known.

    Args:
        fitted: What `fit` returned.
        serps: `schemas.SERPS`; pages of a corpus that could not be fitted are dropped.
    """
    model = fitted.model
    return _add(fitted, serps, "click_probabilities", "array<double>", lambda s, p, c, _: model.predict_clicks(s, p, c))


def predict_conditional_clicks(fitted: FittedClickModel, serps: DataFrame) -> DataFrame:
    """Add `conditional_click_probabilities`: array<double>, P(C_r = 1 | C_<r) given the page's own clicks above.

    Args:
        fitted: What `fit` returned.
        serps: `schemas.SERPS`; pages of a corpus that could not be fitted are dropped.
    """
    model, name = fitted.model, "conditional_click_probabilities"
    return _add(fitted, serps, name, "array<double>", lambda s, p, c, _: model.predict_conditional_clicks(s, p, c))


def predict_relevance(fitted: FittedClickModel) -> DataFrame:
    """Return corpus, query_cluster_id, doc_id and the posterior: relevance, relevance_sd, _lower, prior_share."""
    names = ("corpus", "query_cluster_id", "doc_id", "relevance", "relevance_sd", "relevance_lower", "prior_share")
    return fitted.parameters.select(*names)


def sample(fitted: FittedClickModel, serps: DataFrame, *, random_state: int) -> DataFrame:
    """Replace `clicked` by clicks drawn from the model; the same page and seed always draw the same.

    Args:
        fitted: What `fit` returned.
        serps: `schemas.SERPS`; pages of a corpus that could not be fitted are dropped.
        random_state: Seed.
    """
    model = fitted.model
    drawn = _add(fitted, serps, "_drawn", "array<boolean>", model.sample, random_state=random_state)
    return drawn.withColumn("clicked", drawn["_drawn"]).drop("_drawn")


def _add(
    fitted: FittedClickModel, serps: DataFrame, name: str, kind: str, compute: Compute, *, random_state: int = 0
) -> DataFrame:
    """Bring every page its documents' parameters, and compute one array per page from them."""
    # Not `fitted` itself: it holds a table, which cannot travel to a worker.
    names, corpora = fitted.model.parameter_names, dict(fitted.corpora)
    looked_up = _look_up(fitted, serps.where(serps["corpus"].isin(*fitted.corpora)), random_state)
    fields = ", ".join([f"`{field.name}` {field.dataType.simpleString()}" for field in serps.schema])

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            found = batch.column("corpus").dictionary_encode()
            for code, corpus in enumerate(found.dictionary.to_pylist()):
                rows = table.filter(pc.equal(found.indices, code)).combine_chunks()
                result = _compute_batch(compute, rows, names, corpora[corpus])
                yield from rows.drop(["_seed", *(f"_{n}" for n in names)]).append_column(name, result).to_batches()

    return looked_up.mapInArrow(run, f"{fields}, {name} {kind}")


def _look_up(fitted: FittedClickModel, serps: DataFrame, random_state: int) -> DataFrame:
    """Add one array a parameter, in shown order; a document that was never seen gets the corpus' own value."""
    from pyspark.sql import functions as F

    names = fitted.model.parameter_names
    keys = ["corpus", "query_cluster_id"]
    entry = F.struct("doc_id", F.struct(*names).alias("found"))
    by_cluster = fitted.parameters.groupBy(*keys).agg(F.map_from_entries(F.collect_list(entry)).alias("_known"))
    joined = serps.join(by_cluster, keys, "left")
    for name in names:
        pairs = [
            F.lit(x)
            for corpus, fit in fitted.corpora.items()
            for x in (corpus, fitted.model.prior_parameters(fit)[name])
        ]
        prior_parameters = F.try_element_at(F.create_map(*pairs), F.col("corpus"))
        joined = joined.withColumn(f"_{name}", _values(name, prior_parameters))
    seed = F.xxhash64("corpus", "serp_id", F.lit(random_state)).alias("_seed")
    return joined.select(*serps.columns, seed, *(f"_{name}" for name in names))


def _values(name: str, prior_parameters: Any) -> Any:
    from pyspark.sql import functions as F

    return F.transform(
        "doc_ids", lambda doc: F.coalesce(F.try_element_at("_known", doc).getField(name), prior_parameters)
    )


def _compute_batch(compute: Compute, rows: pa.Table, names: tuple[str, ...], corpus: CorpusFit) -> pa.ListArray:
    docs = rows["doc_ids"].combine_chunks()
    length = from_arrow(pc.list_value_length(docs)).astype(np.int64)
    n_cells = int(length.sum())
    clicked = from_arrow(rows["clicked"].combine_chunks().flatten())
    pages = CountedSerps(np.arange(n_cells), clicked, length, np.ones(len(length)), np.zeros(n_cells, np.int64))
    parameters = {name: from_arrow(rows[f"_{name}"].combine_chunks().flatten()) for name in names}
    seed = from_arrow(rows["_seed"]).view(np.uint64)[pages.cell_serp]
    uniform: Floats = (mix(seed + mix(pages.position.astype(np.uint64))) >> np.uint64(11)) * np.float64(2.0**-53)
    values = compute(pages, parameters, corpus, uniform)
    offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int32)
    return pa.ListArray.from_arrays(to_arrow(offsets), to_arrow(values))
