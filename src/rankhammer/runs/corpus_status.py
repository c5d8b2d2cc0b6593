"""Status of each corpus of a run, and the command that works once more on those that failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rankhammer.pipeline_registry import COMPOSITES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

DONE, FAILED, KEPT, LEFT_OUT = "done", "failed", "kept from before", "left out"
HELD_BACK = "held back"
"""Worked on and written, and not made current: the ranker is worse than an order, or is to be promoted by hand."""

WORKED_ON = (DONE, FAILED, HELD_BACK)


@dataclass(frozen=True)
class Scope:
    """What a run was to work on.

    Args:
        environment: Kedro environment.
        params: The command line's values, the run's id among them where runs have ids.
        corpora: Those to work on; None: all.
        kept: Corpora that are published as they were, to the version that first held their files.
        held_back: Corpora whose ranker did not become current, to the version that it stands in.
    """

    environment: str = "local"
    params: Mapping[str, Any] = field(default_factory=dict)
    corpora: Sequence[str] | None = None
    kept: Mapping[str, str] = field(default_factory=dict)
    held_back: Mapping[str, str] = field(default_factory=dict)

    def holds(self, corpus: str) -> bool:
        """Say whether the run was to work on a corpus."""
        return self.corpora is None or corpus in self.corpora

    def command(self, pipeline: str, **params: str) -> str:
        """Return the command of a run in this scope.

        Args:
            pipeline: Its name; empty for all stages.
            **params: Values that take the place of this run's.
        """
        of_env = "" if self.environment == "local" else f" --env={self.environment}"
        of_pipeline = f" --pipeline={pipeline}" if pipeline else ""
        values = {**dict(_flat(self.params)), **params}
        listed = ",".join(f"{name}={value}" for name, value in values.items() if value)
        quoted = f"'{listed}'" if set(listed) & set(' &;|<>()[]{}$*?!#~"') else listed
        return f"kedro run{of_pipeline}{of_env}" + (f" --params {quoted}" if listed else "")


def status_of(
    corpora: Iterable[str], failures: Sequence[Mapping[str, str]], scope: Scope
) -> dict[str, dict[str, str | None]]:
    """Return the status of each corpus.

    Args:
        corpora: Names that the reports know.
        failures: Those of the scope.
        scope: Of the run.

    Returns:
        Corpus to its `state` and, where there is one, the `stage` it failed in and the `version` that it is kept from
        or held back in.
    """
    stages = {failure["corpus"]: failure["stage"] for failure in reversed(failures)}
    names = sorted({*corpora, *stages, *scope.kept})
    return {name: _status(name, stages.get(name), scope) for name in names}


def describe_status(status: Mapping[str, str | None]) -> str:
    """Return a status as words."""
    if status["state"] == FAILED:
        return f"failed in {status['stage']}"
    return f"{status['state']} ({status['version']})" if status["version"] else str(status["state"])


def merged(parts: Iterable[Mapping[str, Mapping[str, str | None]]]) -> dict[str, Mapping[str, str | None]]:
    """Put the statuses of several runs together that each worked on some of the corpora.

    Args:
        parts: `status` of each run's run_summary.json, in the order of the runs.

    Returns:
        Corpus to its status in the last run that worked on it; else to what the last run says.
    """
    found: dict[str, Mapping[str, str | None]] = {}
    for part in parts:
        for corpus, status in part.items():
            if status["state"] in WORKED_ON or found.get(corpus, status)["state"] not in WORKED_ON:
                found[corpus] = status
    return dict(sorted(found.items()))


def command_again(failures: Sequence[Mapping[str, str]], scope: Scope, *, stages_run: Sequence[str]) -> str | None:
    """Return the command that works on the failed corpora alone; None where none failed.

    Args:
        failures: Those of the scope.
        scope: Of the run.
        stages_run: Stages of this run.
    """
    if not failures:
        return None
    names = ",".join(sorted({failure["corpus"] for failure in failures}))
    if {failure["stage"] for failure in failures} <= {*COMPOSITES["train"]}:
        return scope.command("train", corpora=names)
    # Their tables have to be made again: where runs have ids, in a run of its own, that leaves the others' as they are.
    pipeline = "collect" if {*stages_run} <= {*COMPOSITES["collect"]} else ""
    return scope.command(pipeline, run="", corpora=names)


def _status(corpus: str, stage: str | None, scope: Scope) -> dict[str, str | None]:
    if scope.holds(corpus):
        if not stage and corpus in scope.held_back:
            return {"state": HELD_BACK, "stage": None, "version": scope.held_back[corpus]}
        return {"state": FAILED if stage else DONE, "stage": stage, "version": None}
    return {"state": KEPT if corpus in scope.kept else LEFT_OUT, "stage": None, "version": scope.kept.get(corpus)}


def _flat(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Turn nested values into names with dots, as the command line takes them."""
    for name, value in params.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", ",".join(map(str, value)) if isinstance(value, list) else str(value)
