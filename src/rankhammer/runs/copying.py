"""`rankhammer copy`: results of a job from one filesystem to another, with an environment's settings for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.runs import run_ids, run_selection
from rankhammer.runs.execute import open_to_print
from rankhammer.storage import folder_copies

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.storage.folder_copies import FolderCopy


def copy(
    env: str | None,
    conf_source: str | None,
    pair: tuple[str, str],
    *,
    keep: int,
    n_threads: int,
    on_progress: Callable[[int, int], None],
) -> FolderCopy:
    """Copy a folder as a new version of another one.

    Args:
        env: Kedro environment; None for the default one.
        conf_source: Folder of the configuration, where no project is; None for the project's.
        pair: Folder to read, and folder of versions.
        keep: Versions that stay.
        n_threads: Files at a time.
        on_progress: Called with (bytes that have arrived, bytes in all).

    Raises:
        ConfigError: As `folder_copies.copy_folder`.
        DataError: As `folder_copies.copy_folder`.
    """
    # Where runs have ids, this session's other paths are patterns.
    options = {"env": env, "conf_source": conf_source, "params": {run_selection.RUN: run_ids.ANY}}
    source, root = map(_by_hadoop, pair)
    session = open_to_print(options)
    with session:
        session.load_context()
        return folder_copies.copy_folder(source, root, keep=keep, n_threads=n_threads, on_progress=on_progress)


def _by_hadoop(uri: str) -> str:
    """Name S3 as Hadoop's own client does."""
    return f"s3a://{uri.removeprefix('s3://')}" if uri.startswith("s3://") else uri
