"""How long a run will take from now on, going by what its stages took the last time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rankhammer import pipeline_registry
from rankhammer.runs import planning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from kedro.pipeline import Pipeline

_FIVE_S, _MINUTE_S, _LONG_S = 5, 60, 90


class TimeLeft:
    """Counts down the seconds of a run's stages.

    A stage has what it took last time, in proportion to its nodes that this run has; what its nodes have taken so far
    is off that, and when its last node is done nothing of it is left.

    Args:
        seconds: Stage to the seconds that it is expected to take.
        nodes: Stage to its nodes in this run.
        clock: Seconds that go on.
    """

    def __init__(
        self,
        seconds: Mapping[str, float],
        nodes: Mapping[str, Iterable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left = dict(seconds)
        self._nodes = {stage: set(names) for stage, names in nodes.items()}
        self._clock = clock
        self._node, self._begun_at = "", clock()

    def begin(self, node: str) -> None:
        """Note that a node begins.

        Args:
            node: Its name.
        """
        if node != self._node:
            self._take_off()
            self._node = node

    def finish(self, node: str) -> None:
        """Note that a node is done.

        Args:
            node: Its name.
        """
        self._take_off()
        self._node = ""
        for stage, names in self._nodes.items():
            names.discard(node)
            if not names:
                self._left[stage] = 0.0

    def seconds(self) -> float:
        """Return the seconds that are left; 0 where the run takes longer than the last one."""
        now = self._clock() - self._begun_at if self._node else 0.0
        stage = self._stage()
        return sum(max(0.0, left - (now if name == stage else 0.0)) for name, left in self._left.items())

    def _take_off(self) -> None:
        stage, now = self._stage(), self._clock()
        if stage in self._left:
            self._left[stage] = max(0.0, self._left[stage] - (now - self._begun_at))
        self._begun_at = now

    def _stage(self) -> str:
        return next((stage for stage, names in self._nodes.items() if self._node in names), "")


def time_left(
    pipeline: Pipeline, history: Iterable[Mapping[str, Any]], corpora: Sequence[str] | None
) -> TimeLeft | None:
    """Estimate a run by the history of runs.

    Args:
        pipeline: Its nodes.
        history: Records of earlier runs, the newest first.
        corpora: Those to work on; None: all.

    Returns:
        None where one of the stages was never measured.
    """
    every = pipeline_registry.register_pipelines()
    known = (*pipeline_registry.STAGES, *pipeline_registry.BRANCHES)
    nodes = {stage: [node.name for node in pipeline.nodes if stage in node.tags] for stage in known}
    nodes = {stage: names for stage, names in nodes.items() if names}
    past = planning.measured(history, at_most=planning.SUMMARIES)
    found = planning.estimate(past, stages=tuple(nodes), corpora=corpora)
    if found is None or found["unknown"]:
        return None
    shares = {stage: len(names) / len(every[stage].nodes) for stage, names in nodes.items()}
    seconds = {stage: found["stages"][stage]["seconds"] * min(1.0, share) for stage, share in shares.items()}
    return TimeLeft(seconds, nodes)


def in_words(seconds: float) -> str:
    """Say a time in a few words.

    Args:
        seconds: From now on.

    Returns:
        "about 40 s left", "about 3 min left"; empty below some seconds, when it is over any moment.
    """
    if seconds < _FIVE_S:
        return ""
    if seconds <= _LONG_S:
        return f"about {_FIVE_S * round(seconds / _FIVE_S)} s left"
    return f"about {round(seconds / _MINUTE_S)} min left"
