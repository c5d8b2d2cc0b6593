"""The documents that `rankhammer rank` searches: kept in a file once they were prepared, or in Spark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rankhammer import plugins
from rankhammer.canonical_json import to_text
from rankhammer.corpora import folder_of
from rankhammer.datasets import InputDataset
from rankhammer.errors import ConfigError, DataError, did_you_mean
from rankhammer.evaluation.search_candidates import KeptCandidates, SparkCandidates, documents_of, no_documents
from rankhammer.feature_sources.base import KeepsDocuments
from rankhammer.fingerprints.node_code import code_digest
from rankhammer.storage.base import local_path
from rankhammer.storage.kept_files import KeptFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kedro.framework.context import KedroContext
    from pyspark.sql import DataFrame

    from rankhammer.evaluation.search_candidates import DocumentFinder
    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.feature_sources.base import FeatureSource

MOST_BYTES = 1 << 28
"""Documents whose files take more are searched in Spark each time: all of their fields pass this process' memory."""


@dataclass(frozen=True)
class _Wanted:
    """What is searched, and what is shown of it."""

    ranker: TrainedRanker
    source: FeatureSource
    title: str
    fields: Sequence[str]


def find(
    context: KedroContext, catalog: Any, ranker: TrainedRanker, fields: Sequence[str]
) -> tuple[DocumentFinder, tuple[str, ...]]:
    """Open the documents of a ranker's corpus.

    Local documents of a source that can keep them are prepared by Spark once, and read from a file of the intermediate
    folder as long as documents, feature set, options and code are the same.

    Args:
        context: Of the session.
        catalog: Its catalog; a context makes another one each time.
        ranker: The trained one.
        fields: Fields to show beside the title.

    Returns:
        (what finds them, fields to show: the title first where there is one).

    Raises:
        ConfigError: The documents lack a field.
        DataError: There are no documents.
    """
    params = context.params
    choice = params["features"].source
    wanted = _Wanted(ranker, plugins.create("feature_sources", choice), params["query_report"].title_field, fields)
    dataset: Any = catalog["documents"]
    if not _can_be_kept(context, dataset, wanted.source):
        documents = _load(dataset)
        shown = _shown(wanted, _fields(documents))
        mine = documents_of(ranker.corpus, documents, ranker.feature_set)
        return SparkCandidates(ranker.corpus, mine, wanted.source, ranker.feature_set), shown
    made_of = [
        *(ranker.corpus, ranker.feature_set.model_dump(mode="json"), plugins.options_of("feature_sources", choice)),
        dataset.fingerprint(),
        code_digest([documents_of.__module__, *(type(part).__module__ for part in (wanted.source, dataset))]),
    ]
    place = Path(context.project_path, _folder(context), "searched_documents", folder_of(ranker.corpus))
    return _kept(KeptFile(place, to_text(made_of)), wanted, dataset)


def _kept(file: KeptFile, wanted: _Wanted, dataset: InputDataset) -> tuple[DocumentFinder, tuple[str, ...]]:
    path, corpus, feature_set = file.find(), wanted.ranker.corpus, wanted.ranker.feature_set
    source: Any = wanted.source
    if path is None:
        documents = _load(dataset)
        mine = documents_of(corpus, documents, feature_set)
        content = source.keep(mine, feature_set=feature_set, fields=_fields(documents))
        if content is None:
            raise no_documents(corpus)
        file.write(content)
    else:
        content = pa.memory_map(str(path))
    kept = source.open_kept(content, feature_set)
    return KeptCandidates(kept, feature_set), _shown(wanted, kept.fields)


def _can_be_kept(context: KedroContext, dataset: Any, source: FeatureSource) -> bool:
    if not isinstance(source, KeepsDocuments) or not isinstance(dataset, InputDataset) or "://" in _folder(context):
        return False
    n_bytes = dataset.local_bytes
    return n_bytes is not None and n_bytes <= MOST_BYTES


def _folder(context: KedroContext) -> str:
    return local_path(str(context.config_loader["globals"]["paths"]["intermediate"]))


def _load(dataset: Any) -> DataFrame:
    documents: DataFrame | None = dataset.load()
    if documents is None:
        raise DataError("There are no documents to search.", hint="Set documents.path in globals.yml.")
    return documents


def _fields(documents: DataFrame) -> list[str]:
    return [name for name in documents.columns if name not in ("corpus", "doc_id")]


def _shown(wanted: _Wanted, known: Sequence[str]) -> tuple[str, ...]:
    for name in wanted.fields:
        if name not in known:
            raise ConfigError(f"The documents have no field {name!r}.", hint=did_you_mean(name, known), name=name)
    return tuple(name for name in dict.fromkeys([wanted.title, *wanted.fields]) if name in known)
