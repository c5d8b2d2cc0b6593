"""Answers a bundle where the engine is; needs neither Spark nor Java."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer import plugins
from rankhammer.errors import DataError
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources.engine_sources import RealEngine
from rankhammer.feature_sources.remote import bundle
from rankhammer.plugins import PluginSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NOT_HERE = ("bundle", "progress", "credentials", "ca_certs")
"""Options of the side that asked, which mean nothing on the side that answers."""


@dataclass(frozen=True)
class Answered:
    """What was answered of a bundle.

    Args:
        n_queries: Queries in it.
        n_parts: Parts that were asked now; the others were there already.
    """

    n_queries: int
    n_parts: int


def answer_bundle(
    folder: Path, *, on_progress: Callable[[int, int], None], url: str | None = None, credentials: str | None = None
) -> Answered:
    """Ask every search of a bundle, and put the answers beside them.

    Args:
        folder: The bundle; what an interrupted call has answered is kept.
        on_progress: Called with (queries done, queries in all) whenever a part is done.
        url: The engine's address here; None: as where the bundle was written.
        credentials: Entry of credentials.yml here.

    Raises:
        DataError: The folder is no bundle, or one of a source that asks no real engine.
        EngineError: The engine refuses, is not there, or may not be asked.
    """
    facts = bundle.read_facts(folder)
    options = {name: value for name, value in facts["source"]["options"].items() if name not in _NOT_HERE}
    options |= {"url": url or options["url"], "credentials": credentials}
    source = plugins.create("feature_sources", PluginSpec(name=facts["source"]["name"], options=options))
    if not isinstance(source, RealEngine):
        raise DataError(f"{folder}: source {facts['source']['name']!r} asks no engine.", hint="Write the bundle again.")
    collector = source.collector(FeatureSet.model_validate(facts["feature_set"]), facts["corpora"])
    collector.logging.prepare(collector.client)
    n_queries, done = int(facts["n_queries"]), 0

    def count(n: int) -> None:
        nonlocal done
        done += n
        on_progress(done, n_queries)

    return Answered(n_queries, bundle.answer(folder, collector, count))
