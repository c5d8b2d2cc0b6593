"""`rankhammer copy`: thin, as `cli` is."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from rankhammer.cli.options import ends_with_exit_code, env_option, json_option, print_json


@click.command("copy", epilog="Example:  rankhammer copy hdfs:///out/report s3a://my-bucket/report --env=emr")
@click.argument("source")
@click.argument("destination")
@env_option("Kedro environment whose spark.yml says how S3 is reached.")
@click.option("--keep", type=click.IntRange(1, 1000), default=3, show_default=True, help="Versions that stay.")
@click.option("--threads", type=click.IntRange(1, 64), default=8, show_default=True, help="Files at a time.")
@click.option("--conf-source", default=None, help="Folder of the configuration, where no project is.")
@json_option("what was copied")
@ends_with_exit_code
def copy(
    source: str, destination: str, *, env: str | None, conf_source: str | None, keep: int, threads: int, as_json: bool
) -> None:
    """Copy a folder of results to another filesystem, as a new version.

    DESTINATION/current is the newest complete one. What was there stays readable until every file has arrived; a copy
    that was killed is gone on with. A folder that somebody is writing is refused.

    Exit codes: 0, or 2 where it cannot be copied.
    """
    from rankhammer.runs import copying

    with _Progress(is_shown=sys.stderr.isatty() and not as_json) as progress:
        pair = source, destination
        found = copying.copy(env, conf_source, pair, keep=keep, n_threads=threads, on_progress=progress.show)
    if as_json:
        print_json(asdict(found))
        return
    before = found.n_files - found.n_copied
    click.echo(
        f"{found.folder}: {found.n_files} files, {found.n_bytes / 1e6:.1f} MB"
        + (f"; {before} of them were there already" if before else "")
    )


class _Progress:
    """A bar of megabytes on standard error."""

    def __init__(self, *, is_shown: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("Copying"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not is_shown)
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, arrived: int, total: int) -> None:
        """Draw how far it is, in bytes."""
        self._bar.update(self._task, completed=arrived, total=total)
