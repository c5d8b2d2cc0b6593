"""The parity gate's last word: an export's scores on a real engine against the booster's, and why they differ."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, ValidationError, field_validator

from rankhammer.deploy.base import ExportedRanker, SampleSearch, entry_of
from rankhammer.deploy.options import EngineCluster
from rankhammer.deploy.smoke_test import allowed_difference, reranked
from rankhammer.deploy.targets import target_for, target_named
from rankhammer.errors import ConfigError, EngineError, ExportError
from rankhammer.exporters.ir.with_missing_rule import RULES
from rankhammer.exporters.parity import NOT_ASKED, booster_scores, order_kept, total_of
from rankhammer.feature_sets.text_fields import check_pattern
from rankhammer.feature_sets.values import as_trained
from rankhammer.search_engines.answer import reading
from rankhammer.search_engines.client import connect
from rankhammer.search_engines.paths import index_name, require_index_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from rankhammer.deploy.base import EngineTarget
    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.parity_samples import Logged
    from rankhammer.exporters.parts import Part
    from rankhammer.exporters.targets.model_files import ParsedModel
    from rankhammer.search_engines.client import Client

_NAMED = 3
"""Changed features that a message names at most."""


def where_they_part(
    ranker: TrainedRanker,
    exported: ExportedRanker,
    logged: NDArray[np.float32],
    now: NDArray[np.float32],
    score: float,
    allowed: float,
) -> str:
    """Say in words what differs for one document.

    Args:
        ranker: The trained ranker.
        exported: Its export.
        logged: The document's features in training, shape (n_features,).
        now: Its features in the engine now, shape (n_features,).
        score: What the engine scores, without the constant.
        allowed: Difference that is none.

    Returns:
        Sentences that name the feature, and the tree's node where there are trees.
    """
    changed, parsed = _changed(ranker, logged, now), exported.scorer.parse(exported.files)
    rule = _rule(parsed, ranker, now, score, allowed)
    if rule is None and not changed:
        return "Its features are those that training logged, and no rule for absent features explains the score."
    used = rule or parsed.rule
    absent = f" It scores as where {RULES[used]}." if used != parsed.rule else ""
    where = ranker.form.first_difference(logged, _parts(parsed.under(used), ranker, now))
    return f"{changed}{absent} {where}".strip()


def _changed(ranker: TrainedRanker, logged: NDArray[np.float32], now: NDArray[np.float32]) -> str:
    same = (logged == now) | (np.isnan(logged) & np.isnan(now))
    apart = np.where(np.isnan(logged - now), np.inf, np.abs(logged - now))
    places = [place for place in np.argsort(-apart, kind="stable").tolist() if not same[place]]
    names = ranker.feature_set.names
    changes = [f"{names[place]!r} was {logged[place]:.9g} and is {now[place]:.9g} now" for place in places[:_NAMED]]
    more = f" ({len(places)} features have changed)" if len(places) > _NAMED else ""
    return f"Feature {', '.join(changes)}{more}." if changes else ""


def _rule(
    parsed: ParsedModel, ranker: TrainedRanker, now: NDArray[np.float32], score: float, allowed: float
) -> Absent | None:
    """Find the rule for absent features by which the export's files give the engine's score; its own comes first."""
    for rule in (parsed.rule, *(other for other in RULES if other != parsed.rule)):
        total = total_of(ranker.form.base, _parts(parsed.under(rule), ranker, now))
        if abs(total - score) <= allowed:
            return rule
    return None


def _parts(parsed: ParsedModel, ranker: TrainedRanker, row: NDArray[np.float32]) -> list[Part]:
    return parsed.trace(dict(zip(ranker.feature_set.names, row.tolist(), strict=True)))


_SUFFIX = "_parity"


class EngineOptions(EngineCluster):
    """Where the engine is that an export has to score right on."""

    index: str = Field(
        "{corpus}", min_length=1, description="index, collection or core of a corpus; {corpus} stands for its name"
    )

    @field_validator("index")
    @classmethod
    def _has_known_places(cls, pattern: str) -> str:
        return require_index_pattern(check_pattern(pattern, "corpus"))


@dataclass(frozen=True)
class EngineGate:
    """Loads an export into an engine for a moment, and has it score documents that training logged.

    Args:
        target: The kind of engine.
        options: Where it is.
    """

    target: EngineTarget
    options: EngineOptions

    def __call__(self, ranker: TrainedRanker, files: Mapping[str, bytes], logged: Logged) -> dict[str, Any] | str:
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
        exported = ExportedRanker("", files, self.target)
        if target_for(exported.manifest["target"]) is not self.target:
            return NOT_ASKED
        client = connect(self.options)
        index = index_name(self.options.index, ranker.corpus, solr=self.target.engine == "solr")
        version = self.target.require_fitting(client, exported, index)
        with _uploaded(client, exported.renamed(exported.name + _SUFFIX), index, logged.query[0]) as stored:
            seen = _ask(client, stored, index, logged)
        if not seen.known.any():
            raise EngineError(
                f"{client.server.url}: index {index!r} has none of the {len(logged.query)} documents that training "
                "logged.",
                hint="Set export.engine.options.index to the index whose documents the ranker was trained on.",
            )
        return {"name": self.target.engine, "version": version, **_compared(ranker, exported, logged, seen)}


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
def _uploaded(client: Client, exported: ExportedRanker, index: str, query: str) -> Iterator[ExportedRanker]:
    """Store an export, and delete it in any case: it is nobody's ranker."""
    entry = entry_of(exported, index)
    try:
        exported.target.upload(client, exported, index, query)
        yield exported
    except BaseException:
        with suppress(EngineError):
            exported.target.remove(client, entry)
        raise
    exported.target.remove(client, entry)


def _ask(client: Client, exported: ExportedRanker, index: str, logged: Logged) -> _Seen:
    n = len(logged.query)
    seen = _Seen(np.zeros(n, np.bool_), np.full(n, np.nan), np.full((n, len(exported.feature_names)), np.nan))
    for query in dict.fromkeys(logged.query):
        rows = np.array([row for row in range(n) if logged.query[row] == query])
        sample = SampleSearch(index, query, 0).of([logged.doc_id[row] for row in rows])
        log = exported.target.log_request(exported, sample).send(client)
        with reading(log.where):
            seen.known[rows], seen.values[rows] = exported.target.logged(log.body, exported, sample.doc_ids or ())
        rows = rows[seen.known[rows]]
        if len(rows):
            ids = [logged.doc_id[row] for row in rows]
            scores = reranked(client, exported.target, exported.example, sample.of(ids))
            seen.scores[rows] = [scores.get(doc_id, np.nan) for doc_id in ids]
    return seen


def _compared(ranker: TrainedRanker, exported: ExportedRanker, logged: Logged, seen: _Seen) -> dict[str, Any]:
    expected = booster_scores(ranker, logged.features)
    total = (expected + np.float32(exported.constant)).astype(np.float64)
    difference = np.where(seen.known, np.abs(seen.scores - total), 0.0)
    worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
    allowed = allowed_difference(exported)
    now = _now(ranker, exported, logged, seen)
    if not difference[worst] <= allowed:
        score = float(seen.scores[worst]) - exported.constant
        raise ExportError(
            f"Corpus {ranker.corpus!r}, target {exported.manifest['target']}: {exported.target.engine} scores document "
            f"{logged.doc_id[worst]!r} for {logged.query[worst]!r} {score:.9g} where the booster scores "
            f"{float(expected[worst]):.9g} (tolerance {allowed:.3g}). "
            f"{where_they_part(ranker, exported, logged.features[worst], now[worst], score, allowed)}",
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


def _now(ranker: TrainedRanker, exported: ExportedRanker, logged: Logged, seen: _Seen) -> NDArray[np.float32]:
    """Return the logged vectors with the values that the engine gives now; what it does not need stays."""
    now = logged.features.copy()
    values = as_trained(seen.values, exported.keep_absent)
    for place, name in enumerate(exported.feature_names):
        now[:, ranker.feature_set.names.index(name)] = values[:, place]
    return now
