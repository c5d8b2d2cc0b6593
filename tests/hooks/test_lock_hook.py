"""What a run is told whose outputs another run has taken over."""

from __future__ import annotations

import time

import pytest

from rankhammer.cluster.settings import LockSettings, RunSettings
from rankhammer.errors import ClusterError
from rankhammer.hooks.lock_hook import LockHook


@pytest.fixture
def hook(tmp_path):
    """One of a run that shows a sign of life every hour, and is taken for dead after a moment."""
    made = LockHook()
    lock = LockSettings.model_construct(heartbeat_s=3600, expires_s=0.05)
    made._settings = RunSettings.model_construct(root=str(tmp_path), folder=None, keep=1, lock=lock)
    return made


def taken_over(hook):
    other = LockHook()
    other._settings = hook._settings
    hook.before_pipeline_run()
    # The filesystem's own clock tells how old a sign of life is.
    time.sleep(0.2)
    other.before_pipeline_run()
    return other


def test_a_run_that_was_taken_over_saves_nothing_more(hook):
    taken_over(hook)
    with pytest.raises(ClusterError, match="took over, because this run showed no sign of life"):
        hook.before_dataset_saved()


def test_whatever_breaks_a_run_that_was_taken_over_is_told_as_that(hook):
    taken_over(hook)
    with pytest.raises(ClusterError, match="took over"):
        hook.on_pipeline_error()


def test_a_run_that_fails_gives_the_lock_back(hook):
    hook.before_pipeline_run()
    hook.on_pipeline_error()
    LockHook.before_pipeline_run(hook)
    hook.after_pipeline_run()
