"""What is active: one record a corpus, on the engine that serves it.

No engine has an alias for models, so something else has to say which one counts. The record stands on the engine, not
beside the exported files: it is read by those who search there, is written in one step, travels with a backup of the
models that it names, and lets anybody roll back without the files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rankhammer.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.engines.remote.client import Client

KEYS = {"corpus", "active", "deployments"}


@dataclass(frozen=True)
class Record:
    """The rankers of one corpus on one engine.

    Args:
        corpus: Whose they are.
        active: Name of the one that counts; empty before the first.
        deployments: What is there, as it became active, the latest first: name, store, deployed_at, example and more.
        place: Where it was read, so that nobody's change is overwritten: numbers that grow with every change.
    """

    corpus: str
    active: str = ""
    deployments: tuple[dict[str, Any], ...] = ()
    place: tuple[int, ...] | None = None

    def names(self) -> list[str]:
        """Return the rankers' names, the latest first."""
        return [str(entry["name"]) for entry in self.deployments]

    def entry(self, name: str) -> dict[str, Any]:
        """Return what is known of a ranker that is there."""
        return self.deployments[self.names().index(name)]

    def with_active(self, entry: dict[str, Any], keep: int) -> tuple[Record, list[dict[str, Any]]]:
        """Make a ranker the active one and the latest.

        Args:
            entry: What is known of it.
            keep: How many stay, it included.

        Returns:
            The new record, and the rankers that have no place in it any more.
        """
        others = [other for other in self.deployments if other["name"] != entry["name"]]
        # The one that served until now is the first to roll back to, wherever it stands.
        others.sort(key=lambda other: other["name"] != self.active)
        kept = (entry, *others[: keep - 1])
        return replace(self, active=entry["name"], deployments=kept), others[keep - 1 :]

    def body(self) -> dict[str, Any]:
        """Return the record as JSON has it."""
        return {"corpus": self.corpus, "active": self.active, "deployments": list(self.deployments)}


def read_body(where: str, corpus: str, body: Mapping[str, Any], place: tuple[int, ...], hint: str) -> Record:
    """Make a record of what was found in its place.

    Args:
        where: The place, for the message.
        corpus: Whose record.
        body: What `Record.body` returned once.
        place: See `Record`.
        hint: What to do where it is something else.

    Raises:
        EngineError: It is no record.
    """
    if body.keys() != KEYS:
        raise EngineError(f"{where} is no record of deployments: it has {sorted(body)}.", hint=hint)
    return Record(corpus, body["active"], tuple(body["deployments"]), place)


def someone_else(client: Client, corpus: str) -> EngineError:
    """Say that a record was changed since it was read."""
    return EngineError(
        f"{client.server.url}: somebody else has deployed a ranker of corpus {corpus!r} meanwhile.",
        hint="See what is active now, and run again.",
    )
