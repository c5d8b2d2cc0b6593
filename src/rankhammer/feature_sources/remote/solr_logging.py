"""A feature set logged by Solr's Learning To Rank module: one search a query, its features in the answer.

The set is stored in each core under a name that follows its content, with the very features that an export stores, so
that the values are those that a deployed ranker will see: all of them, query lengths and expressions included.

References:
    Apache Solr Reference Guide 8.11, "Learning To Rank".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rankhammer.digests import content_name
from rankhammer.errors import ConfigError, EngineError, ExportError
from rankhammer.feature_sets import FieldValue
from rankhammer.feature_sets.dialects.solr_features import read_params, solr_features, solr_params
from rankhammer.feature_sets.values import finish
from rankhammer.search_engines.answer import reading
from rankhammer.search_engines.feature_store import SolrStore
from rankhammer.search_engines.paths import path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.feature_sets import FeatureSet
    from rankhammer.feature_sources.remote.base import FeatureSearch, Values
    from rankhammer.feature_sources.remote.concurrency_limit import Pace
    from rankhammer.feature_sources.remote.options import SolrOptions
    from rankhammer.search_engines.client import Client

_SEPARATOR = "\x1f"
"""Between ids: no id that people can type holds it."""


@dataclass(frozen=True)
class SolrLogging:
    """Logging by the module's `[features]`; see `of`.

    Args:
        options: Where the cores and fields are.
        feature_set: What to compute, with Solr's names of fields.
        features: The same in Solr's terms.
        corpora: In whose cores the set is stored.
        max_docs: Documents of one search at most.
        max_searches: Solr takes one search a request.
    """

    options: SolrOptions
    feature_set: FeatureSet
    features: list[dict[str, Any]]
    corpora: tuple[str, ...]
    max_docs: int = 1000
    max_searches: int = 1

    @classmethod
    def of(cls, options: SolrOptions, feature_set: FeatureSet, corpora: Sequence[str]) -> Self:
        """Write a feature set in Solr's terms.

        Args:
            options: Where the cores and fields are.
            feature_set: What to compute, with Solr's names of fields.
            corpora: Whose documents will be asked for.

        Raises:
            ConfigError: Solr cannot compute a feature the way it is declared.
        """
        for feature in feature_set.features:
            if isinstance(feature, FieldValue) and feature.absent == "keep":
                raise ConfigError(
                    f"Feature {feature.name!r}: Solr logs a number that a document does not have as the default.",
                    hint="Set absent: zero, and missing to what stands for it.",
                )
        try:
            features = solr_features(feature_set, quoted=options.quoted_keywords)
        except ExportError as exc:
            raise ConfigError(f"Solr: {exc.message}", hint=exc.hint) from exc
        return cls(options, feature_set, features, tuple(corpora))

    @property
    def name(self) -> str:
        """Name of the store in Solr: other features, another name."""
        return content_name("logging", self.features)

    @property
    def key(self) -> str:
        """See `base.FeatureLogging`."""
        return "\n".join([self.options.url, self.options.index, "solr", self.name, self.feature_set.version])

    def prepare(self, client: Client) -> None:
        """Store the features in every core that lacks them."""
        for corpus in self.corpora:
            SolrStore(client, self.options.index_of(corpus)).put_features(self.name, self.features)

    def ask(self, client: Client, searches: Sequence[FeatureSearch], pace: Pace) -> list[Values]:
        """See `base.FeatureLogging`."""
        return [self._ask(client, search, pace) for search in searches]

    def _ask(self, client: Client, search: FeatureSearch, pace: Pace) -> Values:
        with pace:
            where = path(self.options.index_of(search.corpus), "select")
            answer = client.ask("POST", where, self.body(search), on_busy=pace.refused)
            pace.answered(answer.duration_s, len(search.doc_ids))
        with reading(answer.where):
            return self.values(answer.body, search)

    def body(self, search: FeatureSearch) -> dict[str, Any]:
        """Write a search.

        Args:
            search: A query and documents.
        """
        names = read_params(self.features)
        return log_search(self.name, names, search.query, search.doc_ids, id_field=self.options.id_field)

    def values(self, body: Any, search: FeatureSearch) -> Values:
        """Read the values of the documents that were asked for.

        Args:
            body: Solr's answer.
            search: What was asked.

        Raises:
            EngineError: The answer is partial, or is none.
        """
        names = self.feature_set.names
        known, logged = logged_values(body, names, search.doc_ids, id_field=self.options.id_field)
        columns = [finish(feature, logged[:, n]) for n, feature in enumerate(self.feature_set.features)]
        return known, np.stack(columns, axis=1)


def log_search(
    store: str, names: Sequence[str], query: str, doc_ids: Sequence[str], *, id_field: str
) -> dict[str, Any]:
    """Write the search that logs stored features for some documents.

    Args:
        store: Name of the feature store.
        names: Of the parameters that its features read.
        query: As typed.
        doc_ids: Key of each document.
        id_field: The schema's unique key.
    """
    passed = "".join(f" efi.{name}=${name}" for name in names)
    return {
        "params": {
            "q": "*:*",
            **only_these(doc_ids, id_field),
            "fl": f"{id_field},values:[features store={store} format=sparse{passed}]",
            "rows": len(doc_ids),
            **solr_params(names, query),
        }
    }


def only_these(doc_ids: Sequence[str], id_field: str) -> dict[str, Any]:
    """Return the parameters that let a search see some documents alone, whatever characters their ids hold.

    None may be called `ids`: by it Solr's own shards ask each other, and everything else is then not looked at.
    """
    return {
        "fq": f"{{!terms f={id_field} separator=$separator v=$wanted}}",
        "separator": _SEPARATOR,
        "wanted": _SEPARATOR.join(doc_ids),
    }


def logged_values(
    body: Any, names: Sequence[str], doc_ids: Sequence[str], *, id_field: str
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Read the values that Solr logged for the documents of one search.

    Args:
        body: Solr's answer to `log_search`.
        names: Of the features.
        doc_ids: What was asked, each id once.
        id_field: The schema's unique key.

    Returns:
        Whether Solr has each document, shape (n_docs,); and values, NaN where absent, shape (n_docs, n_features).

    Raises:
        EngineError: The answer is partial, or is none.
    """
    require_whole_answer(body)
    place = {doc_id: number for number, doc_id in enumerate(doc_ids)}
    column = {name: number for number, name in enumerate(names)}
    known = np.zeros(len(doc_ids), bool)
    values = np.full((len(doc_ids), len(column)), np.nan)
    for found in body["response"]["docs"]:
        row = place[found[id_field]]
        known[row] = True
        for name, value in (pair.split("=") for pair in found["values"].split(",") if pair):
            # A store may hold more, such as logarithms that a neural ranker's model takes.
            if name in column:
                values[row, column[name]] = float(value)
    return known, values


def require_whole_answer(body: Any) -> None:
    """Refuse what looks like an answer to a search but leaves documents out.

    Raises:
        EngineError: The answer is partial, or is none.
    """
    if not isinstance(body, dict) or "response" not in body:
        raise EngineError("The answer is none of Solr's.", hint="Is `url` Solr's address, with /solr at its end?")
    header = body.get("responseHeader", {})
    if not isinstance(header, dict) or header.get("partialResults"):
        raise EngineError(
            "Solr answered for a part of its documents only.",
            hint="Values would be missing without a trace: raise timeAllowed, or look at the shards.",
        )
