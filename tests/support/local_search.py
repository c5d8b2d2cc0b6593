"""A search without Spark: its tasks run in this process, one after the other. As a script, it can be killed.

`python local_search.py MATRIX_FOLDER CHECKPOINTS_FOLDER N_FITS` kills itself before fit number N_FITS.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

from pyspark import SparkConf, SparkFiles

from rankhammer.plugins import PluginSpec
from rankhammer.storage.checkpoints import CheckpointFolder
from rankhammer.training.choice import Candidate, RankerChoice
from rankhammer.training.search import Strategy
from rankhammer.training.search_space import parse_space
from rankhammer.training.staging import StagedCorpus
from rankhammer.training.tune import Budget, tune_corpora

KNOWN = ("max_depth", "subsample", "learning_rate")
SPACE = parse_space(
    {
        "max_depth": {"quniform": [2, 4, 1]},
        "subsample": {"uniform": [0.5, 1.0]},
        "learning_rate": {"loguniform": [0.05, 0.3]},
    },
    known=KNOWN,
)
CHOICE = RankerChoice(
    (
        Candidate(PluginSpec(name="baseline", options={"feature": "signal"})),
        Candidate(PluginSpec(name="linear")),
        Candidate(PluginSpec(name="xgboost"), SPACE),
    ),
    below=1000,
)
BUDGET = Budget(n_trials=40, batch_size=4, strategy=Strategy(4), n_rounds=4, early_stopping_rounds=2, metric_k=10)


class LocalContext:
    """Runs tasks in this process.

    Args:
        before: Is called with the number of each task, from 0 on over all jobs, before it runs.
    """

    def __init__(self, before=lambda number: None) -> None:
        self._before = before
        self.n_tasks: list[int] = []

    # Of the JVM only how many tasks run at once is asked.
    _jsc = SimpleNamespace(
        sc=lambda: SimpleNamespace(
            maxNumConcurrentTasks=lambda profile: 1,
            resourceProfileManager=lambda: SimpleNamespace(resourceProfileFromId=lambda number: number),
        )
    )

    def getConf(self):  # noqa: N802 - Spark's name
        return SparkConf(loadDefaults=False)

    def parallelize(self, tasks, n_slices):
        self._tasks = tasks
        self._first = sum(self.n_tasks)
        self.n_tasks.append(n_slices)
        return self

    def map(self, function):
        self._function = function
        return self

    def collect(self):
        found = []
        for number, task in enumerate(self._tasks, self._first):
            self._before(number)
            found.append(self._function(task))
        return found


def staged(folder: Path) -> dict[str, StagedCorpus]:
    """Return the corpora of a folder of files `<corpus>.parquet`, as `stage_matrix` does with Spark."""
    SparkFiles.get = classmethod(lambda _, name: str(folder / name))  # type: ignore[method-assign]
    paths = sorted(folder.glob("*.parquet"))
    return {path.stem: StagedCorpus(path.stem, (path.name,), (str(path),)) for path in paths}


def search(folder: Path, checkpoints: CheckpointFolder | None, context: LocalContext, **changes):
    """Search the parameters for all corpora of a folder."""
    options = {"choice": CHOICE, "budget": BUDGET, "random_state": 42} | changes
    return tune_corpora(context, staged(folder), checkpoints=checkpoints, **options)


if __name__ == "__main__":
    N_FITS = int(sys.argv[3])
    KILLED = LocalContext(lambda number: os.kill(os.getpid(), signal.SIGKILL) if number == N_FITS else None)
    search(Path(sys.argv[1]), CheckpointFolder(sys.argv[2], "v1"), KILLED)
