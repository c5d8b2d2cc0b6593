"""A feature set logged by the Learning to Rank plugin itself: many searches per request, each with an `sltr` filter.

The set is stored on the engine under a name that follows its content, with the very templates that an export stores, so
that the values are those that a deployed ranker will see: all of them, query lengths and expressions included.

References:
    Documentation of the Learning to Rank plugin, "Logging features scores".
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rankhammer.digests import content_name
from rankhammer.errors import ConfigError, EngineError, ExportError
from rankhammer.feature_sets.dialects.ltr_features import plugin_features, query_params, search_params
from rankhammer.feature_sets.values import finish
from rankhammer.feature_sources.remote.base import require_whole
from rankhammer.search_engines.answer import must_wait, reading
from rankhammer.search_engines.client import FIRST_PAUSE_S, LONGEST_PAUSE_S
from rankhammer.search_engines.feature_store import FeatureStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.feature_sets import FeatureSet
    from rankhammer.feature_sources.remote.base import FeatureSearch, Values
    from rankhammer.feature_sources.remote.concurrency_limit import Pace
    from rankhammer.feature_sources.remote.options import SearchOptions
    from rankhammer.search_engines.answer import Response
    from rankhammer.search_engines.client import Client

# One search of a request after the other: `max_in_flight` stays the number that the engine works on at once. Every
# member keeps its status: what filter_path leaves empty is dropped, and answers must stay in the questions' order.
_PATH = (
    "/_msearch?max_concurrent_searches=1&filter_path=responses.status,responses.error,responses.timed_out,"
    "responses._shards.failed,responses._shards.failures.reason,responses.hits.hits._id,"
    "responses.hits.hits.fields._ltrlog"
)
_OK = 200
_LOG, _NAMED = "log", "logged"


@dataclass(frozen=True)
class PluginLogging:
    """Logging by the plugin; see `of`.

    Args:
        options: Where the indices and fields are.
        feature_set: What to compute.
        features: The same in the plugin's terms.
        corpora: On whose indices the templates are tried before the set is stored.
        max_docs: Documents of one search at most.
    """

    options: SearchOptions
    feature_set: FeatureSet
    features: list[dict[str, Any]]
    corpora: tuple[str, ...]
    max_docs: int = 2000

    @classmethod
    def of(cls, options: SearchOptions, feature_set: FeatureSet, corpora: Sequence[str]) -> Self:
        """Write a feature set in the plugin's terms.

        Args:
            options: Where the indices and fields are.
            feature_set: What to compute, with the engine's names of the text fields.
            corpora: Whose documents will be asked for.

        Raises:
            ConfigError: The plugin cannot compute a feature the way it is declared.
        """
        try:
            features = plugin_features(feature_set)
        except ExportError as exc:
            raise ConfigError(f"logging: sltr. {exc.message}", hint=exc.hint) from exc
        return cls(options, feature_set, features, tuple(corpora))

    @property
    def max_searches(self) -> int:
        """Searches of one request at most."""
        return self.options.searches_per_request

    @property
    def name(self) -> str:
        """Name of the set on the engine: other features, another name."""
        return content_name("logging", self.features)

    @property
    def key(self) -> str:
        """See `base.FeatureLogging`."""
        given = self.options
        return "\n".join([given.url, given.index, given.store or "", "sltr", self.name, self.feature_set.version])

    def prepare(self, client: Client) -> None:
        """Store the feature set, tried on every corpus' index."""
        store = FeatureStore(client, self.options.store)
        store.open()
        params = query_params(self.feature_set)
        for corpus in self.corpora:
            validation = {"index": self.options.index_of(corpus), "params": params}
            store.put_features(self.name, {"featureset": {"features": self.features}, "validation": validation})

    def ask(self, client: Client, searches: Sequence[FeatureSearch], pace: Pace) -> list[Values]:
        """See `base.FeatureLogging`; searches that the engine had no time for are asked again, alone."""
        found: dict[int, Values] = {}
        waiting, pause, give_up = list(range(len(searches))), FIRST_PAUSE_S, _later(client)
        while True:
            members = self._ask([searches[n] for n in waiting], client, pace)
            values = [self._values(client, member, searches[n]) for member, n in zip(members, waiting, strict=True)]
            found |= {n: known for n, known in zip(waiting, values, strict=True) if known is not None}
            left = [n for n in waiting if n not in found]
            if not left:
                return [found[n] for n in range(len(searches))]
            if len(left) < len(waiting):
                pause, give_up = FIRST_PAUSE_S, _later(client)
            elif time.monotonic() + pause > give_up:
                raise _still_busy(client, next(member for member in members if _is_busy(member)))
            waiting = left
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _ask(self, searches: Sequence[FeatureSearch], client: Client, pace: Pace) -> list[dict[str, Any]]:
        lines = [part for search in searches for part in (self._header(search), self._body(search))]
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        with pace:
            answer = client.ask("POST", _PATH, text, on_busy=pace.refused)
            members = _members(answer, len(searches))
            if any(map(_is_busy, members)):
                pace.refused()
            else:
                pace.answered(answer.duration_s, sum(len(search.doc_ids) for search in searches))
        return members

    def _header(self, search: FeatureSearch) -> dict[str, Any]:
        return {"index": self.options.index_of(search.corpus)}

    def _body(self, search: FeatureSearch) -> dict[str, Any]:
        params = search_params(query_params(self.feature_set), search.query)
        return log_search(self.name, self.options.store, params, search.doc_ids)

    def _values(self, client: Client, member: dict[str, Any], search: FeatureSearch) -> Values | None:
        """Read one search's values; None where the engine was too busy for it."""
        if _is_busy(member):
            return None
        if member.get("status") != _OK:
            raise EngineError(
                f"The engine refuses a search of index {self.options.index_of(search.corpus)!r}: "
                f"{member.get('status')} {client.about(member).reason}",
                hint="Its own words say what to change; its log may say more.",
            )
        require_whole(member)
        with reading(f"A search of {client.server.url} for corpus {search.corpus!r}"):
            return read_log(member, self.feature_set, search.doc_ids)


def log_search(featureset: str, store: str | None, params: dict[str, Any], doc_ids: Sequence[str]) -> dict[str, Any]:
    """Write the search that logs a stored feature set for some documents.

    Args:
        featureset: Name of the set.
        store: Feature store that has it; None is the plugin's default store.
        params: What its templates need.
        doc_ids: `_id` of each document.
    """
    ranked: dict[str, Any] = {"_name": _NAMED, "featureset": featureset, "params": params}
    if store:
        ranked["store"] = store
    return {
        "size": len(doc_ids),
        "_source": False,
        "track_total_hits": False,
        "query": {"bool": {"filter": [{"ids": {"values": list(doc_ids)}}, {"sltr": ranked}]}},
        "ext": {"ltr_log": {"log_specs": [{"name": _LOG, "named_query": _NAMED}]}},
    }


def read_log(body: dict[str, Any], feature_set: FeatureSet, doc_ids: Sequence[str]) -> Values:
    """Read finished values of the documents of one search: absent ones as the features say.

    Args:
        body: The engine's answer to `log_search`.
        feature_set: What was asked.
        doc_ids: What was asked, each id once.

    Returns:
        Whether the engine has each document, shape (n_docs,); and float32 values, shape (n_docs, n_features).

    Raises:
        EngineError: A document came without its log.
    """
    known, logged = logged_values(body, feature_set.names, doc_ids)
    columns = [finish(feature, logged[:, number]) for number, feature in enumerate(feature_set.features)]
    return known, np.stack(columns, axis=1)


def logged_values(
    body: dict[str, Any], names: Sequence[str], doc_ids: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Read the values that the plugin logged for the documents of one search.

    Args:
        body: The engine's answer to `log_search`.
        names: Of the features.
        doc_ids: What was asked, each id once.

    Returns:
        Whether the engine has each document, shape (n_docs,); and values, NaN where absent, shape (n_docs, n_features).

    Raises:
        EngineError: A document came without its log.
    """
    row_of = {doc_id: row for row, doc_id in enumerate(doc_ids)}
    place = {name: number for number, name in enumerate(names)}
    known = np.zeros(len(doc_ids), bool)
    logged = np.full((len(doc_ids), len(place)), np.nan)
    for hit in body.get("hits", {}).get("hits", []):
        row = row_of[hit["_id"]]
        known[row] = True
        for entry in _log(hit):
            # No value: the feature's query does not match. What is not finite comes as a text such as "NaN".
            logged[row, place[entry["name"]]] = float(entry.get("value", "nan"))
    return known, logged


def _log(hit: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        entries: list[dict[str, Any]] = hit["fields"]["_ltrlog"][0][_LOG]
    except (KeyError, IndexError) as exc:
        raise EngineError(
            f"The engine found document {hit['_id']!r} but logged no features for it.",
            hint="See that every node of the cluster has the same version of the Learning to Rank plugin.",
        ) from exc
    return entries


def _members(answer: Response, n: int) -> list[dict[str, Any]]:
    members = answer.body.get("responses", []) if isinstance(answer.body, dict) else []
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise answer.unreadable("`responses` is no list of objects")
    if len(members) != n:
        raise EngineError(
            f"The engine was asked {n} searches at once and answered {len(members)}.",
            hint="Is there a proxy in between that changes requests? Set searches_per_request: 1 to see.",
        )
    return list(members)


def _is_busy(member: dict[str, Any]) -> bool:
    status = member.get("status")
    return isinstance(status, int) and must_wait(status, member)


def _later(client: Client) -> float:
    return time.monotonic() + client.server.patience_s


def _still_busy(client: Client, member: dict[str, Any]) -> EngineError:
    """Say what the last of all tries was answered; one of a part of the shards has no reason."""
    return EngineError(
        f"{client.server.url} was too busy for searches during {client.server.patience_s:g} s of asking: it answers "
        f"{member['status']} {client.about(member).reason}",
        hint="Lower max_in_flight or searches_per_request, or raise patience_s. Collecting continues from "
        "what it has kept in `progress`.",
    )
