"""Tiny event logs, made event by event."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from event_logs import LogBuilder


@pytest.fixture
def log() -> LogBuilder:
    """An application with two executors of two cores on YARN, without a job."""
    return LogBuilder().started()
