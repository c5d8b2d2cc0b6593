"""What `rankhammer dashboard install` writes on a host."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.dashboard.access import open_access
from rankhammer.dashboard.headers import Binding
from rankhammer.dashboard.unit import Service, unit
from rankhammer.errors import ConfigError
from rankhammer.runs.execute import project_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

_PASSED_ON = ("JAVA_HOME", "HADOOP_CONF_DIR", "YARN_CONF_DIR")


def install_service(
    env: str | None, user: str, state: Path, place: Path, options: Sequence[str], *, dry_run: bool
) -> tuple[str, str]:
    """Write the unit and the token's file.

    Args:
        env: Kedro environment; None for the default one.
        user: Who runs it.
        state: Folder of the token's file and of copies; it becomes the user's.
        place: File of the unit.
        options: Of `rankhammer dashboard`.
        dry_run: Whether nothing is written.

    Returns:
        The unit, and the token where there was none before.

    Raises:
        ConfigError: There is no such user, or an option that `rankhammer dashboard` would refuse.
    """
    port = _checked(options)
    access = state / "access.json"
    chosen = ["--token-file", str(access), *([f"--env={env}"] if env else []), *options]
    variables = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    program = Path(sys.executable).with_name("rankhammer")
    text = unit(Service(str(program), str(project_folder()), user, str(state), port, chosen, variables))
    if dry_run:
        return text, ""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        _, token = open_access(access)
        _give(user, state, access)
        place.write_text(text)
    except OSError as exc:
        raise ConfigError(
            f"{exc.filename or place} cannot be written: {exc.strerror or exc}.",
            hint="Start this as root, or look at the unit with --dry-run.",
        ) from exc
    return text, token


def _checked(options: Sequence[str]) -> int:
    """Read options as `rankhammer dashboard` will, and return its port."""
    import click

    from rankhammer.dashboard.headers import LOOPBACK

    names = {"--host": LOOPBACK, "--tls-cert": None, "--tls-key": None, "--proxy": None}
    known = [click.Option([name], default=default) for name, default in names.items()]
    kinds = {"--every": click.FloatRange(1), "--table-memory": click.IntRange(32, 65536)}
    known += [click.Option([name], type=kind) for name, kind in kinds.items()]
    known += [
        click.Option(["--name"], multiple=True),
        click.Option(["--port"], type=click.IntRange(0, 65535), default=8050),
    ]
    try:
        found = click.Command("dashboard", params=list(known)).make_context("dashboard", list(options)).params
    except click.ClickException as exc:
        raise ConfigError(
            f"Options after --: {exc.format_message()}", hint="See `rankhammer dashboard --help`."
        ) from exc
    port = int(found["port"])
    Binding(found["host"], port, found["name"], found["tls_cert"], found["tls_key"], found["proxy"])
    return port


def _give(user: str, *paths: Path) -> None:
    try:
        for path in paths:
            shutil.chown(path, user)
    except (LookupError, PermissionError) as exc:
        raise ConfigError(
            f"{paths[0]} cannot be given to {user}: {exc}", hint="Name a user of this host, and start this as root."
        ) from exc
