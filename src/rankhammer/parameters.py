"""Checks every parameter of the line before its first node, also those of stages that a run leaves out."""

from __future__ import annotations

import inspect
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any, get_type_hints

from kedro.validation import ParameterValidator
from pydantic import BaseModel, TypeAdapter, ValidationError

from rankhammer import plugins
from rankhammer.engines.base import ChecksFeatures
from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

_PREFIX = "params:"


def check_parameters(given: dict[str, Any], whole: Pipeline, *, known: Iterable[str]) -> dict[str, Any]:
    """Return every `params:` input of a pipeline, checked and completed by the type that its node asks for.

    Kedro does that only for the models in the pipelines of a run; a default that is filled in for one run and not for
    the next must not make a hand-off stale.

    Args:
        given: The parameters as they stand in conf, plain values.
        whole: Every node whose parameters count.
        known: `params:` inputs that some node of the project reads.

    Returns:
        `params:` input to its value, a model where the node asks for one.

    Raises:
        ConfigError: A name is not known, a single value is not what its node asks for, or the feature source cannot
            compute the feature set.
        ParameterValidationError: A model refuses its values.
    """
    _require_known(given, {name.removeprefix(_PREFIX).partition(".")[0] for name in known})
    checked = ParameterValidator({"whole": whole}).validate_raw_params(given)
    names = _parameter_inputs(whole.inputs())
    values = {name: reduce(getitem, name.removeprefix(_PREFIX).split("."), checked) for name in names}
    for node in whole.nodes:
        _check_single_values(node, values)
    _check_feature_set(values)
    return values


def _check_feature_set(values: Mapping[str, Any]) -> None:
    """Find out before the first node, not after an hour, that the source cannot compute a feature."""
    features, feature_set = values.get("params:features"), values.get("params:feature_set")
    if features is None or feature_set is None:
        return
    source = plugins.create("feature_sources", features.source)
    if isinstance(source, ChecksFeatures):
        source.check(feature_set)


def _parameter_inputs(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if name.startswith(_PREFIX))


def _require_known(given: Mapping[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise ConfigError(
                f"No stage has parameters called {name!r}.",
                hint=f"{did_you_mean(name, known)} Correct conf/<env>/parameters.",
                name=name,
            )


def _check_single_values(node: Node, values: Mapping[str, Any]) -> None:
    """Check numbers and texts against the node's annotation, which Kedro does for models alone."""
    hints = get_type_hints(node.func, include_extras=True)
    for name, argument in zip(node.inputs, inspect.signature(node.func).parameters, strict=False):
        if name not in values or argument not in hints or isinstance(values[name], BaseModel):
            continue
        try:
            TypeAdapter(hints[argument]).validate_python(values[name], strict=True)
        except ValidationError as exc:
            parameter = name.removeprefix(_PREFIX)
            raise ConfigError(
                f"Parameter {parameter!r} is {values[name]!r}: {exc.errors()[0]['msg']}.",
                hint=f"Correct `{parameter}` in conf/<env>/globals.yml.",
                name=parameter,
            ) from exc
