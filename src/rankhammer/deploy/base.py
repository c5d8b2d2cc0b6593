"""What a kind of engine does so that rankers can be deployed to it, and the rankers that it is given."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from rankhammer.exporters.publish import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.deploy.active_ranker import ActiveRanker
    from rankhammer.deploy.options import DeployOptions
    from rankhammer.deploy.requests import EngineRequest
    from rankhammer.exporters.targets.model_files import ModelFiles
    from rankhammer.search_engines.client import Client


@dataclass(frozen=True)
class SampleSearch:
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

    def of(self, doc_ids: Sequence[str]) -> SampleSearch:
        """Return the same search for some documents alone."""
        return replace(self, doc_ids=tuple(doc_ids), n_documents=len(doc_ids))


class ActiveRankerStore(Protocol):
    """Where an engine keeps which ranker of one corpus is active."""

    def read_request(self) -> EngineRequest:
        """Return the request that reads it."""
        ...

    def write_requests(self, active: ActiveRanker) -> list[EngineRequest]:
        """Return the requests that make a record count; the last one does, in one step."""
        ...

    def read(self, client: Client) -> ActiveRanker:
        """Read what is active; an empty record where nothing ever was.

        Raises:
            EngineError: The engine refuses, or has something else in this place.
        """
        ...

    def write(self, client: Client, active: ActiveRanker) -> None:
        """Make a record count.

        Raises:
            EngineError: Another user has written since it was read, or the engine refuses.
        """
        ...


class EngineTarget(Protocol):
    """One kind of engine. Whatever it is asked stands in a `EngineRequest`, so that a dry run can print it."""

    engine: ClassVar[str]
    """Its name in deploy.yml."""
    exporter: ClassVar[str]
    """Registered name of the exporter whose folders it takes."""
    files: ClassVar[tuple[str, ...]]
    """Files that a folder must have."""
    facts: ClassVar[tuple[str, ...]]
    """Keys that a manifest must have, beside those that all have."""

    def name_of(self, exported: ExportedRanker) -> str:
        """Return the name of model and features in the engine: it follows the content."""
        ...

    def store_of(self, exported: ExportedRanker) -> str | None:
        """Return the feature store that was asked for by name; None where there is none."""
        ...

    def example_of(self, exported: ExportedRanker) -> dict[str, Any]:
        """Return the search that shows how to rerank."""
        ...

    def scorer_of(self, exported: ExportedRanker) -> ModelFiles[Any]:
        """Return what scores vectors from the files as the engine has to."""
        ...

    def store(self, options: DeployOptions, corpus: str) -> ActiveRankerStore:
        """Return where it stands which ranker of a corpus is active."""
        ...

    def fit_requests(self, exported: ExportedRanker, index: str) -> list[EngineRequest]:
        """Return what is asked to see whether an engine fits."""
        ...

    def require_fitting(self, client: Client, exported: ExportedRanker, index: str) -> str:
        """Refuse an engine on which the ranker would not work, or score differently from it was proved to.

        Returns:
            The engine's version.

        Raises:
            EngineError: It is another product or version, lacks the module or the index.
        """
        ...

    def upload_requests(self, exported: ExportedRanker, index: str, query: str) -> list[EngineRequest]:
        """Return the requests that store features and model where nothing is yet."""
        ...

    def upload(self, client: Client, exported: ExportedRanker, index: str, query: str) -> None:
        """Store what a search needs; nothing uses it yet. What an earlier try has stored is left as it is.

        Args:
            client: Asks the engine.
            exported: What to store.
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

    def rerank_request(self, example: Mapping[str, Any], sample: SampleSearch) -> EngineRequest:
        """Make a search of a ranker's example."""
        ...

    def scores(self, body: Any) -> dict[str, float]:
        """Read documents and scores of an answer to `rerank_request`, in order; NaN for what is no number.

        Raises:
            EngineError: The answer is partial, or is none.
        """
        ...

    def log_request(self, exported: ExportedRanker, sample: SampleSearch) -> EngineRequest:
        """Return the search that logs the features of the documents `sample.doc_ids`."""
        ...

    def logged(
        self, body: Any, exported: ExportedRanker, doc_ids: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Read an answer to `log_request`.

        Returns:
            Whether the engine has each document, shape (n_docs,); and values as trees see them, NaN where absent, shape
            (n_docs, n_features).

        Raises:
            EngineError: The answer is partial, or is none.
        """
        ...


@dataclass(frozen=True)
class ExportedRanker:
    """One corpus' ranker for an engine.

    Args:
        folder: Where it was read.
        files: File name to content.
        target: The kind of engine that it is for.
    """

    folder: str
    files: Mapping[str, bytes]
    target: EngineTarget

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the export says of it."""
        return dict(self.json(MANIFEST))

    @cached_property
    def name(self) -> str:
        """Name of model and features on an engine: it follows the content."""
        return self.target.name_of(self)

    @cached_property
    def example(self) -> dict[str, Any]:
        """The search that shows how to rerank with it."""
        return self.target.example_of(self)

    @cached_property
    def scorer(self) -> ModelFiles[Any]:
        """Scores vectors from the files as the engine has to."""
        return self.target.scorer_of(self)

    @property
    def corpus(self) -> str:
        """Whose ranker it is."""
        return str(self.manifest["corpus"])

    @property
    def constant(self) -> float:
        """What the writer added to every score."""
        return float(self.manifest.get("constant", 0.0))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the engine's order."""
        return tuple(self.manifest["features"])

    @property
    def keep_absent(self) -> NDArray[np.bool_]:
        """Whether each feature may be absent, shape (n_features,); what is not finite is 0 for the others."""
        import numpy as np

        kept = self.manifest["keep_absent"]
        return np.array([name in kept for name in self.feature_names], np.bool_)

    def renamed(self, name: str) -> ExportedRanker:
        """Return the same ranker under another name on the engine."""
        old, new = self.name.encode(), name.encode()
        return replace(self, files={file: content.replace(old, new) for file, content in self.files.items()})

    def json(self, name: str) -> Any:
        """Return a file's content."""
        return json.loads(self.files[name])


def entry_of(exported: ExportedRanker, index: str) -> dict[str, Any]:
    """Return what finds a stored ranker again: name, store and index."""
    return {"name": exported.name, "store": exported.target.store_of(exported), "index": index}
