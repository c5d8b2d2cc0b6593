"""Rankers of several sizes, trained side by side by Spark on a training matrix, and what each scores where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import plugins
from rankhammer.errors import ConfigError, DataError, did_you_mean
from rankhammer.training.fold_runs import threads_a_task
from rankhammer.training.held_out_curves import WHOLE, CurveTask, Family, fit_whole, measure_sizes
from rankhammer.training.matrix import read_facts, sample_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pyspark import SparkContext

    from rankhammer.evaluation.bootstrap import Bootstrap
    from rankhammer.rankers import Ranker
    from rankhammer.training.matrix import Truth
    from rankhammer.training.staging import StagedCorpus

N_BANDS = 8
"""Bands of equal area that scores on a surface are put into."""
_N_SAMPLES = 2000
_ENDS = (1.0, 99.0)
"""Percentiles of a feature between which a surface is drawn."""


@dataclass(frozen=True)
class RankerSweepSettings:
    """What is trained.

    Args:
        family: Rankers of one kind, and their sizes.
        features: The two that surfaces are drawn over; none: the two that matter most to the chosen size.
        n_grid: Points along each side of the surfaces.
    """

    family: Family
    features: tuple[str, ...] = ()
    n_grid: int = 101


@dataclass(frozen=True)
class SizedRanker:
    """One trained ranker.

    Args:
        task: What was trained.
        model: As bytes.
        error: Why there is none; empty where there is.
    """

    task: CurveTask
    model: bytes
    error: str = ""


def sweep_rankers(
    context: SparkContext,
    corpora: Mapping[str, StagedCorpus],
    settings: RankerSweepSettings,
    bootstrap: Bootstrap,
) -> dict[str, dict[str, Any]]:
    """Choose a size for each corpus by cross-validation, and draw what every size has learned from all training rows.

    Args:
        context: The session's.
        corpora: Corpus to its staged training matrix.
        settings: What is trained.
        bootstrap: How intervals are made; its seed is that of the fits.

    Returns:
        Corpus to what the dashboard's page of sweeps shows: `family`, `metric`, `size_name`, `rows` (see
        `evaluation.capacity.capacity_sweep`), `surfaces`, `failed`.

    Raises:
        DataError: No size of any corpus could be trained.
    """
    truths = {name: _truth(staged) for name, staged in corpora.items()}
    measured = measure_sizes(context, corpora, settings.family, shares=(), truths=truths, bootstrap=bootstrap)
    models = train_all(context, corpora, settings.family, truths, bootstrap.random_state)
    if not any(found["sizes"] for found in measured.values()):
        reasons = sorted({one["error"] for found in measured.values() for one in found["failed"]})
        hint = "Each corpus needs two folds of queries with a relevant document."
        raise DataError(f"No size could be measured: {(reasons or ['no folds'])[0]}", hint=hint)
    return {
        name: _described(settings, found, truths[name], [one for one in models if one.task.corpus == name])
        | {"surfaces": _surfaces(settings, found, corpora[name], [one for one in models if one.task.corpus == name])}
        for name, found in measured.items()
        if found["sizes"]
    }


def train_all(
    context: SparkContext,
    corpora: Mapping[str, StagedCorpus],
    family: Family,
    truths: Mapping[str, Truth],
    seed: int,
) -> list[SizedRanker]:
    """Train every size on the whole train split, a Spark task each.

    Returns:
        One per corpus and size, in this order.
    """
    n_threads = threads_a_task(context)
    tasks = [
        CurveTask(name, staged.names, family, value, WHOLE, None, truths[name], seed, n_threads)
        for name, staged in sorted(corpora.items())
        for value in sorted(family.values)
    ]
    # An action: the bytes of each ranker come back, some kilobytes to some megabytes each.
    return context.parallelize(tasks, len(tasks)).map(_trained).collect() if tasks else []


def require_known(features: Sequence[str], known: Sequence[str]) -> None:
    """Refuse features that a surface cannot be drawn over.

    Raises:
        ConfigError: They are not two, or not in the training matrix.
    """
    if features and len(set(features)) != 2:
        raise ConfigError("A surface is drawn over two features.", hint=f"--features a,b; {did_you_mean('', known)}")
    for name in features:
        if name not in known:
            raise ConfigError(f"The training matrix has no feature {name!r}.", hint=did_you_mean(name, known))


def _trained(task: CurveTask) -> SizedRanker:
    from pyspark import SparkFiles

    try:
        return SizedRanker(task, fit_whole(task, [SparkFiles.get(name) for name in task.names]))
    except Exception as exc:  # noqa: BLE001 - a ranker may be anyone's plugin and raise anything
        return SizedRanker(task, b"", f"{type(exc).__name__}: {exc}")


def _truth(staged: StagedCorpus) -> Truth:
    return "reference" if read_facts(staged.paths).has_reference else "clicks"


def _described(
    settings: RankerSweepSettings, found: Mapping[str, Any], truth: Truth, models: Sequence[SizedRanker]
) -> dict[str, Any]:
    family = settings.family
    whose = "people's grades" if truth == "reference" else "grades from clicks"
    return {
        "family": f"{family.ranker.name} by {family.parameter}",
        "metric": f"mean ndcg@{family.metric_k} (0 to 1)",
        "size_name": family.parameter,
        "held_out": f"queries of the other folds, by {whose}",
        "rows": found["sizes"],
        "failed": [*found["failed"], *({"value": one.task.value, "error": one.error} for one in models if one.error)],
    }


def _surfaces(
    settings: RankerSweepSettings, found: Mapping[str, Any], staged: StagedCorpus, models: Sequence[SizedRanker]
) -> list[dict[str, Any]]:
    sound = [one for one in models if one.model]
    if not sound:
        return []
    ranker: Ranker = plugins.create("rankers", settings.family.ranker)
    names = feature_names(staged)
    chosen = next((one for one in sound if one.task.value == found["chosen"]), sound[-1])
    features = settings.features or _most_important(ranker.importance(chosen.model, names))
    if len(features) < 2:
        return []
    grid = SurfaceGrid.over(staged, names, features, settings.n_grid)
    return [grid.surface(ranker, one) for one in sound]


def feature_names(staged: StagedCorpus) -> tuple[str, ...]:
    """Return the features of a staged matrix, in column order."""
    import pyarrow.parquet as pq

    kind = pq.read_schema(staged.paths[0]).field("features").type
    return tuple(kind.field(place).name for place in range(kind.num_fields))


def _most_important(shares: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(shares, key=lambda name: (-shares[name], name))[:2])


@dataclass(frozen=True)
class SurfaceGrid:
    """A grid over two features, with the others at their medians.

    Args:
        rows: Feature vectors of the grid's points, from the top down, each row from left to right.
        axes: Name, low and high of x and y.
        n: Points along each side.
    """

    rows: NDArray[np.float32]
    axes: tuple[dict[str, Any], dict[str, Any]]
    n: int

    @classmethod
    def over(cls, staged: StagedCorpus, names: Sequence[str], features: Sequence[str], n: int) -> SurfaceGrid:
        """Lay a grid over where most rows of a corpus are."""
        sample = sample_vectors(staged.paths, _N_SAMPLES).features
        with np.errstate(all="ignore"):
            middle = np.nan_to_num(np.nanmedian(sample, axis=0)) if len(sample) else np.zeros(len(names), np.float32)
        x, y = (_ends(sample[:, names.index(name)]) for name in features)
        rows = np.tile(middle.astype(np.float32), (n * n, 1))
        rows[:, names.index(features[0])] = np.tile(np.linspace(*x, n), n)
        rows[:, names.index(features[1])] = np.repeat(np.linspace(*y, n)[::-1], n)
        axes = [{"name": name, "low": ends[0], "high": ends[1]} for name, ends in zip(features, (x, y), strict=True)]
        return cls(rows, (axes[0], axes[1]), n)

    def surface(self, ranker: Ranker, one: SizedRanker) -> dict[str, Any]:
        """Draw what one ranker scores: bands of equal area, the highest where documents are ranked first."""
        scores = ranker.score(one.model, self.rows, n_threads=1).astype(np.float64)
        edges = np.quantile(scores, np.linspace(0, 1, N_BANDS + 1)[1:-1])
        levels = np.searchsorted(edges, scores, side="right")
        x, y = (axis["name"] for axis in self.axes)
        return {
            "title": f"{one.task.family.parameter} {one.task.value:g}: score by {x} and {y}",
            "names": ["lowest scores", *[f"band {place}" for place in range(2, N_BANDS)], "highest scores"],
            "is_ordered": True,
            "x": self.axes[0],
            "y": self.axes[1],
            "levels": levels.reshape(self.n, self.n).tolist(),
            "points": [],
        }


def _ends(values: NDArray[np.float32]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(known, _ENDS))
    return (low, high) if high > low else (low - 0.5, low + 0.5)
