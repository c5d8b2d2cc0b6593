"""A sweep: each instance runs the training pipeline with other values of a parameter; at the end, value and NDCG.

    rankhammer experiment run examples/pipeline_sweep.py:sweep --local --role worker:instances=2 \\
        --arg parameter=training.n_rounds --arg 'values=[20,50,100]'

On the cluster each container has a small Spark of its own, and is sent the configuration (docs/experiments.md):

    tar czf conf.tar.gz --exclude=conf/local --exclude='credentials*' conf
    rankhammer experiment run examples/pipeline_sweep.py:sweep --env=prod --file conf.tar.gz=conf.tar.gz \\
        --role worker:instances=2,memory_mb=3072,vcores=2 --arg env=prod \\
        --arg feature=hdfs:///apps/rankhammer/runs/<run>/04_feature --arg 'values=[20,50,100]'

Arguments: parameter (training.n_rounds), values (a list), pipelines (train), metric (ndcg@10), env (whose settings the
runs start from), feature (folder of feature_rows; by default that of the configuration), cores (of each run; 1), params
(further ones, as in `kedro run --params`). Every run writes into a folder of its own, so that none sees another one's
results. The table: `rankhammer experiment files --get results/table.csv`.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rankhammer.experiments.own_spark import provide_spark

if TYPE_CHECKING:
    from rankhammer.experiments import TaskContext

SHIPPED = Path("conf.tar.gz")
ENV = "sweep"
FILESYSTEMS = "spark.hadoop.fs."
COLUMNS = ("value", "corpus", "truth", "mean", "lower", "upper", "n_queries", "seconds")
MEASURES = (float, float, float, int)


def sweep(context: TaskContext) -> None:
    """Take every n-th value; the first instance waits for all of them, and writes the table."""
    provide_spark()
    values = list(context.arguments.get("values") or [20, 50, 100])
    for number, value in enumerate(values):
        # A value that an earlier attempt has done is not run again.
        if number % context.world_size == context.rank and context.client.read(result(number)) is None:
            run(context, number, value)
    if context.rank == 0:
        rows = [row for number in range(len(values)) for row in wait(context, number)]
        context.client.write("results/table.csv", table(rows).encode())
        sys.stdout.write(table(rows))


def result(number: int) -> str:
    """Return the file of a value's result."""
    return f"results/values/{number:04}.json"


def run(context: TaskContext, number: int, value: Any) -> None:
    """Run the pipeline with one value, and keep what its ranker reached on the test queries."""
    given = context.arguments
    folder = Path(tempfile.mkdtemp(prefix="sweep-"))
    params = [f"{given.get('parameter', 'training.n_rounds')}={value}", *filter(None, [given.get("params")])]
    pipelines = f"--pipelines={given.get('pipelines', 'train')}"
    settings = [f"--conf-source={settings_of(context, folder)}", f"--env={ENV}", f"--params={','.join(params)}"]
    began = time.monotonic()
    try:
        subprocess.run([sys.executable, "-m", "rankhammer", "run", pipelines, *settings], check=True)
        summary = (folder / "data" / "08_reporting" / "ndcg_summary.csv").read_text()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = round(time.monotonic() - began)
    rows = [{"value": value, **row, "seconds": seconds} for row in reached(summary, given.get("metric", "ndcg@10"))]
    for row in rows:
        context.metrics.log(number, **{f"{row['corpus']}.{row['truth']}": row["mean"]})
    context.client.write(result(number), json.dumps(rows).encode())


def settings_of(context: TaskContext, folder: Path) -> Path:
    """Write the configuration of one run: that of the environment, with a folder and a Spark of its own."""
    conf = folder / "conf"
    if SHIPPED.is_file():
        with tarfile.open(SHIPPED) as packed:
            packed.extractall(folder, filter="data")
    else:
        shutil.copytree("conf", conf, ignore=shutil.ignore_patterns("credentials*"))
    given = conf / str(context.arguments.get("env") or "local")
    shutil.copytree(given, conf / ENV) if given.is_dir() else (conf / ENV).mkdir()
    before = globals_of(conf)
    feature = context.arguments.get("feature") or before.get("feature") or f"{before.get('root', 'data')}/04_feature"
    write(conf / ENV / "globals.yml", paths={"root": str(folder / "data"), "feature": feature})
    own = {"spark.master": f"local[{context.arguments.get('cores', 1)}]", "spark.submit.deployMode": "client"}
    own |= {"spark.driver.memory": "1g", "spark.eventLog.enabled": "false", "spark.jars": None}
    # Of a cluster's settings those of filesystems count here; a small Spark on one machine has those of base.
    of_files = {key: value for key, value in read(conf / ENV / "spark.yml").items() if key.startswith(FILESYSTEMS)}
    (conf / ENV / "spark.yml").write_text(yaml.safe_dump(of_files))
    write(conf / ENV / "spark.yml", **own)
    write(conf / ENV / "cluster.yml", runs={"folder": None})
    leave_out_unused(conf)
    return conf


def leave_out_unused(conf: Path) -> None:
    """Remove keys of globals.yml that only the paths of before have used: a run refuses what nothing uses."""
    file = conf / ENV / "globals.yml"
    own = yaml.safe_load(file.read_text())
    known = yaml.safe_load((conf / "base" / "globals.yml").read_text())
    used = " ".join(path.read_text() for env in ("base", ENV) for path in (conf / env).rglob("*.yml"))
    kept = [key for key in own if key in known or f"${{{key}}}" in used or f"globals:{key}" in used]
    file.write_text(yaml.safe_dump({key: own[key] for key in kept}))


def globals_of(conf: Path) -> dict[str, Any]:
    """Return the paths that the environment names itself; those with places to fill are left to `feature`."""
    found: dict[str, Any] = {}
    for file in (conf / "base" / "globals.yml", conf / ENV / "globals.yml"):
        paths = (yaml.safe_load(file.read_text()) or {}).get("paths") or {} if file.is_file() else {}
        found |= {name: path for name, path in paths.items() if path and "${" not in str(path)}
    return found


def write(file: Path, **keys: Any) -> None:
    """Put keys over those of a file, or begin one."""
    file.write_text(yaml.safe_dump({**read(file), **keys}))


def read(file: Path) -> dict[str, Any]:
    """Read a file of keys with values; empty where there is none."""
    return (yaml.safe_load(file.read_text()) or {}) if file.is_file() else {}


def reached(summary: str, metric: str) -> list[dict[str, Any]]:
    """Return what the ranker reached in each corpus, with intervals; judged by people's grades where there are some."""
    rows = [
        row
        for row in csv.DictReader(io.StringIO(summary))
        if (row["metric"], row["quantity"], row["system"]) == (metric, "mean", "ranker")
    ]
    graded = {row["corpus"] for row in rows if row["truth"] == "reference"}
    kept = [row for row in rows if row["truth"] == "reference" or row["corpus"] not in graded]
    names = COLUMNS[3:7]
    return [
        {
            "corpus": row["corpus"],
            "truth": row["truth"],
            **{name: kind(row[name]) for name, kind in zip(names, MEASURES, strict=True)},
        }
        for row in kept
    ]


def wait(context: TaskContext, number: int) -> list[dict[str, Any]]:
    """Wait for a value's result; an instance that is lost ends this one, too."""
    while (content := context.client.read(result(number))) is None:
        time.sleep(1)
    rows: list[dict[str, Any]] = json.loads(content)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as CSV, by corpus, in the order of values."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: str(row["corpus"])))
    return out.getvalue()
