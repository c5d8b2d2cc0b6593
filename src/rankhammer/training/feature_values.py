"""What is wrong with a corpus's features, found out before any trial: infinite values, and features of one value."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import functions as F

from rankhammer.errors import CorpusFailure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyspark.sql import DataFrame

MAX_NAMED = 10
"""Features named in one line."""
_FEATURES = "features."
logger = logging.getLogger(__name__)


@dataclass
class FeatureRange:
    """The values of one feature in one corpus.

    Args:
        low: Smallest finite value; inf where there is none.
        high: Largest finite value; -inf where there is none.
        n_infinite: Rows whose value is infinite.
        is_missing: Whether some row may have no value.
    """

    low: float = math.inf
    high: float = -math.inf
    n_infinite: int = 0
    is_missing: bool = False

    def add(self, other: FeatureRange) -> None:
        """Count more rows."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.n_infinite += other.n_infinite
        self.is_missing |= other.is_missing

    @property
    def has_values(self) -> bool:
        """Whether some row has a finite value."""
        return self.low <= self.high

    @property
    def is_constant(self) -> bool:
        """Whether all rows have the same value."""
        return self.low == self.high and not self.is_missing


@dataclass
class FeatureValues:
    """What is known of a corpus's features.

    Args:
        ranges: Feature to its values, in the features' order.
    """

    ranges: dict[str, FeatureRange] = field(default_factory=dict)

    def add(self, name: str, found: FeatureRange) -> None:
        """Count more rows of a feature."""
        self.ranges.setdefault(name, FeatureRange()).add(found)

    def failure(self, corpus: str) -> CorpusFailure | None:
        """Say that values are infinite, which no ranker learns from; None: none is.

        Args:
            corpus: Whose features they are.
        """
        infinite = {name: found.n_infinite for name, found in self.ranges.items() if found.n_infinite}
        if not infinite:
            return None
        listed = _listed([f"{name} in {n:,} rows" for name, n in infinite.items()])
        return CorpusFailure(
            corpus,
            "training",
            f"features have infinite values, which cannot be learned from: {listed}.",
            "Bound the feature where it is made, for example by min(..., 1000) in an expression, or leave out of "
            "feature_rows what is no number.",
        )

    def warn(self, corpus: str) -> None:
        """Name the features of which nothing can be learned.

        Args:
            corpus: Whose features they are.
        """
        empty = [name for name, found in self.ranges.items() if not found.has_values]
        constant = [f"{name} ({found.low:g})" for name, found in self.ranges.items() if found.is_constant]
        for kind, names in (("without any value", empty), ("with one value in all rows", constant)):
            if names:
                logger.warning("Corpus %s: nothing is learned from features %s: %s", corpus, kind, _listed(names))


def read_values(paths: Sequence[str]) -> FeatureValues:
    """Look at a corpus's features; the files' footers alone are read where they tell all.

    Args:
        paths: Local Parquet files of one corpus.
    """
    import pyarrow.parquet as pq

    found = FeatureValues()
    for path in paths:
        with pq.ParquetFile(path) as file:
            untold = _from_footer(file.metadata, found)
            for name, values in _columns(file, untold):
                found.add(name, _range_of(values))
    return found


def _from_footer(metadata: Any, found: FeatureValues) -> list[str]:
    """Add what the statistics of row groups tell; return the features of which they do not tell enough."""
    untold = []
    for place in range(metadata.num_columns):
        path = metadata.schema.column(place).path
        if not path.startswith(_FEATURES):
            continue
        name = path.removeprefix(_FEATURES)
        # In the order of the features, also where rows have to be read.
        found.add(name, FeatureRange())
        parts = [_of_group(metadata.row_group(group).column(place)) for group in range(metadata.num_row_groups)]
        if None in parts:
            untold.append(name)
        for part in parts:
            if part is not None and name not in untold[-1:]:
                found.add(name, part)
    return untold


def _of_group(chunk: Any) -> FeatureRange | None:
    """Return what the statistics of some rows tell; None where an infinite value or none at all may be among them."""
    statistics = chunk.statistics
    if statistics is None or not statistics.has_null_count:
        return None
    if statistics.null_count == chunk.num_values:
        return FeatureRange(is_missing=chunk.num_values > 0)
    # Writers leave the ends out where a value is no number.
    if not statistics.has_min_max or not (math.isfinite(statistics.min) and math.isfinite(statistics.max)):
        return None
    return FeatureRange(statistics.min, statistics.max, is_missing=statistics.null_count > 0)


def _columns(file: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield the values of some features, some rows at a time, NaN where null."""
    columns = [f"{_FEATURES}{name}" for name in names]
    for batch in file.iter_batches(columns=columns) if names else ():
        vectors = batch.column("features")
        for name in names:
            yield name, vectors.field(name).to_numpy(zero_copy_only=False).astype(np.float64)


def _range_of(values: Any) -> FeatureRange:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (math.inf, -math.inf)
    return FeatureRange(low, high, int(np.isinf(values).sum()), bool(np.isnan(values).any()))


def values_of(table: DataFrame) -> FeatureValues:
    """Look at the features of a corpus whose rows stay in Spark.

    Args:
        table: schemas.TRAINING_MATRIX of one corpus.
    """
    names = table.select("features.*").columns
    # An action: four numbers a feature come back.
    (row,) = table.agg(*(one for place, name in enumerate(names) for one in _aggregates(place, name))).collect()
    found = FeatureValues()
    for place, name in enumerate(names):
        low, high, n_infinite, n_missing = (row[f"{kind}{place}"] for kind in _KINDS)
        lowest, highest = (math.inf, -math.inf) if low is None else (low, high)
        found.add(name, FeatureRange(lowest, highest, n_infinite, bool(n_missing)))
    return found


_KINDS = ("low", "high", "infinite", "missing")


def _aggregates(place: int, name: str) -> Iterable[Any]:
    value = F.col("features").getField(name).cast("double")
    is_infinite = F.abs(value) == math.inf
    finite = F.when(~F.isnan(value) & ~is_infinite, value)
    found = (F.min(finite), F.max(finite), F.count_if(is_infinite), F.count_if(value.isNull() | F.isnan(value)))
    return [one.alias(f"{kind}{place}") for kind, one in zip(_KINDS, found, strict=True)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
