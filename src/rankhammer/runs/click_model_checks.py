"""Refuses click models that a log has too little, or too much, for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer import plugins
from rankhammer.click_models.weighted_clicks import require_no_measure, require_weights_used
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_INGESTION, _LABELING = "params:ingestion", "params:labeling"
_WITHOUT_POSITIONS = ("dctr", "gctr")
"""Click models to which a document's place on the page makes no difference."""


def require_positions(params: Mapping[str, Any]) -> None:
    """Refuse to learn from positions that a log does not know.

    Args:
        params: Entries of the catalog to checked parameters; without ingestion or labeling there is nothing to check.

    Raises:
        ConfigError: The reader knows clicks alone, and the click model is one of positions.
    """
    ingestion, labeling = params.get(_INGESTION), params.get(_LABELING)
    if ingestion is None or labeling is None or labeling.click_model.name in _WITHOUT_POSITIONS:
        return
    reader = ingestion.reader.name
    if not getattr(plugins.load("click_logs", reader), "has_impressions", True):
        raise ConfigError(
            f"A log that {reader} reads has no impressions, and labeling.click_model {labeling.click_model.name!r} "
            "learns from positions and from what was not clicked.",
            hint="Count clicks alone in conf/local/parameters/labeling.yml: "
            "`labeling: {click_model: {name: dctr}, held_out: {enabled: false}}`.",
        )


def require_weights(params: Mapping[str, Any]) -> None:
    """Refuse click models that would take weighted clicks for equal ones.

    Args:
        params: As for `require_positions`.

    Raises:
        ConfigError: The reader weighs clicks, and the click model has no use for that, or it would be measured.
    """
    ingestion, labeling = params.get(_INGESTION), params.get(_LABELING)
    if ingestion is None or labeling is None:
        return
    if getattr(plugins.create("click_logs", ingestion.reader), "weighs_clicks", False):
        name = labeling.click_model.name
        # `auto` has to measure, which is refused as well.
        if name in plugins.names("click_models"):
            require_weights_used(plugins.load("click_models", name), name)
        if labeling.held_out.enabled:
            require_no_measure()
