"""Tiny event logs, made event by event."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from event_logs import LogBuilder

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "budget(name): the suite whose time a test counts as (dev/time_budgets.json)")
    config.addinivalue_line("markers", "real: reads real logs beside the repository")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.budget("doctor"))


@pytest.fixture
def log() -> LogBuilder:
    """An application with two executors of two cores on YARN, without a job."""
    return LogBuilder().started()
