"""Kedro's configuration loader, with values from the command line also in globals.yml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.config import OmegaConfigLoader

from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from omegaconf import DictConfig

_NONE = object()


class ConfigLoader(OmegaConfigLoader):
    """Resolves `${runtime_params:name}` in every file, and knows which names were asked for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """See `OmegaConfigLoader`."""
        self.variables: set[str] = set()
        super().__init__(*args, **options)

    def _merge_and_resolve(self, key: str, config_per_file: dict[Path, DictConfig]) -> dict[str, Any]:
        # Kedro takes the resolver away while it reads globals.
        self._register_runtime_params_resolver()
        merged: dict[str, Any] = super()._merge_and_resolve(key, config_per_file)
        return merged

    def _get_runtime_value(self, variable: str, default_value: Any = _NONE) -> Any:
        self.variables.add(variable.partition(".")[0])
        found = super()._get_runtime_value(variable, default_value)
        if found is _NONE:
            raise ConfigError(
                f"The configuration has a place for {variable!r}, and no value was given for it.",
                hint=f"kedro run --params {variable}=...; or a default: ${{runtime_params:{variable}, default}}.",
                name=variable,
            )
        return found


def without_variables(parameters: Mapping[str, Any], variables: set[str]) -> dict[str, Any]:
    """Leave out of the parameters what only fills a place in other files.

    Args:
        parameters: As Kedro gives them: those of the files, and over them those of the command line.
        variables: Names that the files ask for.
    """
    return {name: value for name, value in parameters.items() if name not in variables}
