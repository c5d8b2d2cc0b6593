"""Multilayer perceptrons of Spark ML with hidden layers of several sizes, trained side by side."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import progress
from rankhammer.evaluation.capacity import SizedScores, capacity_sweep
from rankhammer.sweeps import toy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame, SparkSession

    from rankhammer.evaluation.bootstrap import Bootstrap
    from rankhammer.sweeps.toy import Points

SIZES = (5, 7, 10, 30, 50, 75, 100, 200, 400, 600)
HELD_OUT = 0.3
MOST_DRAWN = 300


@dataclass(frozen=True)
class SweepSettings:
    """What is trained.

    Args:
        sizes: Neurons in the hidden layer of each model.
        max_iter: Iterations of the optimiser (L-BFGS) at most.
        n_grid: Points along each side of the surfaces.
        n_parallel: Models that are trained at the same time.
        seed: Of split and first weights.
    """

    sizes: tuple[int, ...] = SIZES
    max_iter: int = 200
    n_grid: int = 101
    n_parallel: int = 4
    seed: int = 42


@dataclass(frozen=True)
class Perceptron:
    """One trained model.

    Args:
        size: Neurons in its hidden layer.
        correct: 1 for each held-out point whose class it found, else 0. Shape (n_held_out,).
        surface: Its class for each point of the grid. Shape (n_grid * n_grid,).
        seconds: Of fit and scoring.
    """

    size: int
    correct: NDArray[np.float64]
    surface: NDArray[np.int64]
    seconds: float


def sweep(session: SparkSession, points: Points, settings: SweepSettings, bootstrap: Bootstrap) -> dict[str, Any]:
    """Train every size, choose one, and draw what each decides where.

    Args:
        session: Trains them.
        points: A share of them is held out.
        settings: What is trained.
        bootstrap: How intervals are made.

    Returns:
        `family`, `metric`, `size_name`, `rows` (see `evaluation.capacity.capacity_sweep`, with seconds) and `surfaces`.
    """
    train, held_out = points.split(HELD_OUT, settings.seed)
    found = train_all(session, train, held_out, settings)
    scores = [SizedScores(f"{one.size} neurons", one.size, one.correct) for one in found]
    rows = capacity_sweep(scores, np.arange(len(held_out.classes)), bootstrap)
    return {
        "family": "multilayer perceptrons of Spark ML",
        "metric": "accuracy (0 to 1)",
        "size_name": "neurons in the hidden layer",
        "n_train": len(train.classes),
        "n_held_out": len(held_out.classes),
        "rows": [row | {"seconds": one.seconds} for row, one in zip(rows, found, strict=True)],
        "surfaces": [_surface(one, held_out, settings.n_grid) for one in found],
    }


def train_all(session: SparkSession, train: Points, held_out: Points, settings: SweepSettings) -> list[Perceptron]:
    """Train the models, several at a time, each by Spark's jobs; what is cached is freed at the end.

    Returns:
        One per size, ascending.
    """
    from pyspark import inheritable_thread_target

    known = _table(session, train.xy, train.classes).repartition(session.sparkContext.defaultParallelism).persist()
    asked = _table(session, np.concatenate([held_out.xy, toy.grid(settings.n_grid)]), None)
    done: list[int] = []

    def train_one(size: int) -> Perceptron:
        made = _train(known, asked, held_out, size, settings)
        done.append(size)
        progress.tell(f"{len(done)} of {len(sizes)} sizes trained")
        return made

    sizes = sorted(set(settings.sizes))
    try:
        with ThreadPoolExecutor(settings.n_parallel) as pool:
            # The largest take longest: they begin first.
            waiting = {size: pool.submit(inheritable_thread_target(session)(train_one), size) for size in sizes[::-1]}
            return [waiting[size].result() for size in sizes]
    finally:
        known.unpersist()


def _train(known: DataFrame, asked: DataFrame, held_out: Points, size: int, settings: SweepSettings) -> Perceptron:
    from pyspark.ml.classification import MultilayerPerceptronClassifier

    began = time.monotonic()
    layers = [2, size, len(toy.CLASSES)]
    # One block size for all partitions: what a model is does not depend on how many there are.
    estimator = MultilayerPerceptronClassifier(layers=layers, maxIter=settings.max_iter, seed=settings.seed)
    model = estimator.fit(known)
    # An action: one number per held-out point and per point of the grid comes back, some 15,000.
    rows = model.transform(asked).select("place", "prediction").orderBy("place").collect()
    classes = np.array([row["prediction"] for row in rows], dtype=np.int64)
    n = len(held_out.classes)
    correct = (classes[:n] == held_out.classes).astype(np.float64)
    return Perceptron(size, correct, classes[n:], round(time.monotonic() - began, 2))


def _table(session: SparkSession, xy: NDArray[np.float64], classes: NDArray[np.int64] | None) -> DataFrame:
    """Make a table of `place`, `features` and, where classes are given, `label`."""
    from pyspark.ml.feature import VectorAssembler

    columns = [np.arange(len(xy)), *xy.T] + ([] if classes is None else [classes.astype(np.float64)])
    names = ["place", "x", "y"] + ([] if classes is None else ["label"])
    rows = [tuple(row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    return VectorAssembler(inputCols=["x", "y"], outputCol="features").transform(session.createDataFrame(rows, names))


def _surface(one: Perceptron, held_out: Points, n: int) -> dict[str, Any]:
    ends = {"low": -toy.HALF, "high": toy.HALF}
    shown = np.linspace(0, len(held_out.classes) - 1, min(MOST_DRAWN, len(held_out.classes))).astype(int)
    points: Sequence[list[float]] = [[*map(float, held_out.xy[k].round(3)), int(held_out.classes[k])] for k in shown]
    return {
        "title": f"{one.size} neurons, and held-out points",
        "names": list(toy.CLASSES),
        "x": {"name": "x", **ends},
        "y": {"name": "y", **ends},
        "levels": one.surface.reshape(n, n).tolist(),
        "points": points,
    }
