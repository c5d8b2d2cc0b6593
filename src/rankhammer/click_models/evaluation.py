"""How well a click model foresees clicks on pages that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rankhammer import progress
from rankhammer.click_models.base import bounded_probability, log_likelihood
from rankhammer.click_models.counts.sequences import add_up
from rankhammer.click_models.label_scores import LabelGain, label_gain, score_labels
from rankhammer.click_models.sampling import for_each_corpus, sample_clusters
from rankhammer.click_models.weighted_clicks import GAINS, require_no_measure
from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.click_models.base import ClickModel, CountedSerps
    from rankhammer.click_models.counts.pattern_reader import CountedCorpus
    from rankhammer.click_models.types import Floats

Criterion = Literal["labels", "clicks"]
"""How `choose_model` chooses."""

N_LABEL_SPLITS = 4
"""Labels are scored on so many splits: on a thin log, one says too little."""

MAX_POSITIONS = 100
"""Deeper positions are not listed one by one, but count in the figures over all."""


def evaluate_held_out(
    models: Mapping[str, ClickModel],
    counted: DataFrame,
    *,
    sizes: Sequence[Mapping[str, Any]],
    test_share: float,
    max_serps: int,
    random_state: int,
    with_labels: bool = False,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Fit models on one part of every corpus' pages and measure them on the other.

    Args:
        models: Name to model.
        counted: `schemas.COUNTED_SERPS`.
        sizes: What `sampling.corpus_sizes` says of it.
        test_share: Share of the pages to measure on, drawn page by page.
        max_serps: About how many pages of a corpus to use, by whole clusters: one task per model and corpus holds them.
        random_state: Another one gives another split.
        with_labels: Also score the labels, as `choose_model` needs it; that takes N_LABEL_SPLITS further fits.

    Returns:
        Corpus to model name to figures: those of `measure`, what the fit on the other part found (parameters, n_iter,
        converged, share_converged), and with labels `label_scores`, what `score_labels` says.
    """
    if GAINS in counted.columns:
        require_no_measure()
    clicked = [size for size in sizes if size["n_clicks"]]
    progress.tell(f"measuring {len(models)} click models" if len(models) > 1 else "measuring a click model")
    computes = {
        name: partial(
            _fit_and_measure, model, test_share=test_share, random_state=random_state, with_labels=with_labels
        )
        for name, model in models.items()
    }
    return for_each_corpus(sample_clusters(counted, clicked, max_serps), clicked, computes)


@dataclass(frozen=True)
class ModelChoice:
    """Which model `auto` takes, and why.

    Args:
        criterion: See `choose_model`.
        default: The first model that judges documents.
        chosen: The model that labels the log.
        label_gains: Name to how much better the labels of a model are than those of the default one; empty with the
            criterion "clicks".
    """

    criterion: Criterion
    default: str
    chosen: str
    label_gains: Mapping[str, LabelGain]


def choose_model(
    measured: Mapping[str, Mapping[str, Mapping[str, Any]]], models: Mapping[str, ClickModel], criterion: Criterion
) -> ModelChoice:
    """Name the model that is to label the log.

    - clicks: the one with the lowest conditional perplexity on held-out pages, over the documents of all corpora.
    - labels: the same among the first model and those whose labels surely order held-out clicks better than its own.

    Args:
        measured: What `evaluate_held_out` returned; with labels for the criterion "labels".
        models: Name to model, the default one first; those that say nothing of a document (`judges_documents` false)
            cannot be named.
        criterion: "labels" or "clicks".

    Raises:
        DataError: No model that judges documents was measured on any corpus.
    """
    corpora = [found for found in measured.values() if all(found.values())]
    judging = [name for name, model in models.items() if getattr(model, "judges_documents", True)]
    if not corpora or not judging:
        raise DataError(
            "No click model could be measured: no corpus has pages both to fit on and to measure on.",
            hint="Name a model in labeling.click_model.name instead of auto, or raise held_out.test_share.",
        )
    gains = _label_gains(corpora, judging) if criterion == "labels" else {}
    allowed = [name for name in judging if name == judging[0] or not gains or gains[name].is_sure]
    chosen = min(allowed, key=lambda name: (_bits([found[name] for found in corpora]), name))
    return ModelChoice(criterion, judging[0], chosen, gains)


def _label_gains(corpora: Sequence[Mapping[str, Mapping[str, Any]]], judging: Sequence[str]) -> dict[str, LabelGain]:
    scores = {name: [found[name]["label_scores"] for found in corpora] for name in judging}
    return {name: label_gain(scores[name], scores[judging[0]]) for name in judging[1:]}


def _bits(figures: Sequence[Mapping[str, Any]]) -> float:
    n = [float(sum(found["positions"]["n"])) for found in figures]
    bits = np.log2([found["conditional_perplexity"] for found in figures])
    return float(n @ bits)


def split(serps: CountedSerps, *, test_share: float, random_state: int) -> tuple[CountedSerps, CountedSerps]:
    """Draw for each time that a page was seen whether it is to fit on or to measure on.

    Args:
        serps: Pages in an order that depends on their content alone, or the draw would depend on the log's order.
        test_share: Probability of the second part.
        random_state: Seed.

    Returns:
        (pages to fit on, pages to measure on), over the same pairs.
    """
    drawn = np.random.default_rng(random_state).binomial(serps.weight.astype(np.int64), test_share)
    train, test = (replace(serps, weight=weight) for weight in (serps.weight - drawn, drawn.astype(np.float64)))
    return train.select(train.weight > 0), test.select(test.weight > 0)


def measure(serps: CountedSerps, conditional: Floats, marginal: Floats) -> dict[str, Any]:
    """Compare predicted with seen clicks.

    Perplexity is 2 to the power of minus the mean log2-probability of what happened at a position: 1 is perfect
    foresight, 2 a coin. Over all positions it is the mean, weighted by the documents shown there.

    Args:
        serps: Pages with their clicks.
        conditional: P(C_r = 1 | C_<r) of every cell.
        marginal: P(C_r = 1) of every cell.

    Returns:
        n_serps, log_likelihood per document, perplexity, conditional_perplexity, and `positions`: for each the
        documents shown (n), click_through seen and predicted, and both perplexities.
    """
    deepest = int(serps.length.max())
    n = add_up(serps.position - 1, serps.cell_weight, deepest)
    perplexity, conditional_perplexity = (_perplexity(serps, p, n) for p in (marginal, conditional))
    seen = add_up(serps.position - 1, serps.cell_weight * serps.clicked, deepest) / n
    predicted = add_up(serps.position - 1, serps.cell_weight * marginal, deepest) / n
    columns = {
        "n": n,
        "click_through": seen,
        "predicted_click_through": predicted,
        "perplexity": perplexity,
        "conditional_perplexity": conditional_perplexity,
    }
    return {
        "n_serps": int(serps.weight.sum()),
        "log_likelihood": round(log_likelihood(serps, conditional), 9),
        "perplexity": round(float((perplexity * n).sum() / n.sum()), 9),
        "conditional_perplexity": round(float((conditional_perplexity * n).sum() / n.sum()), 9),
        "positions": {name: [round(float(v), 9) for v in found[:MAX_POSITIONS]] for name, found in columns.items()},
    }


def _perplexity(serps: CountedSerps, probability: Floats, n: Floats) -> Floats:
    bounded = bounded_probability(probability)
    bits = np.log2(np.where(serps.clicked, bounded, 1 - bounded)) * serps.cell_weight
    return np.exp2(-add_up(serps.position - 1, bits, len(n)) / n)


def label_splits(
    serps: CountedSerps, *, test_share: float, random_state: int
) -> Iterator[tuple[CountedSerps, CountedSerps]]:
    """Yield N_LABEL_SPLITS splits, drawn one without regard to the other; see `split`."""
    for number in range(N_LABEL_SPLITS):
        yield split(serps, test_share=test_share, random_state=random_state + number)


def _fit_and_measure(
    model: ClickModel, found: CountedCorpus, *, test_share: float, random_state: int, with_labels: bool
) -> dict[str, Any]:
    train, test = split(found.serps, test_share=test_share, random_state=random_state)
    if not len(train.length) or not len(test.length):
        return {}
    shared = model.fit_corpus(train)
    fitted = model.fit(train, shared)
    figures = measure(
        test,
        model.predict_conditional_clicks(test, fitted.parameters, shared),
        model.predict_clicks(test, fitted.parameters, shared),
    )
    if with_labels:
        splits = label_splits(found.serps, test_share=test_share, random_state=random_state)
        figures["label_scores"] = score_labels(model, splits, random_state)
    return {
        **figures,
        "parameters": dict(shared.parameters),
        "n_iter": max(shared.n_iter, int(fitted.n_iter.max())),
        "converged": bool(shared.converged and fitted.converged.all()),
        "share_converged": round(float(fitted.converged.mean()), 6),
    }
