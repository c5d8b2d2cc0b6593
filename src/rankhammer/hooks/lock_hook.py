"""Lets one run at a time write to a folder of outputs, and to the folder of finished days that runs share."""

from __future__ import annotations

import atexit
import logging
from typing import TYPE_CHECKING

from kedro.framework.hooks import hook_impl
from py4j.protocol import Py4JError

from rankhammer.datasets.day_store import DayStoreDataset
from rankhammer.datasets.input_dataset import InputDataset
from rankhammer.storage.lock import OutputLock
from rankhammer.yarn.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

    from rankhammer.yarn.settings import RunSettings

logger = logging.getLogger(__name__)


class LockHook:
    """Takes the lock before anything of a run is written, and gives it back however the run ends."""

    def __init__(self) -> None:
        self._settings: RunSettings | None = None
        self._run: str | None = None
        self._locks: list[OutputLock] = []

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read where the lock is."""
        self._settings = read_settings(context.config_loader["cluster"]).runs
        run = (context.config_loader.runtime_params or {}).get("run")
        self._run = None if run is None else str(run)

    @hook_impl(wrapper=True, tryfirst=True)
    def before_pipeline_run(
        self, pipeline: Pipeline | None, catalog: DataCatalog | None
    ) -> Generator[None, object, object]:
        """Take the locks, and give it back where another hook refuses the run: Kedro tells nobody of that.

        Raises:
            ClusterError: Another run holds it.
        """
        self._acquire(_days_of(pipeline, catalog) if pipeline is not None and catalog is not None else ())
        try:
            return (yield)
        except BaseException:
            self._release()
            raise

    def _acquire(self, shared: Collection[str] = ()) -> None:
        self._release()
        if self._settings is None or self._settings.root is None:
            return
        times = self._settings.lock
        # Ctrl-C passes by every hook.
        atexit.register(self._release)
        try:
            # Always in this order, so that two runs never wait for each other: none waits at all.
            for folder in (self._settings.root, *sorted(shared)):
                lock = OutputLock(folder, heartbeat_s=times.heartbeat_s, expires_s=times.expires_s, run=self._run)
                self._locks.append(lock)
                lock.acquire()
        except BaseException:
            self._release()
            raise

    @hook_impl
    def before_dataset_saved(self) -> None:
        """Write nothing after another run has taken over."""
        for lock in self._locks:
            lock.require_held()

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Give the lock back."""
        self._release()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Give the lock back.

        Raises:
            ClusterError: Another run has taken over: what broke this one, such as a file that is gone, follows from it.
        """
        try:
            for lock in self._locks:
                lock.require_held()
        except (OSError, Py4JError):
            logger.debug("The lock could not be looked at", exc_info=True)
        finally:
            self._release()

    def _release(self) -> None:
        locks, self._locks = self._locks, []
        if not locks:
            return
        atexit.unregister(self._release)
        for lock in reversed(locks):
            try:
                lock.release()
            except (OSError, Py4JError):
                # The error that ended the run is the one to show; the lock expires.
                logger.warning("The lock on the outputs could not be given back; it expires by itself.")


def _days_of(pipeline: Pipeline, catalog: DataCatalog) -> set[str]:
    """Return the folders of finished days that a run fills: runs with folders of their own may share one."""
    found = set()
    for node in pipeline.nodes:
        inputs = [catalog[name] for name in node.inputs if name in catalog]
        if any(isinstance(one, InputDataset) and one.is_daily for one in inputs):
            found |= {one.path for one in inputs if isinstance(one, DayStoreDataset)}
    return found
