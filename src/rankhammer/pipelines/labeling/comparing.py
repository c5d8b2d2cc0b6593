"""Which click models to measure side by side, and which of them labels the log."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rankhammer import click_models, plugins
from rankhammer.pipelines.labeling.params import AUTO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.click_models import ModelChoice
    from rankhammer.pipelines.labeling.params import HeldOutParams, LabelingParams
    from rankhammer.plugins import PluginSpec

logger = logging.getLogger(__name__)


def named_models(params: LabelingParams) -> dict[str, PluginSpec]:
    """Return the models to measure by name; the chosen one's own options come before those of its namesake."""
    chosen = [] if params.click_model.name == AUTO else [params.click_model]
    return {choice.name: choice for choice in (*params.held_out.models, *chosen)}


def measure(
    counted_serps: DataFrame,
    choices: Mapping[str, PluginSpec],
    params: HeldOutParams,
    random_state: int,
    sizes: Sequence[Mapping[str, Any]],
    *,
    with_labels: bool,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Measure models on pages that they were not fitted on; nothing when that is turned off."""
    if not params.enabled:
        return {}
    return click_models.evaluate_held_out(
        {name: plugins.create("click_models", choice) for name, choice in choices.items()},
        counted_serps,
        sizes=sizes,
        test_share=params.test_share,
        max_serps=params.max_serps,
        random_state=random_state,
        with_labels=with_labels,
    )


def scores_labels(params: LabelingParams) -> bool:
    """Say whether the choice needs to know how good the labels of each model are."""
    return params.click_model.name == AUTO and params.held_out.criterion == "labels"


def choose(
    params: LabelingParams,
    choices: Mapping[str, PluginSpec],
    measured: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> tuple[PluginSpec, dict[str, Any]]:
    """Return the model that labels the log, and why: the one that is named, or the best one that was measured."""
    name = params.click_model.name
    if name != AUTO:
        return choices[name], {"criterion": "named", "reason": "which labeling.click_model.name says."}
    models = {known: plugins.create("click_models", choice) for known, choice in choices.items()}
    found = click_models.choose_model(measured, models, params.held_out.criterion)
    reason = _reason(found)
    logger.info("labeling.click_model.name: auto takes %s, %s", found.chosen, reason)
    return choices[found.chosen], {**asdict(found), "reason": reason}


def without_label_scores(measured: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Leave out the sums that were needed for the choice alone."""
    return {
        corpus: {
            name: {key: value for key, value in figures.items() if key != "label_scores"}
            for name, figures in found.items()
        }
        for corpus, found in measured.items()
    }


def _reason(found: ModelChoice) -> str:
    """Say what `auto` optimised."""
    if found.criterion == "clicks":
        return (
            "which predicts held-out clicks best (conditional perplexity). The best prediction of clicks need not give "
            "the best labels: see docs/stages/labeling.md."
        )
    if found.chosen == found.default:
        return (
            "the first of held_out.models: no other one that predicts held-out clicks better (conditional perplexity) "
            "has labels that surely order held-out clicks better."
        )
    gain = found.label_gains[found.chosen]
    return (
        f"which predicts held-out clicks best (conditional perplexity) of {found.default} and the models whose labels "
        f"surely order held-out clicks better than those of {found.default}: by {gain.mean:.4f} of DCG, standard error "
        f"{gain.standard_error:.4f}."
    )
