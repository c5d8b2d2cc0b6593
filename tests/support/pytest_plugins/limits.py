"""A test that hangs ends by its own limit: what Python and the JVMs are doing is printed, and the run ends red.

The limit holds for a test with its set-up and its end, and is longer on a slow machine. `@pytest.mark.limit(seconds)`
gives a test another one; in CI none lasts longer than CI does. Where a debugger is asked for, there is none.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import ci_plan
import machine_speed
import pytest
from pytest_plugins import jvm_dumps

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_S, CHAOS_S = 600.0, 900.0
"""On the machine of reference; the first test that needs a search engine may have to download it."""

GRACE_S = 120.0
"""A run in which a test hung ends within this, whatever still hangs in it; the JVMs, in a quarter of it."""

LEAST_S = 60.0


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "limit(seconds): the time that the test may take on the machine of reference")
    if not (config.option.collectonly or config.option.usepdb):
        config.pluginmanager.register(Limits(config), "rankhammer-limits")


class Limits:
    """Watches each test of a run."""

    def __init__(self, config: pytest.Config) -> None:
        capture = config.pluginmanager.getplugin("capturemanager")
        # What a run prints when it is about to be ended must not wait in the place where tests' output is kept.
        with capture.global_and_fixture_disabled():
            self.screen = os.dup(2)
        self.slowdown = machine_speed.slowdown()
        self.running: pytest.Item | None = None
        self.before = signal.signal(signal.SIGALRM, self.fail)

    def pytest_unconfigure(self) -> None:
        signal.signal(signal.SIGALRM, self.before)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        seconds = allowed(item, self.slowdown)
        watch = threading.Timer(seconds, self.end, (item, seconds))
        watch.daemon = True
        self.running = item
        watch.start()
        # Python's own threads stand still as long as a library holds the interpreter's lock; this one does not.
        faulthandler.dump_traceback_later(seconds + 2 * GRACE_S, exit=True, file=self.screen)
        try:
            return (yield)
        finally:
            self.running = None
            watch.cancel()
            faulthandler.cancel_dump_traceback_later()

    def end(self, item: pytest.Item, seconds: float) -> None:
        """Print who does what, let the test fail, and the run with it."""
        self.say(f"{item.nodeid} did not end within {seconds:.0f} s. What this process does:")
        faulthandler.dump_traceback(file=self.screen, all_threads=True)
        for text in jvm_dumps.below_this_process():
            self.say(text)
        item.session.shouldfail = f"{item.nodeid} did not end within {seconds:.0f} s"
        signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)
        self.force()

    def force(self) -> None:
        """End what continues hanging: first the JVMs, one of which Python may be waiting for, and then this process."""
        time.sleep(GRACE_S / 4)
        jvm_dumps.kill_below_this_process()
        time.sleep(GRACE_S * 3 / 4)
        self.say("Something still hangs. The run is ended by force.")
        os._exit(pytest.ExitCode.TESTS_FAILED)

    def fail(self, *_: object) -> None:
        """Let the test that is running fail, wherever it waits; the main thread does this."""
        if self.running:
            pytest.fail("hung: what it was doing is printed above")

    def say(self, text: str) -> None:
        with open(self.screen, "w", closefd=False) as screen:
            screen.write(f"\n{text}\n")


def allowed(item: pytest.Item, slowdown: float) -> float:
    """Return the seconds that a test may take."""
    mark = item.get_closest_marker("limit")
    default = CHAOS_S if item.get_closest_marker("chaos") else DEFAULT_S
    seconds = slowdown * (mark.args[0] if mark else default)
    end = ci_plan.ends_at(os.environ)
    return min(seconds, max(LEAST_S, end - GRACE_S - time.time())) if end else seconds
