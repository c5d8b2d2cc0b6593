"""What commands have in common: the option of the environment, JSON output, and errors that end with a message."""

from __future__ import annotations

import functools
import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_WHOLE = 1000
"""Characters of a sentence in a list of commands: more than any has."""


class WholeHelp(click.Group):
    """A group whose list of commands cuts no sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with the first sentence of its help, over as many lines as it takes."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(_WHOLE)) for name, command in commands if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def env_option(purpose: str = "Kedro environment.") -> Callable[[Any], Any]:
    """Return the option --env; `purpose` is its help."""
    return click.option("--env", "-e", default=None, help=purpose)


def json_option(what: str) -> Callable[[Any], Any]:
    """Return the flag --json, `as_json` in the command; `what` says what is printed."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def ends_with_exit_code(command: Callable[..., int | None]) -> Callable[..., None]:
    """Let a command end with its exit code, and errors that a user can fix with a message and exit code 2.

    Args:
        command: Returns an exit code, or None for 0.
    """

    @functools.wraps(command)
    def ended(*args: Any, **given: Any) -> None:
        # Imported here: `--help` must answer at once.
        from rankhammer.runs.user_errors import exit_code

        sys.exit(exit_code(lambda: command(*args, **given) or 0))

    return ended


def print_json(value: Any) -> None:
    """Print a value as JSON for scripts."""
    click.echo(json.dumps(value, indent=1, default=str))


def write_output(file: Path, text: str) -> None:
    """Write what a command was asked to write; folders above are made.

    Raises:
        ConfigError: The file cannot be written there.
    """
    from rankhammer.errors import ConfigError

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{file} cannot be written: {exc.strerror or exc}.", hint="Name another file.") from exc
