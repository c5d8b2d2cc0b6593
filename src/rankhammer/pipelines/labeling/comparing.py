"""Which click models to measure side by side, and which of them labels the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer import click_models, plugins
from rankhammer.pipelines.labeling.params import AUTO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from rankhammer.pipelines.labeling.params import HeldOutParams, LabelingParams
    from rankhammer.plugins import Choice


def named_models(params: LabelingParams) -> dict[str, Choice]:
    """Return the models to measure by name; the chosen one's own options come before those of its namesake."""
    chosen = [] if params.click_model.name == AUTO else [params.click_model]
    return {choice.name: choice for choice in (*params.held_out.models, *chosen)}


def measure(
    counted_serps: DataFrame, choices: Mapping[str, Choice], params: HeldOutParams, random_state: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Measure models on pages that they were not fitted on; nothing when that is turned off."""
    if not params.enabled:
        return {}
    return click_models.evaluate_held_out(
        {name: plugins.create("click_models", choice) for name, choice in choices.items()},
        counted_serps,
        test_share=params.test_share,
        max_serps=params.max_serps,
        random_state=random_state,
    )


def choose(name: str, choices: Mapping[str, Choice], measured: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Choice:
    """Return the model that labels the log: the one of that name, or the best one that was measured."""
    if name != AUTO:
        return choices[name]
    models = {known: plugins.create("click_models", choice) for known, choice in choices.items()}
    return choices[click_models.best_model(measured, models)]
