"""conf/prod: every dataset can be made without Spark, and its URIs carry the whole line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import yaml

CHECK = """
import json, sys
from pathlib import Path
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
bootstrap_project(Path.cwd())
with KedroSession.create(env="prod") as session:
    context = session.load_context()
    catalog = context.catalog
    datasets = {name: str(catalog.get(name)._describe().get("filepath")) for name in catalog.filter()}
    settings = dict(context.config_loader["spark"])
from rankhammer import spark
print(json.dumps({"datasets": datasets, "spark": settings, "opened": spark.active_session() is not None}))
"""


def test_every_dataset_of_prod_is_made_without_spark(small_project):
    answer = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=small_project.path, capture_output=True, text=True, timeout=120, check=True
    )
    facts = json.loads(answer.stdout.splitlines()[-1])
    assert not facts["opened"]
    assert facts["datasets"]["serps"] == "hdfs:///apps/rankhammer/runs/none/03_primary/serps"
    assert facts["datasets"]["exported_model"].startswith("s3a://search-rankers/")
    assert facts["spark"]["spark.master"] == "yarn"
    assert facts["spark"]["spark.sql.session.timeZone"] == "UTC"


def mounted(scheme: str, authority: str, folder) -> dict[str, str]:
    """Spark settings that answer one scheme and authority from a local folder."""
    folder.mkdir(parents=True)
    return {
        f"spark.hadoop.fs.{scheme}.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        f"spark.hadoop.fs.viewfs.overload.scheme.target.{scheme}.impl": "org.apache.hadoop.fs.LocalFileSystem",
        f"spark.hadoop.fs.viewfs.mounttable.{authority}.linkFallback": f"file://{folder}",
        f"spark.hadoop.fs.viewfs.mounttable.{authority}.link./.mnt": f"file://{folder}",
    }


def test_the_whole_line_runs_on_prods_uris(small_project, own_server, tmp_path):
    project = small_project.served_by(own_server).copy(tmp_path / "project")
    hdfs, bucket, demo = tmp_path / "hdfs", tmp_path / "bucket", project.path / "data/01_raw/demo"
    settings = yaml.safe_load((project.path / "conf/test/spark.yml").read_text())
    settings |= mounted("hdfs", "namenode", hdfs) | mounted("s3a", "search-rankers", bucket)
    shutil.copytree(demo / "click_log", hdfs / "logs/search/impressions")
    shutil.copytree(demo / "documents", hdfs / "search/documents")
    settings["spark.hadoop.fs.defaultFS"] = "hdfs://namenode"
    for name in ("globals.yml", "cluster.yml"):
        project.configure(name, (project.path / "conf/prod" / name).read_text(), env="prodlike")
    project.configure("spark.yml", yaml.safe_dump(settings), env="prodlike")
    quick = (project.path / "conf/test/parameters/training.yml").read_text()
    project.configure("parameters.yml", quick, env="prodlike")
    project.kedro("run", "--pipeline=collect", "--env=prodlike", "--params=run=2026-11-21")
    run, published = hdfs / "apps/rankhammer/runs/2026-11-21", bucket / "rankhammer/exported_model"
    # Begun later, and broken off: it is not the one to train on.
    (run.parent / "2026-11-22/04_feature/feature_rows").mkdir(parents=True)
    output = project.kedro("run", "--pipeline=train", "--env=prodlike")
    assert "Run 2026-11-21 (the newest of 1 with feature_rows: finished 20" in output
    assert not project.warnings(output)
    assert (run / "05_model_input/training_rows/_fingerprint.json").exists()
    assert list(published.rglob("parity.json"))
    assert json.loads((run / "08_reporting/run_summary.json").read_text())["failures"] == []
    assert (run / "08_reporting/ndcg_summary.csv").read_text().startswith("corpus,")
    # The same ranker once more is nothing to publish.
    project.kedro("run", "--pipelines=export", "--env=prodlike", "--params=run=2026-11-21")
    (pointer,) = (published / "pointers").glob("*.json")
    assert json.loads(pointer.read_text())["run"] == "2026-11-21"
    refused = project.kedro("run", "--pipeline=train", "--env=prodlike", "--params=run=2026-11-22", expect=2)
    assert "Run '2026-11-22' has not finished feature_rows." in refused
    assert "Did you mean '2026-11-21'?" in refused
