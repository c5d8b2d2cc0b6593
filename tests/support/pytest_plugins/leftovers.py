"""A run of tests that is killed leaves no process behind: servers, runs and their JVMs end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import watchdog

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    if not config.option.collectonly:
        watchdog.start()
