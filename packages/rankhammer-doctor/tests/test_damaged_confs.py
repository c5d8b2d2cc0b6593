"""Generated configurations and shapes: whatever stands in them, the command ends with a known code and no traceback."""

from __future__ import annotations

import json
import random

import pytest
from click.testing import CliRunner

from rankhammer_doctor.cli import doctor

KEYS = (
    "spark.executor.memory", "spark.executor.cores", "spark.executor.instances", "spark.executor.memoryOverhead",
    "spark.network.timeout", "spark.executor.heartbeatInterval", "spark.driver.maxResultSize", "spark.task.cpus",
    "spark.sql.shuffle.partitions", "spark.task.maxFailures", "spark.dynamicAllocation.maxExecutors",
    "spark.sql.autoBroadcastJoinThreshold", "spark.memory.offHeap.size", "spark.memory.offHeap.enabled",
    "spark.executor.memoryOverheadFactor", "spark.master", "spark.eventLog.dir", "foo",
)  # fmt: skip
VALUES = (
    "", "x", "-1", "0", "1e9", "999999999999999999999999g", "1.5g", "true", "\0", "\xfc", "${env:X}", "'", '"', "4g",
    "null", "[1]", "{a: 1}", "~", "1:30", "0x10", "--", "\\", "%s", "<script>", "nan", "inf", "1_000", ".5",
)  # fmt: skip
SHAPE = (
    "nodes", "node_memory", "yarn_memory", "yarn_vcores", "min_allocation", "max_allocation", "max_vcores",
    "queue_share", "shared", "vmem_check", "java", "python",
)  # fmt: skip
JOB = (
    "python_udfs", "barrier", "xgboost", "workers", "models_in_parallel", "matrix", "input", "shuffle", "output",
    "output_size", "output_files", "hours", "python",
)  # fmt: skip
JSON = (None, True, 1, -1, 1.5, "x", "4g", [], {}, [1], {"a": 1}, 10**30, "0", "64g", 8)


def _emr(rng, pairs):
    entries = [
        {
            "Classification": rng.choice(["spark-defaults", "yarn-site", "x", None, 3]),
            "Properties": rng.choice([pairs, None, [], "x", {key: rng.choice(JSON) for key in pairs}]),
            "Configurations": rng.choice([[], None, "x"]),
        }
        for _ in range(rng.randint(0, 3))
    ]
    return json.dumps(rng.choice([entries, {"Configurations": entries}, 5, None, "x"]))


def _source(rng, folder) -> str:
    pairs = {rng.choice(KEYS): rng.choice(VALUES) for _ in range(rng.randint(0, 8))}
    signs = (" ", "=", ":", "\t", "")
    texts = {
        "spark-defaults.conf": "\n".join(f"{key}{rng.choice(signs)}{value}" for key, value in pairs.items()),
        "conf.yml": "\n".join(f"{key}: {value}" for key, value in pairs.items()),
        "emr.json": _emr(rng, pairs),
        "bytes": rng.randbytes(200).decode("latin-1"),
    }
    name = rng.choice([*texts, ""])
    if name:
        (folder / name).write_text(texts[name], encoding="latin-1")
        return str(folder / name)
    forms = ("--conf {}={}", "--executor-memory {1}", "--num-executors", "--properties-file {1}", "'{1}", "{0}")
    return "spark-submit " + " ".join(rng.choice(forms).format(key, value) for key, value in pairs.items())


@pytest.mark.parametrize("number", range(20))
def test_no_configuration_ends_in_a_traceback(tmp_path, number):
    for part in range(10):
        rng = random.Random(f"{number} {part}")
        shape = {name: rng.choice(JSON) for name in rng.sample(SHAPE, 5)}
        shape["job"] = rng.choice([{name: rng.choice(JSON) for name in rng.sample(JOB, 5)}, None, 3])
        sound = {name: value for name, value in shape.items() if type(value) in (int, str)}
        (tmp_path / "shape.yml").write_text(json.dumps(rng.choice([shape, sound])))
        options = [("--cluster", str(tmp_path / "shape.yml")), ("--fix", "--yes"), ("--json",)]
        chosen = [word for option in options if rng.random() < 0.6 for word in option]
        done = CliRunner().invoke(doctor, ["conf", _source(rng, tmp_path), *chosen], catch_exceptions=False)
        assert done.exit_code in (0, 2, 4, 5)
        assert done.exit_code != 2 or "Hint: " in done.stderr
