"""Lets one run at a time write to a folder of outputs."""

from __future__ import annotations

import atexit
import logging
from typing import TYPE_CHECKING

from kedro.framework.hooks import hook_impl
from py4j.protocol import Py4JError

from rankhammer.storage.lock import OutputLock
from rankhammer.yarn.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from kedro.framework.context import KedroContext

    from rankhammer.yarn.settings import RunSettings

logger = logging.getLogger(__name__)


class LockHook:
    """Takes the lock before anything of a run is written, and gives it back however the run ends."""

    def __init__(self) -> None:
        self._settings: RunSettings | None = None
        self._run: str | None = None
        self._lock: OutputLock | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read where the lock is."""
        self._settings = read_settings(context.config_loader["cluster"]).runs
        run = (context.config_loader.runtime_params or {}).get("run")
        self._run = None if run is None else str(run)

    @hook_impl(wrapper=True, tryfirst=True)
    def before_pipeline_run(self) -> Generator[None, object, object]:
        """Take the lock, and give it back where another hook refuses the run: Kedro tells nobody of that.

        Raises:
            ClusterError: Another run holds it.
        """
        self._acquire()
        try:
            return (yield)
        except BaseException:
            self._release()
            raise

    def _acquire(self) -> None:
        self._release()
        if self._settings is None or self._settings.root is None:
            return
        times = self._settings.lock
        lock = OutputLock(self._settings.root, heartbeat_s=times.heartbeat_s, expires_s=times.expires_s, run=self._run)
        # Ctrl-C passes by every hook.
        atexit.register(self._release)
        self._lock = lock
        lock.acquire()

    @hook_impl
    def before_dataset_saved(self) -> None:
        """Write nothing after another run has taken over."""
        if self._lock is not None:
            self._lock.require_held()

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
            if self._lock is not None:
                self._lock.require_held()
        except (OSError, Py4JError):
            logger.debug("The lock could not be looked at", exc_info=True)
        finally:
            self._release()

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is None:
            return
        atexit.unregister(self._release)
        try:
            lock.release()
        except (OSError, Py4JError):
            # The error that ended the run is the one to show; the lock expires.
            logger.warning("The lock on the outputs could not be given back; it expires by itself.")
