"""What runs have written, as pages read it: never half of it, and never a form that this version does not know."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.shapes import mapping, number, sequence, text
from rankhammer.storage import state_files
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ANY = "*"
"""Stands for a run's id in a path."""
MARKER = "_fingerprint.json"
HISTORY_FORMAT, MARKER_FORMAT = 1, 2
"""The newest forms that are understood."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LARGEST_REPORT = 64 * 2**20
TABLES = ("evaluation", "tuning_trials")
REPORTS = (
    *("run_summary", "training_report", "labeling_report", "click_model_measures", "query_comparison"),
    *("ingestion_report", "learning_curves", "model_sweeps", "experiment_metrics"),
)
HISTORY, MODEL_SWEEPS, EXPERIMENT_METRICS = "run_history", "model_sweeps", "experiment_metrics"
NAMES = (HISTORY, *REPORTS, *TABLES)
"""Datasets that pages are made of. Those of sweeps and experiments belong to no run, and stand beside the history."""
_STAGES = {
    "training_report": "training",
    "evaluation": "training",
    "tuning_trials": "training",
    "labeling_report": "labeling",
    "click_model_measures": "labeling",
    "query_comparison": "query_report",
    "ingestion_report": "ingestion",
    "learning_curves": "ranker_report",
}


def is_run_id(name: str) -> bool:
    """Say whether a text can be the folder of a run, and of nothing else."""
    return bool(_ID.fullmatch(name))


@dataclass(frozen=True)
class Report:
    """A small JSON file.

    Args:
        content: What it says; empty where it cannot be shown.
        fault: Why it cannot, in one sentence; empty where it can.
    """

    content: Mapping[str, Any]
    fault: str = ""


@dataclass(frozen=True)
class TableFiles:
    """A finished table.

    Args:
        files: Paths of its Parquet files; none where it cannot be shown.
        stamp: Changes when the table does.
        fault: Why it cannot be shown, in one sentence; empty where it can.
    """

    files: tuple[str, ...] = ()
    stamp: str = ""
    fault: str = ""


@dataclass(frozen=True)
class RunLine:
    """What a list says of a run.

    Args:
        number: In the history.
        facts: The record's small values.
        headline: Corpus to mean, lower and upper of the ranker's metric.
        fault: Why the record cannot be shown; then the rest is empty.
    """

    number: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    headline: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fault: str = ""


@dataclass
class Results:
    """The results of one environment, on this machine's own filesystem.

    Args:
        places: Dataset to its path, with `ANY` for a run's id where runs have folders.
    """

    places: Mapping[str, str]
    _lines: dict[int, RunLine] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Open nothing."""
        self._storage = LocalStorage()
        self._history = AppendOnlyLog(self._storage, self.places[HISTORY])

    def numbers(self) -> list[int]:
        """List the runs of the history, the newest first."""
        return self._history.numbers()[::-1]

    def line(self, run: int) -> RunLine:
        """Return what a list says of a run; a record never changes, so each is read once."""
        with self._lock:
            if run not in self._lines:
                found = _line(run, self.record(run))
                if found.fault:
                    return found
                self._lines[run] = found
            return self._lines[run]

    def record(self, run: int) -> Report:
        """Read a run's record."""
        try:
            content = self._storage.read(self._history.path(run))
        except OSError:
            return Report({}, f"There is no run {run} in the history.")
        found, fault = state_files.parse(content, keys=("id", "figures"), newest_format=HISTORY_FORMAT)
        return Report(found or {}, f"The record of run {run} {fault}{_newer(fault)}." if fault else "")

    def report(self, name: str, run: int) -> Report:
        """Read a report that a run has made.

        Args:
            name: One of `REPORTS`.
            run: Number in the history.
        """
        record = self.record(run)
        if record.fault:
            return record
        replaced = self._replaced(name, record.content)
        return Report({}, replaced) if replaced else self._read(name, record.content)

    def shared_report(self, name: str) -> Report:
        """Read a report that belongs to no run."""
        return self._read(name, {})

    def table(self, name: str, run: int) -> TableFiles:
        """Find the files of a table that a run has made.

        Args:
            name: One of `TABLES`.
            run: Number in the history.
        """
        record = self.record(run)
        fault = record.fault or self._replaced(name, record.content)
        if fault:
            return TableFiles(fault=fault)
        return _finished(self._storage, name, self._path(name, record.content))

    def _path(self, name: str, record: Mapping[str, Any]) -> str:
        """Return where a dataset of a run is; an id that could lead elsewhere is none."""
        folder = text(record.get("run"))
        return self.places[name].replace(ANY, folder if is_run_id(folder) else "none")

    def _replaced(self, name: str, record: Mapping[str, Any]) -> str:
        """Say why what stands there is not this run's; empty where it is."""
        stage = _STAGES.get(name)
        if stage is None:
            return ""
        if stage not in sequence(record.get("stages")):
            return f"This run did not run the stage {stage}."
        summary = self._read("run_summary", record)
        if summary.fault:
            return summary.fault
        made_by = text(mapping(mapping(summary.content.get("by_stage")).get(stage)).get("run"))
        if made_by == record.get("id"):
            return ""
        return f"A later run ({made_by or 'unknown'}) has replaced these results; the figures above stay."

    def _read(self, name: str, record: Mapping[str, Any]) -> Report:
        path = self._path(name, record) if name in self.places else ""
        try:
            if not path or self._storage.sizes(path).get("", 0) > _LARGEST_REPORT:
                return Report({}, f"{name} is not there, or too large to be shown.")
            content = self._storage.read(path)
        except OSError:
            return Report({}, f"{name} is not there: no run has written it, or it was removed.")
        found, fault = state_files.parse(content)
        return Report(found or {}, f"{name} {fault}{_newer(fault)}." if fault else "")


def _newer(fault: str) -> str:
    return "; a newer Rankhammer shows it" if fault.startswith(state_files.NEWER) else ""


def _finished(storage: LocalStorage, name: str, folder: str) -> TableFiles:
    """Find a table's files by its marker, which is written last and says how large each has to be."""
    try:
        marker, fault = state_files.parse(storage.read(f"{folder}/{MARKER}"), newest_format=MARKER_FORMAT)
        sizes = storage.sizes(folder)
    except OSError:
        return TableFiles(fault=f"{name} is not there, or is being written just now.")
    if marker is None:
        return TableFiles(fault=f"The marker of {name} {fault}{_newer(fault)}.")
    vouched = {path: number(mapping(about).get("bytes")) for path, about in mapping(marker.get("files")).items()}
    wrong = [path for path, size in vouched.items() if sizes.get(path) != size]
    if wrong:
        return TableFiles(fault=f"{name} is damaged, or half written: {wrong[0]} is not as its marker says.")
    names = [path for path in sizes if path.endswith(".parquet") and (path in vouched or not vouched)]
    stamp = json.dumps([folder, marker.get("digest"), names])
    return TableFiles(tuple(f"{folder}/{path}" for path in names), stamp)


def _line(run: int, record: Report) -> RunLine:
    if record.fault:
        return RunLine(run, fault=record.fault)
    content = record.content
    names = ("id", "run", "state", "error", "started", "ended", "metric", "total_seconds", "core_hours")
    facts = {name: content.get(name) for name in names}
    facts |= {"stages": [text(stage) for stage in sequence(content.get("stages"))]}
    facts |= {"stage_seconds": mapping(content.get("stage_seconds")), "verdicts": _verdicts(content)}
    return RunLine(run, facts, headline(content))


def _trained(record: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    corpora = mapping(mapping(record.get("figures")).get("training"))
    return {corpus: mapping(facts) for corpus, facts in corpora.items()}


def _verdicts(record: Mapping[str, Any]) -> dict[str, str]:
    return {corpus: text(facts.get("verdict")) for corpus, facts in _trained(record).items() if facts.get("verdict")}


def headline(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return mean, lower and upper of the ranker's metric by corpus, of corpora that were measured."""
    found: dict[str, dict[str, float]] = {}
    for corpus, facts in _trained(record).items():
        ranker = mapping(mapping(facts.get(text(record.get("metric")))).get("ranker"))
        values = {name: number(ranker.get(name)) for name in ("mean", "lower", "upper")}
        if values["mean"] is not None:
            found[corpus] = {name: values["mean"] if value is None else value for name, value in values.items()}
    return found


def largest(corpora: Mapping[str, Any], at_most: int) -> Sequence[str]:
    """Choose the corpora that a plot shows: the first ones in name order."""
    return sorted(corpora)[:at_most]
