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
(run,) = client.search_runs([one.experiment_id for one in client.search_experiments()])
files = [one.path for folder in ("", "plots") for one in client.list_artifacts(run.info.run_id, folder)]
client.download_artifacts(run.info.run_id, "rankers", "downloaded")
found = {"status": run.info.status, "metrics": run.data.metrics, "tags": run.data.tags, "files": files}
print(json.dumps(found | {"params": list(run.data.params)}))
"""
FEW_TRIALS = "training: {n_trials: 2, batch_size: 2, n_rounds: 20}\n"

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
    shutil.copy(ROOT / "conf/test/spark.yml", tmp_path / "mine/conf/local/spark.yml")
    (tmp_path / "mine/conf/local/parameters.yml").write_text(FEW_TRIALS)
    (tmp_path / "mine/downloaded").mkdir()
    return tmp_path / "mine"


def test_a_run_is_recorded_with_parameters_metrics_plots_and_the_ranker_of_each_corpus(project):
    done("-m", "rankhammer", "demo", folder=project)
    done("-m", "kedro", "run", "--pipelines=ingestion,labeling,features,folding,training", folder=project)
    found = json.loads(done("-c", READ, folder=project).splitlines()[-1])
    assert found["status"] == "FINISHED"
    assert "language" in found["params"]

    report = json.loads((project / "data/08_reporting/training_report.json").read_text())
    assert report["corpora"].keys() == {"network", "stdlib"}
    for corpus, facts in report["corpora"].items():
        for system, one in facts["ndcg@10"].items():
            assert found["metrics"][f"{corpus}/ndcg_at_10/{system}"] == one["mean"]
            assert found["metrics"][f"{corpus}/ndcg_at_10/{system}_upper"] == one["upper"]
        less = facts["differences"]["ranker - logged"]
        assert found["metrics"][f"{corpus}/ndcg_at_10/ranker_minus_logged_lower"] == less["lower"]
        assert found["tags"][f"verdict.{corpus}"] == facts["verdict"]
        for truth, metrics in facts["metrics"].items():
            for metric, systems in metrics.items():
                name = f"{corpus}/{truth}/{metric.replace('@', '_at_')}/ranker"
                assert found["metrics"][name] == systems["ranker"]["mean"]
        kept, own = project / "downloaded/rankers" / corpus, project / "data/06_models/ranker" / corpus
        names = {path.name for path in own.iterdir() if not path.name.startswith((".", "_"))}
        assert names >= {"manifest.json", "feature_set.json"}
        assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
            name: (own / name).read_bytes() for name in names
        }

    assert "training_report.json" in found["files"]
    plots = {Path(name).stem for name in found["files"] if name.startswith("plots/")}
    assert plots >= {"ndcg_comparison", "feature_importance", "ndcg_by_run", "tuning_history", "tuning_parallel"}
