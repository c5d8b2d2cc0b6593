"""Functions that are named as text: what no instance could run is refused before anything starts."""

from __future__ import annotations

import pytest

from rankhammer.errors import ConfigError
from rankhammer.experiments import functions

NOT_RUN = 'raise SystemExit("nobody runs this file where it is submitted")\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def tran(context): pass", "has no function train"),
        ("async def train(context): pass", "train is asynchronous"),
        ("def train(): pass", "train takes no argument"),
        ("def train(context: pass", "line 2 is no Python"),
        ("def other(context):\n    def train(context): pass", "has no function train"),
    ],
)
def test_a_file_without_such_a_function_is_refused(tmp_path, text, said):
    (tmp_path / "own.py").write_text(NOT_RUN + text)
    with pytest.raises(ConfigError, match=said):
        functions.require_in_file(f"{tmp_path}/own.py:train")


@pytest.mark.parametrize(
    "text",
    [
        "def train(context): pass",
        "def train(*given): pass",
        "train = make()",
        "from shop import train",
        "from shop import *",
        "import shop.models as train",
        "try:\n    import gpu\nexcept ImportError:\n    def train(context): pass",
        "class train: pass",
    ],
)
def test_a_file_is_read_and_never_run(tmp_path, text):
    (tmp_path / "own.py").write_text(NOT_RUN + text)
    functions.require_in_file(f"{tmp_path}/own.py:train")


def test_a_folder_with_a_colon_or_a_space_is_one(tmp_path):
    folder = tmp_path / "a: b"
    folder.mkdir()
    (folder / "own.py").write_text("def train(context): return 3")
    assert functions.load(f"{folder}/own.py:train")(None) == 3
    assert functions.shipped_name(f"{folder}/own.py:train") == "own.py:train"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def train(context):\n    yield 1", "is a generator or asynchronous"),
        ("raise SystemExit(0)", "cannot be imported: SystemExit: 0"),
        ("train = 5", "has no function train"),
    ],
)
def test_what_would_end_well_without_having_run_is_an_error(tmp_path, text, said):
    (tmp_path / "quiet.py").write_text(text)
    with pytest.raises(ConfigError, match=said):
        functions.load(f"{tmp_path}/quiet.py:train")
