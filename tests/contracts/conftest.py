"""Installs the example plugin as a user would, before the contract suites ask which plugins there are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

SOURCE = Path(__file__).parents[2] / "packages" / "example-plugin"
_folder = TemporaryDirectory(prefix="rankhammer-example-plugin-")


def _install() -> Path:
    """Build from a copy, so that no build files are left in the checkout; nothing is downloaded."""
    source, target = Path(_folder.name, "source"), Path(_folder.name, "installed")
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, source], check=True)
    return target


# Suites are parametrised over plugins.installed() while tests are collected: a fixture would come too late.
EXAMPLE_PLUGIN = _install()
sys.path.append(str(EXAMPLE_PLUGIN))


@pytest.fixture(scope="session")
def example_plugin() -> Path:
    """Folder that the example plugin is installed in; it is on sys.path."""
    return EXAMPLE_PLUGIN
