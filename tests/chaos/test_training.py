"""One model by several executors on a real YARN: one of them is killed, and the fit ends as if it had not been."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.chaos

EXECUTOR = "org.apache.spark.executor.YarnCoarseGrainedExecutorBackend"
LAST = "--pipelines=training,export"
LARGE, SMALL = "stdlib", "network"
PARAMETERS = """
training:
  ranker: {{name: xgboost}}
  n_trials: 2
  batch_size: 2
  n_rounds: 150
  early_stopping_rounds: 150
  workers: {{number: 3, from_rows: {from_rows}}}
"""
THREE = {"instances": 3, "cores": 1, "memory_mb": 640, "overhead_mb": 896}


@pytest.fixture
def together(site, baseline):
    """The cluster with three executors, of which the large corpus needs all for each of its models."""
    site.heal()
    folder = site.project / "conf" / "prod"
    before = {name: (folder / name).read_text() for name in ("cluster.yml", "parameters.yml")}
    site.configure("parameters.yml", PARAMETERS.format(from_rows=FROM_ROWS))
    resources = {"profile": "three", "max_share": 1.0, "profiles": {"three": THREE}}
    site.configure("cluster.yml", f"{before['cluster.yml']}\nresources: {json.dumps(resources)}\n")
    yield site
    for name, text in before.items():
        site.configure(name, text)
    site.heal()


def training_executors(site) -> list[int]:
    """Return the executors that are training one model together: each has its rows in a folder of its container."""
    return [pid for pid in site.containers(EXECUTOR) if any(Path(f"/proc/{pid}/cwd").glob("rankhammer-rows-*"))]


FROM_ROWS = 1500
"""Between the rows of the two corpora."""


def test_a_model_that_three_executors_train_survives_the_loss_of_one_and_other_corpora_go_on(together):
    run = together.start("kedro", "run", LAST, "--env=prod")
    output = run.end(0)
    assert "executors stay for the whole run" in output
    undisturbed = together.published()
    run = together.start("kedro", "run", LAST, "--env=prod")
    run.wait_for("build_training_matrix")
    run.wait_for(lambda: training_executors(together))
    os.kill(training_executors(together)[0], signal.SIGKILL)
    output = run.end(0)
    assert "attempt 1 of 3" in output
    assert f"Corpus {LARGE}: 3 tasks train each of its models together" in output
    assert "Traceback" not in output
    assert together.published() == undisturbed
