"""Export large rankers: seconds by step, sizes of the files, peak memory. One JSON line a size.

    python benchmarks/export_size.py
    python benchmarks/export_size.py --trees 500 3000 --depth 8 --targets solr_ltr ranklib

`seconds` is all of the export stage's own work for one ranker: the booster read, every target written and proved on
logged vectors, absent features and ties (1,000 of each, as in conf/base), files on disk. `steps` are the same steps
once more, one by one. `refused` says why there are no files, where a target refuses the ranker. Training is not
counted: the trees are trained on noise until nearly all of them are full. Each size runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost as xgb
import yaml

from rankhammer import plugins
from rankhammer.errors import ExportError
from rankhammer.exporters import publish
from rankhammer.exporters.parity import check_parity
from rankhammer.exporters.parity_samples import parity_vectors
from rankhammer.exporters.threshold_samples import read_sample
from rankhammer.feature_sets import FeatureSet
from rankhammer.plugins import PluginSpec
from rankhammer.runs.summary import RSS_UNITS_A_MB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer.exporters.base import Exporter

CONF = Path(__file__).parents[1] / "conf/base/parameters"
N_ROWS, GROUP, N_VECTORS, N_TIES, TOLERANCE = 8000, 20, 1000, 1000, 1e-5


def main() -> None:
    given = parse()
    if len(given.trees) > 1:
        for n_trees in given.trees:
            subprocess.run([sys.executable, *arguments(given, n_trees)], check=True)
        return
    folder = train(given.trees[0], given.depth)
    print(json.dumps({"benchmark": "export_size", "depth": given.depth, **measure(folder, given.targets)}), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", type=int, nargs="+", default=[500, 3000], help="one size after the other")
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--targets", nargs="+", default=["opensearch_ltr", "json"], help="exporters' registered names")
    return parser.parse_args()


def arguments(given: argparse.Namespace, n_trees: int) -> list[str]:
    return [__file__, "--trees", str(n_trees), "--depth", str(given.depth), "--targets", *given.targets]


def train(n_trees: int, depth: int) -> dict[str, bytes]:
    """Return the folder of a ranker with such trees, as the training stage publishes it."""
    declared = yaml.safe_load((CONF / "feature_set.yml").read_text())["feature_set"]
    feature_set = FeatureSet.model_validate(declared)
    rng = np.random.default_rng(3)
    rows = rng.lognormal(size=(N_ROWS, len(feature_set.names))).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = 0
    data = xgb.DMatrix(rows, rng.integers(0, 5, N_ROWS), feature_names=list(feature_set.names))
    data.set_group([GROUP] * (N_ROWS // GROUP))
    settings = {"objective": "rank:ndcg", "max_depth": depth, "min_child_weight": 0, "eta": 0.05, "nthread": 1}
    booster = xgb.train(settings, data, n_trees)
    scores = booster.inplace_predict(rows, validate_features=False)
    sample = {
        "feature_names": list(feature_set.names),
        "features": rows[:N_VECTORS].tolist(),
        "qid": np.repeat(np.arange(N_VECTORS // GROUP), GROUP).tolist(),
        "scores": scores[:N_VECTORS].tolist(),
    }
    return {
        publish.MODEL: bytes(booster.save_raw("ubj")),
        publish.MANIFEST: b"{}",
        publish.FEATURE_SET: feature_set.model_dump_json().encode(),
        publish.SAMPLE: json.dumps(sample).encode(),
    }


def measure(folder: dict[str, bytes], targets: list[str]) -> dict[str, Any]:
    exporters = [make_exporter(name) for name in targets]
    before_mb, began, began_cpu = peak_rss_mb(), time.perf_counter(), time.process_time()
    outcome = publish_to_disk(folder, exporters)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    peak_mb = peak_rss_mb()
    forest = publish.read_ranker("main", folder).forest
    return {
        "n_trees": forest.n_trees,
        "n_nodes": len(forest.feature),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        **outcome,
        "peak_rss_mb": peak_mb,
        "peak_rss_mb_before": before_mb,
        "steps": {step: round(spent, 2) for step, spent in timed(steps(folder, exporters))},
        "n_cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }


def make_exporter(name: str) -> Exporter:
    takes = plugins.load("exporters", name).Options.model_fields
    wanted = {"text_field": "{field}.{analyzer}", "quoted_keywords": True}
    options = {option: value for option, value in wanted.items() if option in takes}
    exporter: Exporter = plugins.create("exporters", PluginSpec(name=name, options=options))
    return exporter


def publish_to_disk(folder: dict[str, bytes], exporters: list[Exporter]) -> dict[str, Any]:
    """Export as the stage does; return the files' sizes, or why a target refused."""
    try:
        files = publish.export_corpus(
            "main", folder, exporters, lineage={}, checks=publish.Checks(TOLERANCE, N_VECTORS, N_TIES)
        )
    except ExportError as refusal:
        return {"refused": str(refusal)}
    with TemporaryDirectory() as place:
        for name, content in files.items():
            path = Path(place, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return {"file_bytes": {name: len(content) for name, content in files.items()}}


def steps(folder: dict[str, bytes], exporters: list[Exporter]) -> Iterator[str]:
    """Do the same once more, and name each step when it is done."""
    ranker = publish.read_ranker("main", folder)
    ranker.forest  # noqa: B018 - read now and kept
    yield "read the booster"
    sample, _ = read_sample(folder[publish.SAMPLE], ranker.feature_set)
    vectors = parity_vectors(sample, ranker, n_vectors=N_VECTORS, n_ties=N_TIES)
    yield "make vectors"
    for exporter in exporters:
        try:
            with publish.no_cycle_collection():
                files = exporter.write(ranker)
                yield f"{exporter.target}: write"
                check_parity(exporter, files, ranker, vectors, tolerance=TOLERANCE)
                yield f"{exporter.target}: prove"
        except ExportError:
            yield f"{exporter.target}: refuse"


def timed(named: Iterator[str]) -> Iterator[tuple[str, float]]:
    began = time.perf_counter()
    for name in named:
        yield name, time.perf_counter() - began
        began = time.perf_counter()


def peak_rss_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // RSS_UNITS_A_MB


if __name__ == "__main__":
    main()
