"""Rankers in folders that somebody names, as training and the registry keep them."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from rankhammer import plugins
from rankhammer.errors import ConfigError, DataError
from rankhammer.exporters.publish import FEATURE_SET, MANIFEST, MODELS, SAMPLE, read_ranker
from rankhammer.plugins import PluginSpec
from rankhammer.storage.base import storage_for
from rankhammer.storage.publication import NewRanker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.exporters.base import TrainedRanker

_EXAMPLE = (
    "Name a folder of the hand-off `ranker`, such as data/06_models/ranker/shop, or an id of `rankhammer rankers`."
)
_ID = re.compile("[0-9a-f]{1,12}|current")
_MOST_FILES = 10_000
"""Files that are looked at to name a folder below which is meant."""
_MOST_NAMES = 10


def is_folder(name: str) -> bool:
    """Say whether a ranker's name is a path: it has a slash, or leads to something and is no id."""
    storage = storage_for(name)
    if "/" in name or any(storage.exists(f"{name}/{model}") for model in MODELS):
        return True
    return not _ID.fullmatch(name) and storage.exists(name)


def read_folder(folder: str, corpus: str | None) -> tuple[str, TrainedRanker]:
    """Read a ranker's own files.

    Args:
        folder: A local path or URI.
        corpus: Whose ranker it is; None where its manifest says it.

    Returns:
        The id that these files have where they are registered, and the ranker.

    Raises:
        ConfigError: There is no such folder, it holds no ranker, or nothing says whose it is.
        DataError: What it holds is no ranker that can be read.
    """
    storage, folder = storage_for(folder), folder.rstrip("/")
    shown = [*islice(storage.files(folder), _MOST_FILES)] if storage.exists(folder) else None
    names = [name for name in shown or () if "/" not in name and not name.startswith(("_", "."))]
    _require_ranker(folder, shown, names)
    files = {name: storage.read(f"{folder}/{name}") for name in names}
    try:
        trained = read_ranker(corpus or "", files)
        made_by = trained.manifest
        plugins.create("rankers", PluginSpec(name=made_by["ranker"], options=made_by.get("ranker_options", {})))
        _ = trained.opened
    except (ValueError, KeyError, TypeError) as exc:
        raise DataError(f"{folder} holds no ranker that can be read: {exc}", hint=_EXAMPLE, folder=folder) from exc
    whose = corpus or trained.manifest.get("corpus")
    if not isinstance(whose, str):
        raise ConfigError(f"{folder} does not say whose ranker it is.", hint="Name the corpus: --corpus.")
    return NewRanker(files).id, replace(trained, corpus=whose)


def _require_ranker(folder: str, shown: Sequence[str] | None, names: Sequence[str]) -> None:
    """Refuse what is no folder with a ranker as training writes it.

    Args:
        folder: Its path.
        shown: Files below it; None where there is nothing, one empty text where it is a file.
        names: Those in the folder itself.

    Raises:
        ConfigError: Says what is there, and which folders below hold rankers.
    """
    if shown is None:
        raise ConfigError(f"There is no folder {folder}.", hint=_EXAMPLE, folder=folder)
    if list(shown) == [""]:
        raise ConfigError(f"{folder} is a file; a ranker is a folder.", hint=_EXAMPLE, folder=folder)
    missing = [name for name in (MANIFEST, FEATURE_SET, SAMPLE) if name not in names]
    if not set(MODELS) & set(names):
        missing.insert(0, " or ".join(MODELS))
    if not missing:
        return
    below = sorted({name.rpartition("/")[0] for name in shown if name.rpartition("/")[2] == SAMPLE} - {""})
    found = ", ".join(names[:_MOST_NAMES]) or f"{len(shown)} files in folders below" if shown else "nothing"
    raise ConfigError(
        f"{folder} holds no ranker as training writes it: it lacks {', '.join(missing)}; found: {found}.",
        hint=f"Rankers are below: {', '.join(f'{folder}/{name}' for name in below[:_MOST_NAMES])}."
        if below
        else _EXAMPLE,
        folder=folder,
    )
