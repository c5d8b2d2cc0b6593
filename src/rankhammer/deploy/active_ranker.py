"""What is active: one record per corpus, on the engine that serves it.

No engine has an alias for models, so something else has to say which one counts. The record stands on the engine, not
beside the exported files: it is read by those who search there, is written in one step, travels with a backup of the
models that it names, and lets anybody roll back without the files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rankhammer.errors import EngineError
from rankhammer.search_engines.shapes import Deployments

if TYPE_CHECKING:
    from rankhammer.search_engines.answer import Response
    from rankhammer.search_engines.client import Client

KEYS = {"corpus", "active", "deployments"}


@dataclass(frozen=True)
class ActiveRanker:
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

    def with_active(self, entry: dict[str, Any], keep: int) -> tuple[ActiveRanker, list[dict[str, Any]]]:
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
        """Return the record as JSON has it; of the rankers that are there, the active one is marked.

        After a rollback it is not the first: the order is that of deploying.
        """
        marked = [{**entry, "is_active": entry["name"] == self.active} for entry in self.deployments]
        return {"corpus": self.corpus, "active": self.active, "deployments": marked}


def read_body(found: Response, where: str, corpus: str, place: tuple[int, ...], hint: str) -> ActiveRanker:
    """Make a record of what was found in its place.

    Args:
        found: What `ActiveRanker.body` returned once.
        where: The place, for the message.
        corpus: Whose record.
        place: See `ActiveRanker`.
        hint: What to do where it is something else.

    Raises:
        EngineError: It is no record.
    """
    body = found.body
    if not isinstance(body, dict) or body.keys() != KEYS:
        has = sorted(body) if isinstance(body, dict) else "no keys"
        raise EngineError(f"{where} is no record of deployments: it has {has}.", hint=hint)
    found.read(Deployments)
    return ActiveRanker(corpus, body["active"], tuple(body["deployments"]), place)


def someone_else(client: Client, corpus: str) -> EngineError:
    """Say that a record was changed since it was read."""
    return EngineError(
        f"{client.server.url}: another user has deployed a ranker of corpus {corpus!r} meanwhile.",
        hint="See what is active now, and run again.",
    )
