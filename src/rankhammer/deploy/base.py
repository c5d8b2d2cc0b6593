"""What a kind of engine does so that rankers can be deployed to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.deploy.options import DeployOptions
    from rankhammer.deploy.package import Package
    from rankhammer.deploy.record import Record
    from rankhammer.deploy.requests import Request
    from rankhammer.engines.remote.client import Client
    from rankhammer.exporters.model_files import ModelFiles


@dataclass(frozen=True)
class Asked:
    """A search that a ranker reranks.

    Args:
        index: Index, collection or core that is searched.
        query: As a user would type it.
        n_documents: Documents that are reranked and returned.
        doc_ids: None: any documents, those with the query's words first; else these alone.
    """

    index: str
    query: str
    n_documents: int
    doc_ids: tuple[str, ...] | None = None

    def of(self, doc_ids: Sequence[str]) -> Asked:
        """Return the same search for some documents alone."""
        return replace(self, doc_ids=tuple(doc_ids), n_documents=len(doc_ids))


class Records(Protocol):
    """Where an engine keeps which ranker of one corpus is active."""

    def read_request(self) -> Request:
        """Return the request that reads it."""
        ...

    def write_requests(self, record: Record) -> list[Request]:
        """Return the requests that make a record count; the last one does, in one step."""
        ...

    def read(self, client: Client) -> Record:
        """Read what is active; an empty record where nothing ever was.

        Raises:
            EngineError: The engine refuses, or has something else in this place.
        """
        ...

    def write(self, client: Client, record: Record) -> None:
        """Make a record count.

        Raises:
            EngineError: Somebody else has written since it was read, or the engine refuses.
        """
        ...


class Target(Protocol):
    """One kind of engine. Whatever it is asked stands in a `Request`, so that a dry run can print it."""

    engine: ClassVar[str]
    """Its name in deploy.yml."""
    exporter: ClassVar[str]
    """Registered name of the exporter whose folders it takes."""
    files: ClassVar[tuple[str, ...]]
    """Files that a folder must have."""
    facts: ClassVar[tuple[str, ...]]
    """Keys that a manifest must have, beside those that all have."""

    def name_of(self, package: Package) -> str:
        """Return the name of model and features in the engine: it follows the content."""
        ...

    def store_of(self, package: Package) -> str | None:
        """Return the feature store that was asked for by name; None where there is none."""
        ...

    def example_of(self, package: Package) -> dict[str, Any]:
        """Return the search that shows how to rerank."""
        ...

    def scorer_of(self, package: Package) -> ModelFiles:
        """Return what scores vectors from the files as the engine has to."""
        ...

    def records(self, options: DeployOptions, corpus: str) -> Records:
        """Return where it stands which ranker of a corpus is active."""
        ...

    def fit_requests(self, package: Package, index: str) -> list[Request]:
        """Return what is asked to see whether an engine fits."""
        ...

    def require_fitting(self, client: Client, package: Package, index: str) -> str:
        """Refuse an engine on which the ranker would not work, or score otherwise than it was proved to.

        Returns:
            The engine's version.

        Raises:
            EngineError: It is another product or version, lacks the module or the index.
        """
        ...

    def upload_requests(self, package: Package, index: str, query: str) -> list[Request]:
        """Return the requests that store features and model where nothing is yet."""
        ...

    def upload(self, client: Client, package: Package, index: str, query: str) -> None:
        """Store what a search needs; nothing uses it yet. What an earlier try has stored is left as it is.

        Args:
            client: Asks the engine.
            package: What to store.
            index: For whose documents.
            query: By which templates are tried first.

        Raises:
            EngineError: The engine refuses, or has another model under the name.
        """
        ...

    def remove(self, client: Client, entry: Mapping[str, Any]) -> None:
        """Delete a model and its features; what is not there any more is no fault.

        Args:
            client: Asks the engine.
            entry: `name`, `store` and `index` of a record's entry.
        """
        ...

    def rerank_request(self, example: Mapping[str, Any], asked: Asked) -> Request:
        """Make a search of a ranker's example."""
        ...

    def scores(self, body: Any) -> dict[str, float]:
        """Read documents and scores of an answer to `rerank_request`, in order; NaN for what is no number.

        Raises:
            EngineError: The answer is partial, or is none.
        """
        ...

    def log_request(self, package: Package, asked: Asked) -> Request:
        """Return the search that logs the features of the documents `asked.doc_ids`."""
        ...

    def logged(
        self, body: Any, package: Package, doc_ids: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Read an answer to `log_request`.

        Returns:
            Whether the engine has each document, shape (n_docs,); and values as trees see them, NaN where absent, shape
            (n_docs, n_features).

        Raises:
            EngineError: The answer is partial, or is none.
        """
        ...


def entry_of(package: Package, index: str) -> dict[str, Any]:
    """Return what finds a stored ranker again: name, store and index."""
    return {"name": package.name, "store": package.target.store_of(package), "index": index}
