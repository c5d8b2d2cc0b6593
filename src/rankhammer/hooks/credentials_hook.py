"""Says where secrets come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.config import MissingConfigException
from kedro.framework.hooks import hook_impl

from rankhammer import credentials
from rankhammer.errors import ConfigError
from rankhammer.secret_settings import open_to_others

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kedro.framework.context import KedroContext


_TOLD: set[Path] = set()
_WRONG: set[str] = set()


class CredentialsHook:
    """Says where plugins find entries of credentials.yml, and warns of those that nobody could use."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Let plugins look entries of conf/<env>/credentials.yml up by name."""
        credentials.configure(lambda: _entries(context))

    @hook_impl
    def after_catalog_created(self, conf_catalog: Mapping[str, Any], conf_creds: Mapping[str, Any]) -> None:
        """Warn of entries that could not be sent; those of other packages' datasets have fields of their own."""
        theirs = {str(entry.get("credentials")) for entry in conf_catalog.values() if isinstance(entry, dict)}
        for name, entry in conf_creds.items():
            try:
                if name not in theirs:
                    credentials.checked(name, entry)
            except ConfigError as exc:
                _warn_of_entry(name, exc)


def _warn_of_entry(name: str, error: ConfigError) -> None:
    if name not in _WRONG:
        _WRONG.add(name)
        click.secho(f"Warning: {error}", fg="yellow", err=True)


def _entries(context: KedroContext) -> dict[str, Any]:
    try:
        found = dict(context.config_loader["credentials"])
    except MissingConfigException:
        return {}
    _warn_of_open_files(context)
    return found


def _warn_of_open_files(context: KedroContext) -> None:
    """Say once a process which files with secrets others may read; on the standard error, which is nobody's JSON."""
    loader: Any = context.config_loader
    folders = {loader.base_env, loader.env or loader.default_run_env}
    files = [file for folder in folders if folder for file in Path(loader.conf_source, folder).rglob("credentials*")]
    for file, mode in open_to_others(sorted(set(files) - _TOLD)):
        _TOLD.add(file)
        click.secho(
            f"Warning: {file} holds secrets and can be read by others (mode {mode}).\nHint: chmod 600 {file}",
            fg="yellow",
            err=True,
        )
