"""Which tests belong together where two processes share a run (`pytest -n 2`, as `make test` does), and which are fast.

A file's tests stay together, because they share fixtures; so do all files that use a search engine, which is then
started once, and all that use a project folder. Those two take longest and come first.

`make test-fast` leaves out what starts a JVM or a server: tests that take the Spark session, those two groups, and what
is marked `slow_start`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[3]
PROJECTS, NODES = "projects", "search nodes"
FIRST = (PROJECTS, NODES)
_USES_NODE = re.compile(r"def \w+\([^)]*\b(opensearch|opensearch_2|elasticsearch|solr)\b|getfixturevalue\((?!\"spark)")
"""What in a file says that its tests use a search engine: its fixture, or that fixtures are asked for by name."""


@cache
def group_of(path: str) -> str:
    """Return the group of a file's tests.

    Args:
        path: Of the file, relative to the project's folder.
    """
    if path.startswith("tests/e2e/"):
        return PROJECTS
    return NODES if _USES_NODE.search((ROOT / path).read_text()) else path


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _group(item.nodeid) in FIRST or "spark" in getattr(item, "fixturenames", ()):
            item.add_marker("slow_start")
    # Both processes of a divided run collect, and have to come to one order.
    if hasattr(config, "workerinput"):
        order = [*FIRST]
        items.sort(key=lambda item: order.index(group) if (group := _group(item.nodeid)) in order else len(order))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow_start: starts a JVM or a server; `make test-fast` leaves it out")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByGroup:
    config.option.loadscopereorder = False
    return ByGroup(config, log)


class ByGroup(LoadScopeScheduling):
    """Gives each process one group after the other, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def _group(nodeid: str) -> str:
    return group_of(nodeid.partition("::")[0])
