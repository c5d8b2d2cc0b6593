"""Checks every parameter of the line before its first node, also those of stages that a run leaves out."""

from __future__ import annotations

import inspect
import re
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any, get_type_hints

from kedro.validation import ParameterValidator
from pydantic import BaseModel, TypeAdapter, ValidationError

from rankhammer import plugins
from rankhammer.errors import ConfigError, did_you_mean
from rankhammer.feature_sources.base import ChecksFeatures
from rankhammer.rankers.base import NeedsPackages
from rankhammer.validation_text import EXTRA, advice, closest, describe_fault, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

_PREFIX = "params:"
_FILE_OF = {"holdout": "parameters/run.yml"}
"""Single values that globals.yml does not hold."""
_GROUPS = re.compile(r"^- Parameter '([^']*)': ((?:.|\n(?!- Parameter '))*)", re.MULTILINE)
_INSTANTIATING = re.compile(r"^Failed to instantiate \w+ for parameter '[^']*': ")
_FAULTS = re.compile(r"^(?P<place>\S[^\n]*)\n  (?P<message>[^\n]*?) \[type=(?P<kind>\w+)[,\]]", re.MULTILINE)


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
    values = {name: _value(checked, name.removeprefix(_PREFIX)) for name in names}
    for node in whole.nodes:
        _check_single_values(node, values)
    _check_feature_set(values)
    _check_targets(values)
    return values


def _value(checked: dict[str, Any], path: str) -> Any:
    try:
        return reduce(getitem, path.split("."), checked)
    except (KeyError, TypeError):
        hint = "conf/base/parameters holds each with its meaning; an environment's file may have taken its place."
        raise ConfigError(f"Parameter {path!r} is missing.", hint=hint, name=path) from None


def describe_refusal(message: str, whole: Pipeline) -> ConfigError:
    """Say in plain words what Kedro tells of the models that refused their values.

    Args:
        message: The text of its ParameterValidationError: pydantic's own, values and web addresses included.
        whole: Every node of the project: their annotations know the keys.
    """
    faults, hints = list[str](), list[str]()
    for group, text in _GROUPS.findall(message):
        found = [(match["place"], match["kind"], match["message"]) for match in _FAULTS.finditer(text)]
        for place, kind, message in found:
            faults.append(plain(f"{group}.{place}", kind, message).rstrip("."))
            is_key = kind == EXTRA
            hints.append(
                closest(_model_of(f"{_PREFIX}{group}", whole), place.split(".")) if is_key else advice(message)
            )
        if not found:
            # An error of ours from within a model.
            message, _, hint = text.strip().partition("\nHint: ")
            faults.append(f"{group}: {_INSTANTIATING.sub('', message.splitlines()[0]).rstrip('.')}")
            hints.append(hint)
    known = "Correct conf/<env>/parameters; every key is described in conf/base."
    hint = " ".join([*list(filter(None, hints))[:1], known])
    return ConfigError(f"Parameters are wrong: {'; '.join(faults) or message.splitlines()[0]}.", hint=hint)


def _model_of(name: str, whole: Pipeline) -> Any:
    for node in whole.nodes:
        hints = get_type_hints(node.func)
        arguments = zip(node.inputs, inspect.signature(node.func).parameters, strict=False)
        found = next((hints[argument] for given, argument in arguments if given == name and argument in hints), None)
        if found is not None:
            return found
    return None


def _check_feature_set(values: Mapping[str, Any]) -> None:
    """Find out before the first node, not after an hour, that the source cannot compute a feature."""
    features, feature_set = values.get("params:features"), values.get("params:feature_set")
    if features is None or feature_set is None:
        return
    source = plugins.create("feature_sources", features.source)
    if isinstance(source, ChecksFeatures):
        source.check(feature_set)


def _check_targets(values: Mapping[str, Any]) -> None:
    """Find out before the first node that a target cannot load a ranker that training may choose.

    Raises:
        ConfigError: It takes trees alone, for example, and a candidate is linear.
    """
    training, export = values.get("params:training"), values.get("params:export")
    if training is None:
        return
    candidates = {one.name: plugins.create("rankers", one.ranker) for one in training.choice_of().every()}
    for one in candidates.values():
        if isinstance(one, NeedsPackages):
            one.require_training()
    for spec in export.targets if export else ():
        # A plugin of somebody else need not say what it takes, or is: then the export finds out.
        kinds: tuple[str, ...] = getattr(plugins.create("exporters", spec), "kinds", ())
        wrong = [name for name, one in candidates.items() if kinds and getattr(one, "kind", kinds[0]) not in kinds]
        if wrong:
            taken = kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} and {kinds[-1]}"
            raise ConfigError(
                f"Target {spec.name!r} takes {taken} alone, and training.ranker may be {wrong[0]!r}.",
                hint="Set training.ranker.name: xgboost, or export for targets that take it (docs/stages/export.md).",
                target=spec.name,
            )


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
                f"Parameter {parameter!r} is {values[name]!r}: {describe_fault(exc)}.",
                hint=f"Correct `{parameter}` in conf/<env>/{_FILE_OF.get(parameter, 'globals.yml')}.",
                name=parameter,
            ) from exc
