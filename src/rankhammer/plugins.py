"""One registry for everything that can be swapped: built-ins and entry points are loaded by the same code."""

from __future__ import annotations

import functools
import os
import re
import sys
from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from rankhammer.built_in import BUILT_IN
from rankhammer.errors import PluginError, did_you_mean
from rankhammer.plugin_loading import BrokenPluginError, contained, import_class, summary_of
from rankhammer.strict_model import StrictModel
from rankhammer.validation_text import describe_fault, hint_for

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = ("click_logs", "click_models", "feature_sources", "rankers", "exporters", "judgment_exporters")
LOAD_PLUGINS = "RANKHAMMER_LOAD_PLUGINS"
"""Variable: packages, with commas between them, whose plugins are loaded; empty for none, not set for all."""

_OWN = "rankhammer"


class PluginSpec(StrictModel):
    """A strategy named in the parameters: a registered short name, and options of its own.

    Args:
        name: The plugin's registered name.
        options: Checked against the plugin's own options model.
    """

    name: str = Field(description="registered name of the plugin")
    options: dict[str, Any] = Field(default_factory=dict, description="options of this plugin alone")


def of_group(group: str, *others: str) -> AfterValidator:
    """Check a `PluginSpec` field against a plugin group when parameters are read: a typo stops a run before any node.

    Args:
        group: One of GROUPS.
        others: Names that stand for something else than a plugin.

    Returns:
        For use in `Annotated[PluginSpec, of_group("click_models")]`; the field raises PluginError as `create` does.
    """

    def check(choice: PluginSpec) -> PluginSpec:
        if choice.name not in others:
            create(group, choice)
        return choice

    return AfterValidator(check)


@dataclass(frozen=True)
class PluginInfo:
    """One registered plugin, loadable or not.

    Args:
        group: One of GROUPS.
        name: Registered name.
        distribution: The package that provides it.
        version: That package's version.
        summary: First line of the class's docstring; empty when it cannot be loaded.
        error: Why it cannot be loaded; empty when it can.
    """

    group: str
    name: str
    distribution: str
    version: str
    summary: str = ""
    error: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a registered plugin comes from.

    Args:
        group: One of GROUPS.
        name: Registered name.
        target: Its class, as `module:Class`.
        distribution: The package that provides it.
        version: That package's version.
    """

    group: str
    name: str
    target: str
    distribution: str
    version: str

    @property
    def module(self) -> str:
        """The module that holds its class."""
        return self.target.partition(":")[0]


@dataclass(frozen=True)
class _Registration:
    point: metadata.EntryPoint
    distribution: str
    version: str
    taken_by: str = ""
    """Whose plugin bears the name already; empty for the one that counts."""

    @property
    def provider(self) -> str:
        return f"{self.distribution} {self.version}"


def create(group: str, choice: PluginSpec) -> Any:
    """Load a plugin, check its options and make it.

    Args:
        group: One of GROUPS.
        choice: The plugin's name and options.

    Returns:
        An instance of the plugin's class.

    Raises:
        PluginError: The name is unknown, the plugin cannot be imported, or an option is wrong.
    """
    found = _registration(group, choice.name)
    plugin = _import(group, found)
    try:
        with contained():
            return plugin(_options(group, choice, plugin))
    except BrokenPluginError as exc:
        if found.distribution == _OWN and exc.__cause__ is not None:
            raise exc.__cause__ from None
        raise _broken(group, found, str(exc)) from exc


def options_of(group: str, choice: PluginSpec) -> dict[str, Any]:
    """Return a plugin's options with their values, defaults included.

    Args:
        group: One of GROUPS.
        choice: The plugin's name and options.

    Raises:
        PluginError: As for `create`.
    """
    return _options(group, choice, load(group, choice.name)).model_dump()


def _options(group: str, choice: PluginSpec, plugin: Any) -> BaseModel:
    try:
        options: BaseModel = plugin.Options.model_validate(choice.options)
    except ValidationError as exc:
        # Not from `exc`: its text quotes the values, and one may be a secret.
        known = f"Its options are: {', '.join(plugin.Options.model_fields) or 'none'}."
        raise PluginError(
            f"Options of {group} plugin {choice.name!r} are wrong: {describe_fault(exc)}.",
            hint=f"{hint_for(exc, plugin.Options)} {known}".strip(),
            group=group,
            name=choice.name,
        ) from None
    return options


def load(group: str, name: str) -> Any:
    """Import one plugin's class.

    Raises:
        PluginError: The name is unknown (with the closest one), or the import fails (with who provides it).
    """
    return _import(group, _registration(group, name))


def names(group: str) -> list[str]:
    """Return the registered names of a group, in order."""
    return [found.point.name for found in _counting(group)]


def origins() -> list[Origin]:
    """Tell where every registered plugin comes from; none is imported."""
    return [
        Origin(group, found.point.name, found.point.value, found.distribution, found.version)
        for group in GROUPS
        for found in _counting(group)
    ]


def installed() -> list[PluginInfo]:
    """List every registered plugin; a broken one is listed with its error and hides no other."""
    return [_inspect(group, found) for group in GROUPS for found in _registrations(group)]


def _registration(group: str, name: str) -> _Registration:
    known = {found.point.name: found for found in _counting(group)}
    if name not in known:
        chosen = os.environ.get(LOAD_PLUGINS)
        left_out = "" if chosen is None else f" {LOAD_PLUGINS} is {chosen!r}: other packages' plugins are left out."
        hint = f"{did_you_mean(name, known)}{left_out}"
        raise PluginError(f"Unknown {group} plugin {name!r}.", hint=hint, group=group, name=name)
    return known[name]


def _counting(group: str) -> Iterator[_Registration]:
    """Yield the registrations that count: one a name."""
    return (found for found in _registrations(group) if not found.taken_by)


def _registrations(group: str) -> Iterator[_Registration]:
    """Built-ins first, then entry points, in the order of names and packages: the first of a name wins."""
    if group not in GROUPS:
        raise PluginError(f"Unknown plugin group {group!r}.", hint=did_you_mean(group, GROUPS), group=group)
    from rankhammer import __version__

    full_group = f"rankhammer.{group}"
    seen: dict[str, _Registration] = {}
    for name, target in BUILT_IN[group].items():
        seen[name] = _Registration(metadata.EntryPoint(name, target, full_group), _OWN, __version__)
        yield seen[name]
    points = _entry_points(tuple(map(_folder_state, sys.path))).select(group=full_group)
    others = filter(_is_wanted, map(_of_package, points))
    for one in sorted(others, key=lambda one: (one.point.name, one.distribution, one.point.value)):
        first = seen.setdefault(one.point.name, one)
        if first is one:
            yield one
        elif (first.distribution, first.point.value) != (one.distribution, one.point.value):
            yield replace(one, taken_by=first.provider)


@functools.lru_cache(maxsize=1)
def _entry_points(path: tuple[tuple[str, int], ...]) -> Any:  # noqa: ARG001 - the key of the cache
    """Return what is installed. That reads a file of every package: once, and again when a folder of the path changes.

    Args:
        path: Where packages are looked for: folder and time of its last change.
    """
    # Its class has another name in Python 3.11.
    return metadata.entry_points()


def _folder_state(folder: str) -> tuple[str, int]:
    try:
        return folder, os.stat(folder or ".").st_mtime_ns
    except OSError:
        return folder, 0


def _of_package(point: metadata.EntryPoint) -> _Registration:
    dist = point.dist
    return _Registration(point, (dist and dist.name) or "unknown", (dist and dist.version) or "unknown")


def _is_wanted(found: _Registration) -> bool:
    chosen = os.environ.get(LOAD_PLUGINS)
    return chosen is None or _normal(found.distribution) in set(map(_normal, chosen.split(",")))


def _normal(distribution: str) -> str:
    """Return a package's name as all its spellings have it."""
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()


def _import(group: str, found: _Registration) -> Any:
    try:
        return import_class(found.point)
    except BrokenPluginError as exc:
        raise _broken(group, found, str(exc)) from exc


def _broken(group: str, found: _Registration, why: str) -> PluginError:
    return PluginError(
        f"{group} plugin {found.point.name!r} of {found.provider} cannot be loaded: {why}",
        hint=f"Reinstall or remove {found.distribution}; the other plugins are not affected.",
        group=group,
        name=found.point.name,
    )


def _inspect(group: str, found: _Registration) -> PluginInfo:
    facts = (group, found.point.name, found.distribution, found.version)
    if found.taken_by:
        return PluginInfo(*facts, error=f"left out: {found.taken_by} has a {group} plugin of this name")
    try:
        return PluginInfo(*facts, summary=summary_of(_import(group, found)))
    except PluginError as exc:
        return PluginInfo(*facts, error=exc.message)
    except BrokenPluginError as exc:
        return PluginInfo(*facts, error=_broken(group, found, str(exc)).message)
