"""Makes a project folder of the files that a wheel or a checkout has for it."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer import __version__
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PACKAGED = Path(__file__).with_name("files")
"""Only in a wheel: setup.py makes it."""


def template_files() -> dict[str, Path]:
    """Return the files that every project begins with: path in the project folder to the file that is copied there."""
    root = checkout()
    if root is None:
        return _named(_PACKAGED, (path for path in _PACKAGED.rglob("*") if path.is_file()))
    patterns = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["rankhammer"]["project-template"]["files"]
    return _named(root, (path for pattern in patterns for path in root.glob(pattern) if path.is_file()))


def checkout() -> Path | None:
    """Return the folder of the repository that this code is imported from; None for an installed wheel."""
    root = Path(__file__).resolve().parents[3]
    return None if _PACKAGED.is_dir() or not (root / "setup.py").is_file() else root


def _named(root: Path, files: Iterable[Path]) -> dict[str, Path]:
    return {path.relative_to(root).as_posix(): path for path in sorted(files)}


_PYPROJECT = """\
# A Kedro project around the installed package rankhammer.
[build-system]
requires = ["setuptools>=80"]
build-backend = "setuptools.build_meta"

[project]
name = {distribution}
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["rankhammer>={version}"]

# Plugins of your own: modules below src/, named here, installed by `pip install --no-deps -e .`
# [project.entry-points."rankhammer.exporters"]
# my_target = "my_plugins.my_target:MyTarget"

[tool.setuptools.packages.find]
where = ["src"]

[tool.kedro]
package_name = "rankhammer"
project_name = {name}
kedro_init_version = "{kedro}"
source_dir = "src"
"""

_README = """\
# {name}

A [Kedro](https://docs.kedro.org) project around Rankhammer {version}: from a search click log to a ranking model.

    rankhammer demo                             # a click log and a corpus to try it on, in data/01_raw/demo
    rankhammer init-log LOG --documents FILE    # looks at your own files, and writes conf/local for them
    kedro run                                   # all stages; ends with a table of NDCG@10
    rankhammer rank stdlib -q "read a file"     # one search with the exported ranker
    rankhammer plan --env=prod                  # what a run on your cluster would do

| folder | what |
|---|---|
| `conf/base` | every setting, with a comment: read it, and change single keys in `conf/local` or an environment |
| `conf/local` | your own settings; git ignores them, and credentials belong here; copy the `.example` files |
| `conf/prod` | an example of a cluster with YARN, HDFS and S3: change it to yours |
| `data` | what runs read and write; git ignores it |
| `notebooks/tour.ipynb` | reads what a run has left: `pip install 'rankhammer[notebook]'`, `kedro jupyter lab` |
| `examples` | functions for `rankhammer experiment run`, such as `hello --local` |
| `src` | plugins of your own, if you write some |
| `requirements*.lock`, `dev/*.lock` | Rankhammer's packages: from them the Python of clusters and hosts is built |
"""

_GITIGNORE = """\
conf/local/*
!conf/local/.gitkeep
!conf/local/*.example
data/**
!data/**/
!data/**/.gitkeep
.venv/
.viz/
logs/
__pycache__/
*.egg-info/
.ipynb_checkpoints/
spark-warehouse/
metastore_db/
derby.log
mlflow.db
mlruns/
mlartifacts/
"""


def create_project(folder: Path) -> list[str]:
    """Make a project folder: the package stays where it is installed, and configuration and data are the user's.

    Args:
        folder: Where; it must not exist, or be empty.

    Returns:
        The files written, relative to the folder.

    Raises:
        ConfigError: The folder is in use.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"{folder} is there and is not an empty folder.",
            hint="Name a folder that does not exist yet; nothing is written over.",
            folder=str(folder),
        )
    copied = template_files()
    for name, source in copied.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    texts = _own_texts(folder.resolve().name)
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return sorted([*copied, *texts])


def _own_texts(name: str) -> dict[str, str]:
    """Return the files that no checkout holds in this form, by name."""
    values = {
        "name": json.dumps(name),
        "distribution": json.dumps(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "ranking"),
        "version": __version__,
        "kedro": metadata.version("kedro"),
    }
    return {
        "pyproject.toml": _PYPROJECT.format(**values),
        "README.md": _README.format(**values | {"name": name}),
        ".gitignore": _GITIGNORE,
        "src/.gitkeep": "",
    }
