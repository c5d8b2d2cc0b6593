"""A project as a run leaves it, made without Spark, `kedro viz run` on it, and a real browser."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.support.chromium import chromium

from rankhammer.click_logs import PositionRate
from rankhammer.datasets import HistoryDataset
from rankhammer.evaluation.compared_queries import Measured
from rankhammer.pipelines.features.report import distribution_figure
from rankhammer.pipelines.ingestion.report import click_through_figure
from rankhammer.pipelines.labeling.report import click_model_fit, label_histogram
from rankhammer.pipelines.query_report.figures import gains_figure
from rankhammer.pipelines.training.history_figure import history_figure
from rankhammer.pipelines.training.report import importance_figure, ndcg_figure
from rankhammer.pipelines.training.tuning_figures import history_of_trials, metric_by_round, parallel_parameters
from rankhammer.plugins import PluginSpec
from rankhammer.training.curves import Curve
from rankhammer.training.folds import balance_figure
from rankhammer.training.search import Trial

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
PARTS = ("conf", "src", "pyproject.toml", "README.md", ".telemetry")
STARTS_WITHIN_S = 90
CORPORA = ("network", "stdlib")
SYSTEMS = {"logged": 0.57, "baseline": 0.45, "ranker": 0.78, "oracle": 0.8}


def _fold(number: int) -> dict[str, int]:
    return {"fold": number, "n_rows": 400 + 30 * number}


def _measured() -> dict[str, Any]:
    positions = {
        "conditional_perplexity": [1.7, 1.4, 1.2],
        "predicted_click_through": [0.3, 0.2, 0.1],
        "click_through": [0.31, 0.18, 0.11],
    }
    return {corpus: {"dbn": {"positions": positions}, "pbm": {"positions": positions}} for corpus in CORPORA}


def _means() -> list[dict[str, Any]]:
    about = {"metric": "ndcg@10", "quantity": "mean", "n_queries": 90}
    return [
        about | {"corpus": corpus, "truth": truth, "system": name, "mean": m, "lower": m - 0.05, "upper": m + 0.04}
        for corpus in CORPORA
        for truth in ("clicks", "reference")
        for name, m in SYSTEMS.items()
    ]


def figures() -> dict[str, Any]:
    """Every plot of a run, by its dataset."""
    described = {"quantiles": {"0.05": 0.0, "0.25": 1.0, "0.5": 2.0, "0.75": 3.0, "0.95": 4.0}, "max": 5.0}
    features = {"n_rows": 9, "features": {"title_bm25": described, "popularity": described}}
    grades = {"n_judgments": 60, "grades": {"none": 10, "0": 30, "1": 15, "2": 5}}
    rates = [PositionRate(corpus, place, 100, 40 // place) for corpus in CORPORA for place in range(1, 6)]
    shares = {"network": {"title_bm25": 0.7, "popularity": 0.3}, "stdlib": {"title_bm25": 0.4, "popularity": 0.6}}
    folds = {"n_rows": 900, "folds": [_fold(number) for number in (-1, 0, 1)]}
    return {
        "click_through_by_position": click_through_figure(rates),
        "label_histogram": label_histogram(dict.fromkeys(CORPORA, grades)),
        "click_model_fit": click_model_fit(_measured()),
        "feature_distributions": distribution_figure(dict.fromkeys(CORPORA, features)),
        "fold_balance": balance_figure(dict.fromkeys(CORPORA, folds)),
        "ndcg_comparison": ndcg_figure(_means()),
        "feature_importance": importance_figure(shares),
        "ndcg_by_run": history_figure([*map(_run, (2, 1))], {"metric": "ndcg@10", "corpora": _reached(0.8)}),
        "tuning_history": history_of_trials(_trials(), metric="ndcg@10"),
        "tuning_rounds": metric_by_round(_trials(), metric="ndcg@10"),
        "tuning_parallel": parallel_parameters(_trials(), metric="ndcg@10"),
        "query_gains": _gains(),
    }


def _trials() -> list[Trial]:
    return [
        Trial(
            *(corpus, number, {"max_depth": number % 4 + 2, "reg_lambda": 0.1 * 3**number}, -0.5 - 0.03 * number % 0.1),
            n_rounds=3,
            ranker="xgboost",
            curves=tuple(Curve((1, 2, 3, 4), (0.3, 0.4 + 0.02 * fold, 0.5, 0.49)) for fold in range(3)),
        )
        for corpus in CORPORA
        for number in range(6)
    ]


def _reached(mean: float) -> dict[str, Any]:
    ranker = {"mean": mean, "lower": mean - 0.05, "upper": mean + 0.04}
    return {corpus: {"ndcg@10": {"ranker": ranker}} for corpus in CORPORA}


def _run(number: int) -> dict[str, Any]:
    about = {"number": number, "metric": "ndcg@10", "state": "done", "total_seconds": 61.2, "stages": ["training"]}
    return about | {"ended": f"2026-11-0{number}T10:00:00+00:00", "figures": {"training": _reached(0.5 + number / 10)}}


def _gains() -> Any:
    queries = [("open a file", -0.4), ("parse json", 0.6)]
    found = [{"query": query, "difference": gain, "against": "logged order"} for query, gain in queries]
    measured = Measured("ndcg@10", "clicks", "logged order", "title_bm25", PluginSpec(name="linear"))
    return gains_figure(dict.fromkeys(CORPORA, found), dict.fromkeys(CORPORA, measured))


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    for part in PARTS:
        source = REPOSITORY / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    reporting, serps = folder / "data/08_reporting", folder / "data/03_primary/serps"
    reporting.mkdir(parents=True)
    serps.mkdir(parents=True)
    for name, figure in figures().items():
        (reporting / f"{name}.json").write_text(figure.to_json())
    for number in (1, 2):
        HistoryDataset(filepath=str(reporting / "history")).save(_run(number))
    rows = {"corpus": ["main"] * 3, "query": ["red shoe"] * 3, "clicked": [[True, False]] * 3}
    parquet.write_table(pa.table(rows), serps / "part-0.parquet")
    return folder


@contextmanager
def _served(project: Path, port: int) -> Iterator[str]:
    command = [sys.executable, "-m", "kedro", "viz", "run", "--no-browser", "--port", str(port)]
    with (project / "viz.log").open("w") as log:
        # A group of its own: kedro-viz leaves children behind where only its first process is ended.
        server = subprocess.Popen(command, cwd=project, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not _answers(port):
            assert server.poll() is None, (project / "viz.log").read_text()
            assert time.monotonic() < deadline, (project / "viz.log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def _answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        return answer.status == 200
    return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def site(browser, project) -> Iterator[str]:
    # Kedro-viz refuses the ports that a system gives out by itself.
    port = next(port for port in range(41000 + os.getpid() % 1000, 49000) if not _listens(port))
    with _served(project, port) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    pytest.importorskip("kedro_viz")
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where people look at what a browser has shown: build/screenshots."""
    folder = REPOSITORY / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
