"""A run in the environment of the extra `mlflow` is recorded in a real store on this machine: `make test-mlflow`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venvs" / "mlflow" / "bin" / "python"
READ = """\
import json, mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
print(json.dumps([[run.info.status, run.data.tags.get("pipeline_names", ""), list(run.data.params)] for run in runs]))
"""

pytestmark = [pytest.mark.mlflow, pytest.mark.budget("mlflow")]


def done(*command: str, folder: Path) -> str:
    """Return what a command of that environment prints; it must end well."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run([PYTHON, *command], cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture
def project(tmp_path) -> Path:
    if not PYTHON.exists():
        pytest.skip("no environment with the extra mlflow; `make test-mlflow` makes it")
    done("-m", "rankhammer", "new", str(tmp_path / "mine"), folder=tmp_path)
    shutil.copy(ROOT / "conf/local/mlflow.yml.example", tmp_path / "mine/conf/local/mlflow.yml")
    shutil.copy(ROOT / "conf/test/spark.yml", tmp_path / "mine/conf/local/spark.yml")
    return tmp_path / "mine"


def test_a_run_is_recorded_with_its_pipelines_and_parameters(project):
    done("-m", "rankhammer", "demo", folder=project)
    done("-m", "kedro", "run", "--pipelines=ingestion", folder=project)
    ((status, pipelines, params),) = json.loads(done("-c", READ, folder=project).splitlines()[-1])
    assert status == "FINISHED"
    assert "ingestion" in pipelines
    assert "language" in params
