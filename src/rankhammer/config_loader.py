"""Kedro's configuration loader, with values from the command line also in globals.yml."""

from __future__ import annotations

import io
import re
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from rankhammer.config_schema import check_globals, references, require_same_kinds, with_folders
from rankhammer.credentials import LOGIN
from rankhammer.errors import ConfigError, RankhammerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NONE = object()
_UNREADABLE = (YAMLError, OmegaConfBaseException, OSError, ValueError, TypeError, AttributeError, RecursionError)
"""What Kedro, OmegaConf and the YAML parser raise at files that hold something else than keys with values."""


class ConfigLoader(OmegaConfigLoader):
    """Resolves `${runtime_params:name}` in every file, and knows which names were asked for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """See `OmegaConfigLoader`."""
        self.variables: set[str] = set()
        self._found: dict[str, dict[str, Any]] = {}
        super().__init__(*args, **options)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Return the configuration of a kind, such as "catalog"; globals are checked and completed.

        Its files are read once. What is returned is a copy, as Kedro makes paths in it absolute.

        Raises:
            ConfigError: A file cannot be read, a place in it cannot be filled, or globals.yml has a wrong key.
        """
        # What somebody has set is theirs.
        if key in self:
            return super().__getitem__(key)
        if key not in self._found:
            self._found[key] = self._read(key)
        return deepcopy(self._found[key])

    def _read(self, key: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = super().__getitem__(key)
        except (OmegaConfBaseException, ValueError) as exc:
            raise _refusal(key, exc) from exc
        if key == "globals":
            check_globals(found, self._used_globals())
            return with_folders(found)
        if key != "catalog":
            return found
        _require_paths(found)
        return _naming_logins(found)

    def _used_globals(self) -> set[str]:
        """Return the keys of globals.yml that some file of conf uses."""
        used = set[str]()
        for env in {self.base_env, self.env or self.default_run_env}:
            folder = self._get_conf_env_path(env)
            for name in self._fs.glob(f"{Path(folder).as_posix()}/**"):
                if name.endswith((".yml", ".yaml", ".json")) and self._fs.isfile(name):
                    text = self._fs.cat_file(name).decode(errors="replace")
                    used |= references(text, is_globals=Path(name).name == "globals.yml")
        return used

    def _read_dir_configs(
        self,
        conf_path: str,
        patterns: Iterable[str],
        key: str,
        processed_files: set[Path],
        read_environment_variables: bool | None = False,
    ) -> dict[Path, DictConfig]:
        try:
            found: dict[Path, DictConfig] = super()._read_dir_configs(
                conf_path, patterns, key, processed_files, read_environment_variables
            )
        except _UNREADABLE as exc:
            self._name_unreadable(conf_path, patterns)
            raise _refusal(key, exc) from exc
        return found

    def _name_unreadable(self, folder: str, patterns: Iterable[str]) -> None:
        """Say which file it is, and where in it: Kedro names the file of some faults only."""
        for pattern in patterns:
            for name in sorted(self._fs.glob(f"{Path(folder).as_posix()}/{pattern}")):
                if self._fs.isfile(name) and self._is_valid_config_path(Path(name)):
                    _require_readable(name, self._fs.cat_file(name))

    def _merge_configs(
        self, config: dict[str, Any], env_config: dict[str, Any], key: str, env_path: str
    ) -> dict[str, Any]:
        if self.merge_strategy.get(key) == "soft":
            require_same_kinds(config, env_config, f"{env_path}/{key}")
        merged: dict[str, Any] = super()._merge_configs(config, env_config, key, env_path)
        return merged

    def _merge_and_resolve(self, key: str, config_per_file: dict[Path, DictConfig]) -> dict[str, Any]:
        for path, found in config_per_file.items():
            _require_text_keys(path, found)
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


def _require_readable(path: str, content: bytes) -> None:
    try:
        found = OmegaConf.load(io.StringIO(content.decode()))
    except _UNREADABLE as exc:
        raise _broken(path, exc) from exc
    if not isinstance(found, DictConfig):
        raise ConfigError(
            f"{path} holds a list, expected keys with values.",
            hint="Write `key: value` lines; every file of conf/base shows its keys.",
            path=path,
        )


def _require_text_keys(path: Path, found: DictConfig) -> None:
    """Refuse a key that YAML reads as something else, such as 1, yes or 2026-01-01."""
    key = next((key for key in found if not isinstance(key, str)), None)
    if key is not None:
        named = "a key" if _holds_secrets(path.as_posix()) else f"the key {key!r}"
        raise ConfigError(
            f"{path} has {named} that is no text.",
            hint="Quote keys that YAML takes for numbers, dates or yes.",
            path=path,
        )


def _broken(path: str, error: Exception) -> ConfigError:
    """Say what is wrong with a file of conf, without quoting it: it may hold secrets."""
    mark: Any = getattr(error, "problem_mark", None)
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = getattr(error, "problem", None) or ("it is no UTF-8" if isinstance(error, UnicodeDecodeError) else "")
    if _holds_secrets(path):
        # An alias, a tag or a key may be an unquoted password.
        problem = re.sub(r" '.*'|(?<=duplicate key) .*", "", str(problem))
    if "\\t" in str(problem):
        problem = "a tab stands where only spaces may"
    return ConfigError(
        f"{path}{place} is no YAML with keys{f': {problem}' if problem else ''}.",
        hint="Indent by spaces, and quote texts that hold `: `, `#` or begin with a sign such as * or @.",
        path=path,
    )


def _refusal(key: str, error: Exception) -> RankhammerError:
    """Return our error within one of OmegaConf's, or say in one line what it refused."""
    cause: BaseException | None = error
    seen = set[int]()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, RankhammerError):
            return cause
        cause = cause.__cause__ or cause.__context__
    message = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if _holds_secrets(f"/{key}"):
        message = "a `${...}` in it cannot be filled, or a key stands twice"
    return ConfigError(
        f"conf/<env>/{key}: {message}",
        hint="A `${name}` has to be a key of the same file, `${globals:name}` one of globals.yml; no key stands twice.",
        key=key,
    )


def _holds_secrets(path: str) -> bool:
    return "/credentials" in path


def _require_paths(catalog: dict[str, Any]) -> None:
    """Refuse a path that is no text: some datasets would write to a file that is called like a list."""
    for name, entry in catalog.items():
        path = entry.get("filepath") if isinstance(entry, dict) else None
        if path is not None and not isinstance(path, str):
            raise ConfigError(
                f"Catalog entry {name!r}: filepath is {str(path)[:80]!r}, and not a text.",
                hint="Write a path or an address, as in data/08_reporting/report.json.",
                name=name,
            )


def _naming_logins(catalog: dict[str, Any]) -> dict[str, Any]:
    """Rename `credentials` of `load_args`, the name of a login: Kedro would put the secrets themselves in its place."""
    for entry in catalog.values():
        is_ours = isinstance(entry, dict) and str(entry.get("type")).startswith("rankhammer.")
        load_args = entry.get("load_args") if is_ours else None
        if isinstance(load_args, dict) and isinstance(load_args.get("credentials"), str):
            entry["load_args"] = {LOGIN if key == "credentials" else key: value for key, value in load_args.items()}
    return catalog


def without_variables(parameters: Mapping[str, Any], variables: set[str]) -> dict[str, Any]:
    """Leave out of the parameters what only fills a place in other files.

    Args:
        parameters: As Kedro gives them: those of the files, and over them those of the command line.
        variables: Names that the files ask for.
    """
    return {name: value for name, value in parameters.items() if name not in variables}
