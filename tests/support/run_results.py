"""A folder with the results of some runs, as runs leave them, made without Spark."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from rankhammer.dashboard.results import HISTORY, REPORTS, TABLES
from rankhammer.storage import state_files
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<script>alert(1)</script>"
MEANS = {"logged": 0.5, "baseline": 0.4, "ranker": 0.7, "oracle": 0.8}
QUERIES = {"open a file": (0.2, 0.9), HOSTILE: (0.9, 0.3), "same": (0.5, 0.5)}
"""Test query to its value in the logged order and in the ranker's."""


def places(folder: Path) -> dict[str, str]:
    return {name: str(folder / name) for name in (HISTORY, *TABLES)} | {
        name: str(folder / f"{name}.json") for name in REPORTS
    }


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "lower": mean - 0.05, "upper": mean + 0.04}


def record(corpora: tuple[str, ...] = ("main", HOSTILE), **changed: Any) -> dict[str, Any]:
    trained = {
        "ndcg@10": {system: interval(mean) for system, mean in MEANS.items()},
        "differences": {"ranker - logged": interval(0.2)},
        "verdicts": {"logged": {"verdict": "better"}},
        "verdict": "better",
        "ranker": "linear",
        "truth": "clicks",
        "metrics": {"clicks": {"ndcg@10": MEANS}},
    }
    about = {"id": "20261129T104843Z-f639", "run": None, "state": "done", "error": "", "metric": "ndcg@10"}
    times = {"started": "2026-11-29T10:48:43+00:00", "ended": "2026-11-29T10:55:15+00:00", "total_seconds": 392.2}
    stages = {
        "stages": ["labeling", "training", "query_report"],
        "stage_seconds": {"labeling": 40.0, "training": 300.0},
    }
    made = {
        "parameters": {"training": {"n_trials": 8}},
        "inputs": {"click_log": "0ee7"},
        "versions": {"python": "3.11"},
    }
    figures = {"training": dict.fromkeys(corpora, trained), "labeling": {name: {"n_judgments": 60} for name in corpora}}
    return {**about, **times, **stages, **made, "figures": figures, "core_hours": 0.2, "confidence": 0.95} | changed


def add_run(folder: Path, **changed: Any) -> int:
    log = AppendOnlyLog(LocalStorage(), str(folder / HISTORY))
    number = max(log.numbers(), default=0)
    assert log.append(state_files.sealed(record(**changed)), after=number)
    return number + 1


def write_report(folder: Path, name: str, content: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_text(json.dumps(content))


def write_table(folder: Path, name: str, columns: dict[str, list[Any]]) -> None:
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), place / "part-0.parquet")
    files = {"part-0.parquet": {"bytes": (place / "part-0.parquet").stat().st_size}}
    (place / "_fingerprint.json").write_text(json.dumps({"format": 2, "digest": name, "files": files}))


def make_results(folder: Path, **changed: Any) -> dict[str, str]:
    """Write all that a complete run leaves for pages."""
    add_run(folder, **changed)
    stages = {key: {"run": record()["id"]} for key in ("labeling", "training", "query_report")}
    write_report(folder, "run_summary", {"by_stage": stages})
    shares = {"title_bm25": 0.7, HOSTILE: 0.3}
    trained = {"feature_importance": shares, "ranker": "linear"}
    write_report(folder, "training_report", {"corpora": {"main": trained, HOSTILE: trained}})
    _write_click_model(folder)
    _write_comparison(folder)
    _write_tables(folder)
    return places(folder)


def _write_click_model(folder: Path) -> None:
    fit = {"n_iter": 35, "converged": True, "continuation": 0.9}
    facts = {"fit": fit, "grades": {"none": 10, "0": 30, "1": 20}}
    write_report(folder, "labeling_report", {"click_model": "dbn", "corpora": {"main": facts, HOSTILE: facts}})
    positions = {
        "conditional_perplexity": [1.7, 1.4, 1.2],
        "predicted_click_through": [0.3, 0.2, 0.1],
        "click_through": [0.31, 0.18, 0.11],
    }
    measured = {"log_likelihood": -0.28, "perplexity": 1.34, "conditional_perplexity": 1.33, "positions": positions}
    write_report(folder, "click_model_measures", {"held_out": {"main": {"dbn": measured, "pbm": measured}}})


def _write_comparison(folder: Path) -> None:
    moved = {"title_bm25": 0.9, HOSTILE: -0.2}
    about = {"grade": 1, "reference_grade": None, "score": 1.2, "contributions": moved}
    documents = [{"doc_id": f"d{k}", "title": HOSTILE, "rank": k, "rank_before": 3 - k, **about} for k in (1, 2)]
    query = {"query": HOSTILE, "ranker": 0.3, "logged": 0.9, "difference": -0.6, "against": "logged"}
    found = {"truth": "clicks", "metric": "ndcg@10", "worst": [{**query, "documents": documents}], "best": []}
    write_report(folder, "query_comparison", {"corpora": {"main": found}})


def _write_tables(folder: Path) -> None:
    rows = [
        {"corpus": "main", "metric": "ndcg@10", "truth": "clicks", "system": system, "query": query, "value": value}
        for query, values in QUERIES.items()
        for system, value in zip(("logged", "ranker"), values, strict=True)
    ]
    write_table(folder, "evaluation", {name: [row[name] for row in rows] for name in rows[0]})
    trials = {
        "corpus": ["main"] * 3,
        "ranker": ["xgboost"] * 3,
        "trial": [0, 1, 2],
        "loss": [-0.6, -0.65, None],
        "status": ["ok", "ok", "failed"],
        "params": ['{"max_depth": 4, "eta": 0.1}', '{"max_depth": 6, "eta": 0.3}', "{}"],
        "duration_s": [1.0, 2.0, 3.0],
        "chosen": [False, True, False],
        "error": ["", "", HOSTILE],
        "standard_error": [0.01, 0.01, None],
    }
    write_table(folder, "tuning_trials", trials)
