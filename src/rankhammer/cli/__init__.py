"""The command line: `kedro run` as people expect it, and the `rankhammer` commands, one file per group."""

from rankhammer.cli.main import cli, main, rankhammer, run

__all__ = ["cli", "main", "rankhammer", "run"]
