"""A module stands on what it imports, and on what that imports."""

from __future__ import annotations

import importlib
import shutil
import sys

import pytest

from rankhammer.fingerprints.import_closure import Modules

SHOP = {
    "__init__": "'''A facade.'''\nfrom shop_of_tests.counter import sell\n",
    "counter": "from . import till\nfrom shop_of_tests.store.shelf import take\nimport json\n",
    "till": "def open():\n    from .safe import key\n",
    "safe": "key = 1\n",
    "street": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop_of_tests import safe\n",
    "store/__init__": "from shop_of_tests.store.cellar import wine\n",
    "store/shelf": "take = 1\n",
    "store/cellar": "wine = 1\n",
    "store/guard": "from . import shelf\n",
    "guest": "from shop_of_tests.store import wine\n",
    "by_name": "import importlib\nimportlib.import_module('shop_of_tests.safe')\n",
    "dotted": "import shop_of_tests.store.shelf\n",
    "loud/__init__": "print('open')\nfrom shop_of_tests.safe import key\n",
    "loud/voice": "",
    "sends": "FILE = 'safe.py'\n",
}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    for name, text in SHOP.items():
        path = tmp_path / "shop_of_tests" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return tmp_path / "shop_of_tests"


def stands_on(*names: str) -> set[str]:
    found = Modules().closure(f"shop_of_tests.{name}" for name in names)
    return {name.removeprefix("shop_of_tests.") for name in found} - {"shop_of_tests"} - set(names)


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("counter", {"till", "safe", "store", "store.shelf"}),
        ("till", {"safe"}),
        ("street", set()),
        ("store.guard", {"store", "store.shelf"}),
        ("guest", {"store", "store.cellar"}),
        ("by_name", {"safe"}),
        ("absent", set()),
        ("absent.inside", set()),
    ],
)
def test_a_module_stands_on_what_it_and_its_functions_import_and_no_more(shop, module, others):
    assert stands_on(module) == others


def test_a_package_that_only_hands_names_on_brings_those_that_are_taken_from_it(shop):
    assert "store.cellar" not in stands_on("counter")
    assert "store.cellar" in stands_on("guest")
    assert "store.cellar" in stands_on("dotted"), "the name leads to all of the package"


def test_a_package_with_statements_of_its_own_runs_for_every_module_in_it(shop):
    assert stands_on("loud.voice") == {"loud", "safe"}


def test_nothing_is_imported_to_find_out(shop):
    assert Modules().digest(["shop_of_tests.counter"])
    assert not [name for name in sys.modules if name.startswith("shop_of_tests")]


def test_a_change_counts_for_what_stands_on_it_alone(shop):
    before = {name: Modules().digest([f"shop_of_tests.{name}"]) for name in ("till", "guest")}
    (shop / "safe.py").write_text("key = 2\n")
    after = {name: Modules().digest([f"shop_of_tests.{name}"]) for name in before}
    assert {name for name in before if before[name] != after[name]} == {"till"}


def test_the_packages_around_a_module_count(shop):
    before = Modules().digest(["shop_of_tests.store.shelf"])
    (shop / "store" / "__init__.py").write_text("wine = 2\n")
    assert Modules().digest(["shop_of_tests.store.shelf"]) != before


def test_a_file_that_a_module_hands_out_counts_to_its_last_comment(shop):
    before = {name: Modules().digest([f"shop_of_tests.{name}"]) for name in ("sends", "till")}
    (shop / "safe.py").write_text("key = 1  # for the customers\n")
    after = {name: Modules().digest([f"shop_of_tests.{name}"]) for name in before}
    assert {name for name in before if before[name] != after[name]} == {"sends"}


def test_a_zip_has_the_digest_of_the_folder(shop, tmp_path, monkeypatch):
    in_folder = Modules().digest(["shop_of_tests.counter"])
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "shop_of_tests")
    shutil.rmtree(shop)
    monkeypatch.syspath_prepend(archive)
    importlib.invalidate_caches()
    assert Modules().digest(["shop_of_tests.counter"]) == in_folder


@pytest.mark.parametrize("name", ["", "__main__"])
def test_a_name_that_leads_to_no_module_stands_on_nothing(name, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert Modules().closure([name]) == frozenset()


def test_libraries_are_no_part_of_it():
    tops = {name.partition(".")[0] for name in Modules().closure(["rankhammer.pipelines.training.nodes"])}
    assert tops == {"rankhammer"}
