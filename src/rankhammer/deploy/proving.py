"""The parity gate's last word: an export's scores on a real engine, held against the booster's."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, ValidationError, field_validator

from rankhammer.deploy.base import Asked, entry_of
from rankhammer.deploy.options import Cluster
from rankhammer.deploy.package import Package
from rankhammer.deploy.parting import where_they_part
from rankhammer.deploy.targets import target_for, target_named
from rankhammer.deploy.trying import allowed_difference, reranked
from rankhammer.engines.remote.client import connect
from rankhammer.errors import ConfigError, EngineError, ExportError
from rankhammer.exporters.parity import NOT_ASKED, booster_scores, order_kept
from rankhammer.feature_sets.text_fields import check_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from rankhammer.deploy.base import Target
    from rankhammer.engines.remote.client import Client
    from rankhammer.exporters.base import RankerFiles
    from rankhammer.exporters.vectors import Logged

_SUFFIX = "_parity"


class EngineOptions(Cluster):
    """Where the engine is that an export has to score right on."""

    index: str = Field(
        "{corpus}", min_length=1, description="index, collection or core of a corpus; {corpus} stands for its name"
    )

    @field_validator("index")
    @classmethod
    def _has_known_places(cls, pattern: str) -> str:
        return check_pattern(pattern, "corpus")


@dataclass(frozen=True)
class EngineGate:
    """Loads an export into an engine for a moment, and has it score documents that training logged.

    Args:
        target: The kind of engine.
        options: Where it is.
    """

    target: Target
    options: EngineOptions

    def __call__(self, ranker: RankerFiles, files: Mapping[str, bytes], logged: Logged) -> dict[str, Any] | str:
        """Compare an export with its booster.

        Args:
            ranker: The trained ranker.
            files: The export, its manifest included.
            logged: Queries and documents whose features training logged.

        Returns:
            JSON-able facts for parity.json; NOT_ASKED for an export that is for another kind of engine.

        Raises:
            EngineError: The engine is not there, does not fit, or refuses.
            ExportError: A score differs by more than the tolerance; query, document, feature and node are named.
        """
        package = Package("", files, self.target)
        if target_for(package.manifest["target"]) is not self.target:
            return NOT_ASKED
        client, index = connect(self.options), self.options.index.format(corpus=ranker.corpus)
        version = self.target.require_fitting(client, package, index)
        with _uploaded(client, package.renamed(package.name + _SUFFIX), index, logged.query[0]) as stored:
            seen = _ask(client, stored, index, logged)
        if not seen.known.any():
            raise EngineError(
                f"{client.server.url}: index {index!r} has none of the {len(logged.query)} documents that training "
                "logged.",
                hint="Set export.engine.options.index to the index whose documents the ranker was trained on.",
            )
        return {"name": self.target.engine, "version": version, **_compared(ranker, package, logged, seen)}


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the engine said of each logged pair: is it there, its score (NaN where not), its features now."""

    known: NDArray[np.bool_]
    scores: NDArray[np.float64]
    values: NDArray[np.float64]


def engine_gate(name: str, options: Mapping[str, Any]) -> EngineGate:
    """Check what `export.engine` says.

    Args:
        name: opensearch, elasticsearch or solr.
        options: Fields of `EngineOptions`.

    Raises:
        ConfigError: A name or a value is wrong.
    """
    target = target_named(name)
    try:
        return EngineGate(target, EngineOptions.model_validate(dict(options)))
    except ValidationError as exc:
        fault = exc.errors(include_input=False)[0]
        raise ConfigError(
            f"export.engine.options: {'.'.join(map(str, fault['loc']))}: {fault['msg']}.",
            hint=f"Its keys are {', '.join(EngineOptions.model_fields)}.",
        ) from None


@contextmanager
def _uploaded(client: Client, package: Package, index: str, query: str) -> Iterator[Package]:
    """Store an export, and delete it in any case: it is nobody's ranker."""
    entry = entry_of(package, index)
    try:
        package.target.upload(client, package, index, query)
        yield package
    except BaseException:
        with suppress(EngineError):
            package.target.remove(client, entry)
        raise
    package.target.remove(client, entry)


def _ask(client: Client, package: Package, index: str, logged: Logged) -> _Seen:
    n = len(logged.query)
    seen = _Seen(np.zeros(n, np.bool_), np.full(n, np.nan), np.full((n, len(package.feature_names)), np.nan))
    for query in dict.fromkeys(logged.query):
        rows = np.array([row for row in range(n) if logged.query[row] == query])
        asked = Asked(index, query, 0).of([logged.doc_id[row] for row in rows])
        body = package.target.log_request(package, asked).send(client).body
        seen.known[rows], seen.values[rows] = package.target.logged(body, package, asked.doc_ids or ())
        rows = rows[seen.known[rows]]
        if len(rows):
            ids = [logged.doc_id[row] for row in rows]
            scores = reranked(client, package.target, package.example, asked.of(ids))
            seen.scores[rows] = [scores.get(doc_id, np.nan) for doc_id in ids]
    return seen


def _compared(ranker: RankerFiles, package: Package, logged: Logged, seen: _Seen) -> dict[str, Any]:
    expected = booster_scores(ranker, logged.features)
    total = (expected + np.float32(package.constant)).astype(np.float64)
    difference = np.where(seen.known, np.abs(seen.scores - total), 0.0)
    worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
    allowed = allowed_difference(package)
    now = _now(ranker, package, logged, seen)
    if not difference[worst] <= allowed:
        score = float(seen.scores[worst]) - package.constant
        raise ExportError(
            f"Corpus {ranker.corpus!r}, target {package.manifest['target']}: {package.target.engine} scores document "
            f"{logged.doc_id[worst]!r} for {logged.query[worst]!r} {score:.9g} where the booster scores "
            f"{float(expected[worst]):.9g} (tolerance {allowed:.3g}). "
            f"{where_they_part(ranker, package, logged.features[worst], now[worst], score, allowed)}",
            hint="Nothing was published for this corpus. If documents have changed, collect features and train again.",
            corpus=ranker.corpus,
        )
    known = seen.known
    moved = np.abs(np.nan_to_num(now) - np.nan_to_num(logged.features))[known]
    return {
        "n_pairs": int(known.sum()),
        "n_gone": int((~known).sum()),
        "max_abs_difference": float(difference.max()),
        "max_feature_difference": float(moved.max(initial=0.0)),
        "order_kept": order_kept(expected[known].astype(np.float64), seen.scores[known], logged.group[known]),
        "tolerance": allowed,
        "passed": True,
    }


def _now(ranker: RankerFiles, package: Package, logged: Logged, seen: _Seen) -> NDArray[np.float32]:
    """Return the logged vectors with the values that the engine gives now; what it does not need stays."""
    now = logged.features.copy()
    for place, name in enumerate(package.feature_names):
        values = seen.values[:, place].astype(np.float32)
        if name not in ranker.keep_absent:
            values = np.nan_to_num(values, nan=0.0)
        now[:, ranker.feature_set.names.index(name)] = values
    return now
