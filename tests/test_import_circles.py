"""No module imports itself by way of others, inside packages neither: each can be read from the bottom up."""

from __future__ import annotations

import graphlib
from typing import TYPE_CHECKING

import grimp
import pytest

if TYPE_CHECKING:
    from pathlib import Path


def circle(package: str, *, between_packages: bool = False) -> list[str]:
    """Return a circle of imports, those inside functions and for type checkers included; empty where there is none.

    Args:
        package: The one that is looked through.
        between_packages: Take each package in it as one module.
    """
    graph = grimp.build_graph(package, cache_dir=None)
    if between_packages:
        for child in graph.find_children(package):
            graph.squash_module(child)
    imports = {module: graph.find_modules_directly_imported_by(module) - {module} for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as exc:
        return exc.args[1]
    return []


def test_no_import_goes_in_a_circle() -> None:
    assert circle("rankhammer") == []


def test_no_import_between_packages_goes_in_a_circle() -> None:
    assert circle("rankhammer", between_packages=True) == []


@pytest.mark.parametrize(
    "way_back",
    [
        "from ring_of_tests import first\n",
        "def late():\n    from ring_of_tests.first import name\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ring_of_tests.first import name\n",
    ],
)
def test_a_circle_is_noticed_wherever_its_imports_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way_back: str
) -> None:
    package = tmp_path / "ring_of_tests"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "first.py").write_text("from ring_of_tests import second\nname = 1\n")
    (package / "second.py").write_text(way_back)
    monkeypatch.syspath_prepend(tmp_path)
    assert set(circle("ring_of_tests")) == {"ring_of_tests.first", "ring_of_tests.second"}
