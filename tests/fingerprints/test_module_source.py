"""Of a module's source counts what it does when it runs."""

from __future__ import annotations

import pytest

from rankhammer.fingerprints.import_closure import Import, read_source

MODULE = '''"""Text of the module."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import one

LIMIT = 3


class Box:
    """Text of the class."""

    def size(self, least=1):
        """Text of the method."""
        return max(least, LIMIT)
'''


def digest(text: str) -> str:
    return read_source(text).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 3  # a bound"),
        ("LIMIT = 3", '# why\n\nLIMIT = 3\n"""What it limits."""'),
        ("Text of the module.", "Another text."),
        ('    """Text of the class."""\n', ""),
        ('"""Text of the method."""', '"""Another.\n\n        Raises:\n            Nothing.\n        """'),
        ("    import one\n", "    import two\n    from three import four\n"),
        ("max(least, LIMIT)", "max(\n            least,\n            LIMIT,\n        )"),
        ("\n", "\r\n"),
    ],
)
def test_comments_docstrings_layout_and_imports_for_type_checkers_change_no_digest(old, new):
    assert old in MODULE
    assert digest(MODULE.replace(old, new)) == digest(MODULE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("LIMIT = 3", "LIMIT = '3'"),
        ("LIMIT = 3", "LIMIT = 3\nprint('a text that is not alone')"),
        ("least=1", "least=2"),
        ("max(", "min("),
        ("import os", "import os as so"),
        ("Box", "Case"),
        ("LIMIT = 3\n", "LIMIT = 3\nif TYPE_CHECKING:\n    pass\nelse:\n    import five\n"),
    ],
)
def test_whatever_a_module_does_changes_its_digest(old, new):
    assert digest(MODULE.replace(old, new)) != digest(MODULE)


def test_trees_that_hold_the_same_words_in_other_places_differ():
    assert digest("f(a)(b)") != digest("f(a, b)")
    assert digest("if a:\n    b\nc") != digest("if a:\n    b\n    c")
    assert digest("x = 'a', 'b'") != digest("x = \"a', 'b\"")
    assert digest("f(a, b=c)") != digest("f(a, c=b)")
    assert digest("x[1:]") != digest("x[:1]")
    assert digest("return_ = None") != digest("return_ = 'None'")


def test_imports_are_found_wherever_they_may_run():
    text = (
        "import a.b as c, v.w\nfrom d import e, f as g\nfrom . import h\nfrom ..i import *\n"
        "def run():\n    try:\n        import j\n    except ImportError:\n        import k\n"
        "    finally:\n        import l\n"
        "match a:\n    case 1:\n        import m\n"
        "if x:\n    pass\nelif y:\n    import n\n"
        "p = importlib.import_module('q.r')\ns = lambda: import_module(name)\nt = __import__('u')\n"
        "import_module('.x.y', __package__)\n"
    )
    assert set(read_source(text).imports) == {
        Import("a", 0, ("b",)),
        Import("v.w"),
        Import("q", 0, ("r",)),
        Import("x", 1, ("y",)),
        Import("d", 0, ("e", "f")),
        Import("", 1, ("h",)),
        Import("i", 2, ("*",)),
        *(Import(name) for name in ("j", "k", "l", "m", "n", "u")),
    }


@pytest.mark.parametrize("name", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_only_type_checkers_import_is_no_import(name):
    text = f"if {name}:\n    import a\nelse:\n    import b\n"
    assert read_source(text).imports == (Import("b"),)


@pytest.mark.parametrize(
    ("text", "is_facade"),
    [
        ("", True),
        ('"""Text."""\nfrom a import b\nimport c\n__all__ = ["b"]\n', True),
        ("__version__ = '1'\n", False),
        ("from a import b\nb.set(1)\n", False),
    ],
)
def test_a_facade_has_no_statement_of_its_own(text, is_facade):
    assert read_source(text).is_facade == is_facade


def test_a_python_file_that_is_spoken_of_is_told():
    assert read_source("open('scorer.py')\nopen('model.json')").files == ("scorer",)
