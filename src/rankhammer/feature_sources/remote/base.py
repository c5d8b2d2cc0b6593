"""How feature values are asked of an engine: one protocol, whatever the engine calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rankhammer.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.feature_sets import FeatureSet
    from rankhammer.feature_sources.remote.concurrency_limit import Pace
    from rankhammer.search_engines.client import Client

    Values = tuple[NDArray[np.bool_], NDArray[np.float32]]
    """Whether the engine has each document, shape (n_docs,); and its values, shape (n_docs, n_features)."""


@dataclass(frozen=True)
class FeatureSearch:
    """One question: a query and some documents of one corpus.

    Args:
        corpus: Whose index is searched.
        query: As typed.
        doc_ids: Each id once.
    """

    corpus: str
    query: str
    doc_ids: tuple[str, ...]


class FeatureLogging(Protocol):
    """One way to have an engine say what it computes. Made on the driver, it travels to the workers."""

    @property
    def feature_set(self) -> FeatureSet:
        """What is computed."""
        ...

    @property
    def max_docs(self) -> int:
        """Documents of one search at most."""
        ...

    @property
    def max_searches(self) -> int:
        """Searches of one call of `ask` at most."""
        ...

    @property
    def key(self) -> str:
        """A text that differs whenever the same pairs could get other values."""
        ...

    def prepare(self, client: Client) -> None:
        """Do once, before any worker asks, what the engine needs: store a feature set, for instance."""
        ...

    def ask(self, client: Client, searches: Sequence[FeatureSearch], pace: Pace) -> list[Values]:
        """Ask for some searches at once, keeping to the pace; runs on a worker, in several threads.

        Args:
            client: Asks the engine.
            searches: At most `max_searches`, of at most `max_docs` documents each.
            pace: Is entered around every request, and told how long it took or that it was refused.

        Returns:
            One entry a search, in order.

        Raises:
            EngineError: The engine refuses, or answers in part only.
        """
        ...


def require_whole(body: Any) -> None:
    """Refuse what looks like an answer to a search but leaves documents out.

    Raises:
        EngineError: The answer is not of all shards, came late, or is none.
    """
    if not isinstance(body, dict):
        raise EngineError("The engine's answer is no JSON object.", hint="Is this the address of a search engine?")
    shards = body.get("_shards", {})
    if not isinstance(shards, dict):
        raise EngineError("The engine's answer has no `_shards`.", hint="Is this the address of a search engine?")
    if body.get("timed_out") or shards.get("failed"):
        why = shards.get("failures") or "it ran out of time"
        raise EngineError(
            f"The engine answered for a part of its shards only: {str(why)[:300]}",
            hint="Values would be missing without a trace. Look at the cluster's health, then run again.",
        )
