"""Which extras the nodes of a run need: those of the rankers that it may train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rankhammer import plugins
from rankhammer.pipelines.training.params import TrainingParams

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rankhammer.yarn.settings import ClusterSettings

_THEY_TRAIN = frozenset({"training", "ranker_report"})


def with_extras(
    settings: ClusterSettings, parameters: Mapping[str, Any], stages: Collection[str] = _THEY_TRAIN
) -> ClusterSettings:
    """Return the settings of a run with the extras that its nodes get.

    Args:
        settings: Of cluster.yml; what it says of extras stays.
        parameters: Of the project.
        stages: Of the run; where none of them trains a ranker, nodes need no extra.

    Raises:
        PluginError: A ranker is unknown.
        ConfigError: A ranker cannot be made on this machine.
    """
    if settings.python.extras is not None or not _THEY_TRAIN & frozenset(stages):
        return settings
    python = settings.python.model_copy(update={"extras": ranker_extras(parameters)})
    return settings.model_copy(update={"python": python})


def ranker_extras(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the extras of the rankers that parameters name, in order.

    Args:
        parameters: Of the project: models, or as they were written; what is wrong there is said elsewhere.

    Raises:
        PluginError: A ranker is unknown.
        ConfigError: A ranker cannot be made on this machine.
    """
    try:
        training = TrainingParams.model_validate(parameters.get("training"))
    except ValidationError:
        return ()
    rankers = [plugins.create("rankers", one.ranker) for one in training.choice_of().every()]
    return tuple(sorted({extra for one in rankers for extra in getattr(one, "extras", ())}))
