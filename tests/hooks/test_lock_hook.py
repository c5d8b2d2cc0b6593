"""What a run is told whose outputs another run has taken over."""

from __future__ import annotations

import time

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.pipeline import Pipeline, node

from rankhammer.datasets import DayStoreDataset
from rankhammer.datasets.input_dataset import InputDataset
from rankhammer.errors import ClusterError
from rankhammer.hooks.lock_hook import LockHook, _days_of
from rankhammer.yarn.settings import LockSettings, RunSettings


@pytest.fixture
def hook(tmp_path):
    """One of a run that shows a heartbeat every hour, and is taken for dead after a moment."""
    made = LockHook()
    lock = LockSettings.model_construct(heartbeat_s=3600, expires_s=0.05)
    made._settings = RunSettings.model_construct(root=str(tmp_path), folder=None, keep=1, lock=lock)
    return made


def taken_over(hook):
    other = LockHook()
    other._settings = hook._settings
    hook._acquire()
    # The filesystem's own clock tells how old a heartbeat is.
    time.sleep(0.2)
    other._acquire()
    return other


def test_a_run_that_was_taken_over_saves_nothing_more(hook):
    taken_over(hook)
    with pytest.raises(ClusterError, match="took over, because this run sent no heartbeat"):
        hook.before_dataset_saved()


def test_whatever_breaks_a_run_that_was_taken_over_is_told_as_that(hook):
    taken_over(hook)
    with pytest.raises(ClusterError, match="took over"):
        hook.on_pipeline_error()


def test_a_run_that_fails_gives_the_lock_back(hook):
    hook._acquire()
    hook.on_pipeline_error()
    LockHook._acquire(hook)
    hook.after_pipeline_run()


class Refuses:
    @hook_impl
    def before_pipeline_run(self) -> None:
        raise ClusterError("no room")


def test_a_run_that_another_hook_refuses_gives_the_lock_back_at_once(hook, tmp_path):
    manager = _create_hook_manager()
    manager.register(hook)
    manager.register(Refuses())
    with pytest.raises(ClusterError, match="no room"):
        manager.hook.before_pipeline_run(run_params={}, pipeline=None, catalog=None)
    assert "released_by" in max((tmp_path / ".lock").glob("*.json")).read_text()


def test_runs_that_share_finished_days_fill_them_one_at_a_time(hook, tmp_path):
    """Each has a folder of outputs of its own, as runs with ids have."""
    catalog = {
        "log": InputDataset(filepath=str(tmp_path / "log/dt={date}")),
        "days": DayStoreDataset(filepath=str(tmp_path / "days")),
    }
    run = Pipeline([node(lambda log, days: None, ["log", "days"], "pages", name="ingest")])
    assert _days_of(run, catalog) == {str(tmp_path / "days")}
    assert not _days_of(run, catalog | {"log": InputDataset(filepath=str(tmp_path / "log"))})
    other = LockHook()
    lock = LockSettings.model_construct(heartbeat_s=3600, expires_s=7200)
    for number, one in enumerate((hook, other)):
        root = tmp_path / str(number)
        root.mkdir()
        one._settings = RunSettings.model_construct(root=str(root), folder=None, keep=1, lock=lock)
    hook._acquire(_days_of(run, catalog))
    with pytest.raises(ClusterError, match="days"):
        other._acquire(_days_of(run, catalog))
    assert "released_by" in max((tmp_path / "1/.lock").glob("*.json")).read_text()
    hook.after_pipeline_run()
    other._acquire(_days_of(run, catalog))
    other.after_pipeline_run()
