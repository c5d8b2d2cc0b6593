"""Measures registered rankers again, beside the current one, and promotes those that are surely better."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rankhammer import processes
from rankhammer.errors import DataError
from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.evaluation.corpus_figures import corpus_figures
from rankhammer.evaluation.promotion import CHAMPION, corrected_confidence, rankers_tried, refusal
from rankhammer.exporters.publish import FEATURE_SET, by_corpus, read_ranker
from rankhammer.feature_sets import FeatureSet
from rankhammer.runs.execute import session_of_run
from rankhammer.runs.published_rankers import Published, require_other, switch
from rankhammer.runs.ranker_folders import is_folder, read_folder
from rankhammer.storage.ranker_history import PROMOTION
from rankhammer.training.rescoring import Measuring, measure, require_same_features

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.storage.ranker_history import RankerEntry

_MAX_RESAMPLES = 100_000
_MEASURED_ON = ("training_matrix", "ranker")


def evaluate(env: str | None, ranker: str, *, corpus: str | None = None, run: str | None = None) -> dict[str, Any]:
    """Measure a ranker, and the current one beside it, on the test queries of a run.

    Args:
        env: Kedro environment; None for the default one.
        ranker: Id, or its beginning, or `current`, or a folder with a ranker's own files.
        corpus: Whose; None where the ranker says it.
        run: Id of the run whose test queries count, where runs have ids; None for the newest.

    Returns:
        corpus, ranker, champion (ids; null where there is none), left_out (why the current ranker is not measured, or
        empty), metric, is_unseen (whether the queries are those that were held out from the ranker; null where
        nobody knows), and what `corpus_figures` returns.

    Raises:
        ConfigError: There is no such ranker, or a folder holds none.
        DataError: It cannot be read, or measured on these queries.
    """
    with _session(env, run) as project:
        published = Published.read(project.catalog["exported_model"])
        if is_folder(ranker):
            made, trained = read_folder(ranker, corpus)
            known = published.history.entries(trained.corpus)
            entry = next((one for one in known if one.ranker == made), None)
        else:
            entry = published.find(ranker, corpus)
            trained = _read(published, entry)
        rankers = {"ranker": trained}
        champion, left_out = _champion_beside(project, published, trained.corpus)
        if champion is not None and (entry is None or published.current.get(trained.corpus) != entry.ranker):
            rankers[CHAMPION] = champion
        figures = project.measure(rankers)
    held_out = (entry.evidence if entry else {}).get("test_queries")
    return {
        "corpus": trained.corpus,
        "ranker": entry.ranker if entry else None,
        "champion": published.current.get(trained.corpus),
        "left_out": left_out,
        "metric": project.metric,
        "is_unseen": None if held_out is None else held_out == figures["test_queries"],
        **figures,
    }


def promote(
    env: str | None, corpus: str, ranker: str | None = None, *, accepted: str | None = None, run: str | None = None
) -> dict[str, Any]:
    """Make a ranker current if it is surely better than the one that is; both are measured on the same test queries.

    What was found is added to the registry first, also where it is refused.

    Args:
        env: Kedro environment; None for the default one.
        corpus: Whose.
        ranker: Id, or its beginning; None for the newest.
        accepted: Why it is to be current even without a gain; None: it is not.
        run: Id of the run whose test queries count, where runs have ids; None for the newest.

    Returns:
        What was found: corpus, ranker, champion (id, or null), refusal (why it may not be current, empty where it may),
        is_promoted, reason, and, where it was measured, metric, truth, test_queries, n_tried, confidence and verdicts.

    Raises:
        ConfigError: There is no such ranker, or it is current.
        DataError: They cannot be compared and that is not accepted, or another user has published meanwhile.
    """
    with _session(env, run) as project:
        published = Published.read(project.catalog["exported_model"])
        published.require_corpus(corpus)
        entry = published.find(ranker, corpus) if ranker else published.history.entries(corpus)[-1]
        require_other(published, entry)
        about = {"corpus": corpus, "ranker": entry.ranker, "champion": published.current.get(corpus)}
        found = {**about, **_compared(project, published, entry, accepted)}
        is_promoted = not found["refusal"] or accepted is not None
        reason = accepted if found["refusal"] else None
        published.dataset.registry.add_comparison({**found, "at": processes.this_process()["since"]})
        if is_promoted:
            evidence = {name: value for name, value in found.items() if name not in about}
            switch(published, entry, how=PROMOTION, about={"reason": reason, "evidence": evidence})
        return {**found, "is_promoted": is_promoted, "reason": reason}


@dataclass(frozen=True)
class _Project:
    """A session's catalog, and how its training stage measures."""

    catalog: Any
    measuring: Measuring
    training: Any
    feature_set: FeatureSet

    @property
    def metric(self) -> str:
        return str(self.training.headline)

    def measure(self, rankers: Mapping[str, TrainedRanker], *, n_tried: int = 1) -> dict[str, Any]:
        """Measure rankers of one corpus; see `corpus_figures`.

        Raises:
            DataError: They have other features than the test queries, or there are none.
        """
        corpus = rankers["ranker"].corpus
        for system, trained in rankers.items():
            self.require_same_features(trained, "current ranker" if system == CHAMPION else "ranker")
        confidence = corrected_confidence(self.training.confidence, n_tried)
        n_resamples = max(self.training.n_resamples, min(_MAX_RESAMPLES, self.training.n_resamples * n_tried))
        bootstrap = replace(self.measuring.bootstrap, confidence=confidence, n_resamples=n_resamples)
        rows = measure(
            self.catalog.load("training_matrix"),
            self.catalog.load("reference_judgments"),
            rankers,
            corpus=corpus,
            measuring=replace(self.measuring, bootstrap=bootstrap),
        )
        return corpus_figures(rows, self.metric, replace(self.training.verdict_rule(), confidence=confidence))

    def require_same_features(self, trained: TrainedRanker, name: str) -> None:
        """Refuse a ranker whose features are other numbers than those of the test queries.

        Raises:
            DataError: They are.
        """
        files = by_corpus(self.catalog["ranker"].load_all()).get(trained.corpus, {})
        today = FeatureSet.model_validate_json(files[FEATURE_SET]) if FEATURE_SET in files else self.feature_set
        require_same_features(trained, today, name=f"The {name} of {trained.corpus!r}")


@contextmanager
def _session(env: str | None, run: str | None) -> Iterator[_Project]:
    session = session_of_run(env, run, lambda: _MEASURED_ON)
    with session:
        context = session.load_context()
        params, training = context.params, context.params["training"]
        bootstrap = Bootstrap(training.n_resamples, training.confidence, params["random_state"])
        measuring = Measuring(training.metrics, training.baseline_feature, params["language"], bootstrap)
        yield _Project(context.catalog, measuring, training, params["feature_set"])


def _compared(project: _Project, published: Published, entry: RankerEntry, accepted: str | None) -> dict[str, Any]:
    """Measure a ranker and the current one; where they cannot be compared and that is accepted, say why."""
    try:
        return _comparison(project, published, entry)
    except DataError as exc:
        if accepted is None:
            raise
        return {"refusal": exc.message.rstrip(".")}


def _comparison(project: _Project, published: Published, entry: RankerEntry) -> dict[str, Any]:
    champion = published.champion(entry.corpus)
    rankers = {"ranker": _read(published, entry)}
    if champion is not None:
        rankers[CHAMPION] = _read(published, champion)
    held_out = entry.evidence.get("test_queries")
    comparisons = published.history.comparisons(entry.corpus)
    current = champion.ranker if champion else None
    n_tried = rankers_tried(comparisons, champion=current, test_queries=held_out, ranker=entry.ranker)
    figures = project.measure(rankers, n_tried=n_tried)
    if held_out != figures["test_queries"]:
        raise DataError(
            f"Ranker {entry.ranker} of corpus {entry.corpus!r} was measured on other queries ({held_out or 'unknown'}) "
            f"than today's test queries ({figures['test_queries']}): it may have been trained on some of these.",
            hint="Promote a ranker of the run that made today's training matrix, or name that run by --run. Without a "
            f"comparison: `rankhammer promote {entry.corpus} {entry.ranker} --accept-without-gain REASON`.",
            ranker=entry.ranker,
        )
    return {
        "refusal": refusal(figures["verdicts"], has_champion=champion is not None),
        "metric": project.metric,
        "truth": figures["truth"],
        "test_queries": held_out,
        "n_tried": n_tried,
        "confidence": corrected_confidence(project.training.confidence, n_tried),
        "means": figures[project.metric],
        "verdicts": figures["verdicts"],
    }


def _champion_beside(project: _Project, published: Published, corpus: str) -> tuple[TrainedRanker | None, str]:
    """Return the current ranker, or None and why it cannot be measured beside another one."""
    try:
        champion = published.champion(corpus)
        if champion is None:
            return None, "nothing is current"
        trained = _read(published, champion)
        project.require_same_features(trained, "current ranker")
    except DataError as exc:
        return None, exc.message.rstrip(".")
    return trained, ""


def _read(published: Published, entry: RankerEntry) -> TrainedRanker:
    return read_ranker(entry.corpus, published.dataset.registry.read_trained(entry))
