"""How well a click model foresees clicks on pages that it was not fitted on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.click_models.base import bounded_probability, log_likelihood
from rankhammer.click_models.sampling import corpus_sizes, for_each_corpus, sample_clusters
from rankhammer.click_models.sequences import add_up
from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from rankhammer.click_models.base import ClickModel, CountedSerps, Floats
    from rankhammer.click_models.counted import CountedCorpus

MAX_POSITIONS = 100
"""Deeper positions are not listed one by one, but count in the figures over all."""


def evaluate_held_out(
    models: Mapping[str, ClickModel], counted: DataFrame, *, test_share: float, max_serps: int, random_state: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Fit models on one part of every corpus' pages and measure them on the other.

    Args:
        models: Name to model.
        counted: `schemas.COUNTED_SERPS`, kept somewhere: it is read twice.
        test_share: Share of the pages to measure on, drawn page by page.
        max_serps: About how many pages of a corpus to use, by whole clusters: one task a model and corpus holds them.
        random_state: Another one gives another split.

    Returns:
        Corpus to model name to figures: those of `measure`, and what the fit on the other part found
        (parameters, n_iter, converged, share_converged).
    """
    sizes = [size for size in corpus_sizes(counted) if size["n_clicks"]]
    computes = {
        name: partial(_fit_and_measure, model, test_share=test_share, random_state=random_state)
        for name, model in models.items()
    }
    return for_each_corpus(sample_clusters(counted, sizes, max_serps), sizes, computes)


def best_model(measured: Mapping[str, Mapping[str, Mapping[str, Any]]], models: Mapping[str, ClickModel]) -> str:
    """Name the model with the lowest conditional perplexity on held-out pages, over the documents of all corpora.

    Args:
        measured: What `evaluate_held_out` returned.
        models: Name to model; those that say nothing of a document (`judges_documents` false) cannot be named.

    Raises:
        DataError: No model that judges documents was measured on any corpus.
    """
    bits: dict[str, float] = {}
    for figures in measured.values():
        for name, found in figures.items():
            if found and getattr(models[name], "judges_documents", True):
                n_documents = sum(found["positions"]["n"])
                bits[name] = bits.get(name, 0.0) + n_documents * float(np.log2(found["conditional_perplexity"]))
    if not bits:
        raise DataError(
            "No click model could be measured: no corpus has pages both to fit on and to measure on.",
            hint="Name a model in labeling.click_model.name instead of auto, or raise held_out.test_share.",
        )
    return min(bits, key=lambda name: (bits[name], name))


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


def _fit_and_measure(
    model: ClickModel, found: CountedCorpus, *, test_share: float, random_state: int
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
    return {
        **figures,
        "parameters": dict(shared.parameters),
        "n_iter": max(shared.n_iter, int(fitted.n_iter.max())),
        "converged": bool(shared.converged and fitted.converged.all()),
        "share_converged": round(float(fitted.converged.mean()), 6),
    }
