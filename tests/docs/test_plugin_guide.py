"""The exporter of docs/plugins.md is complete: its two files run as they stand, and it is a plugin like any other."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from rankhammer.exporters import Exporter

GUIDE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
FILES = dict(re.findall(r"^```python\n# ([\w/.]+)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL))
PLUGIN, TEST = "src/my_plugins/flat_trees.py", "tests/test_flat_trees.py"


def _module(name: str, code: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(code, name, "exec"), module.__dict__)
    return module


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = _module("my_plugins.flat_trees", FILES[PLUGIN])
    monkeypatch.setitem(sys.modules, "my_plugins", ModuleType("my_plugins"))
    monkeypatch.setitem(sys.modules, "my_plugins.flat_trees", module)
    return module


def test_a_target_is_one_file_and_one_test_file() -> None:
    assert set(FILES) == {PLUGIN, TEST}


def test_the_guide_s_own_test_passes(plugin: ModuleType) -> None:
    tests = [part for name, part in vars(_module("test_flat_trees", FILES[TEST])).items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


def test_the_guide_s_test_notices_a_wrong_score(plugin: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    right = plugin.FlatTrees.score
    monkeypatch.setattr(plugin.FlatTrees, "score", lambda *arguments: right(*arguments) + 0.01)
    test = vars(_module("test_flat_trees", FILES[TEST]))["test_files_score_as_the_booster_does"]
    with pytest.raises(Exception, match=r"flat_trees"):
        test()


def test_the_guide_s_exporter_has_all_that_the_protocol_asks_for(plugin: ModuleType) -> None:
    wanted = {name for name in vars(Exporter) if not name.startswith("_")} | {"Options"}
    assert wanted <= set(dir(plugin.FlatTrees))
