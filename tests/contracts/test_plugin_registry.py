"""Rules of the plugin registry, whoever provides the plugin."""

from __future__ import annotations

import traceback
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from rankhammer import plugins
from rankhammer.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXAMPLE = "rankhammer-example-plugin"


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Put a distribution with one module and one entry point on sys.path."""

    def make(group: str, entry_point: str, code: str) -> None:
        module = entry_point.split("=")[1].split(":")[0].strip()
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / "odd_plugin-2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-plugin\nVersion: 2.3\n")
        (info / "entry_points.txt").write_text(f"[rankhammer.{group}]\n{entry_point}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return make


def _by_name(group: str) -> dict[str, plugins.PluginInfo]:
    return {found.name: found for found in plugins.installed() if found.group == group}


def test_installed_distribution_is_listed_with_its_version(example_plugin: Path) -> None:
    found = [plugin for plugin in plugins.installed() if plugin.distribution == EXAMPLE]
    listed = {(plugin.group, plugin.name, plugin.version, plugin.error) for plugin in found}
    version = metadata.version(EXAMPLE)
    assert listed == {("click_logs", "spaced_lists", version, ""), ("exporters", "tree_csv", version, "")}


def test_summary_is_the_first_line_of_the_docstring(example_plugin: Path) -> None:
    summary = _by_name("exporters")["tree_csv"].summary
    assert summary == "The trees as a CSV file, a row a node; the base score is a first tree of one leaf."


def test_every_plugin_loads_and_has_a_summary(example_plugin: Path) -> None:
    assert [plugin for plugin in plugins.installed() if plugin.error or not plugin.summary] == []


@pytest.mark.parametrize("group", plugins.GROUPS)
def test_every_plugin_declares_frozen_options_that_refuse_unknown_names(group: str) -> None:
    for name in _by_name(group):
        config = plugins.load(group, name).Options.model_config
        assert (name, config.get("frozen"), config.get("extra")) == (name, True, "forbid")


def test_unknown_name_is_answered_with_the_closest_one() -> None:
    with pytest.raises(PluginError, match=r"Unknown click_models plugin 'dnb'\.") as caught:
        plugins.load("click_models", "dnb")
    assert caught.value.hint == "Did you mean 'dbn'?"


def test_unknown_name_that_is_close_to_none_is_answered_with_all(example_plugin: Path) -> None:
    with pytest.raises(PluginError) as caught:
        plugins.load("exporters", "zzz")
    assert caught.value.hint.startswith("Known names: ")
    assert "opensearch_ltr" in caught.value.hint
    assert "tree_csv" in caught.value.hint


def test_unknown_group_is_answered_with_the_closest_one() -> None:
    with pytest.raises(PluginError) as caught:
        plugins.load("click_model", "dbn")
    assert caught.value.hint == "Did you mean 'click_models'?"


def test_wrong_option_names_the_plugin_the_option_and_the_known_ones(example_plugin: Path) -> None:
    choice = plugins.PluginSpec(name="tree_csv", options={"filename": "a.csv"})
    with pytest.raises(PluginError, match=r"exporters plugin 'tree_csv'.*filename") as caught:
        plugins.create("exporters", choice)
    assert caught.value.hint == "Did you mean 'file_name'? Its options are: file_name."


def test_create_hands_checked_options_to_the_plugin(example_plugin: Path) -> None:
    exporter = plugins.create("exporters", plugins.PluginSpec(name="tree_csv", options={"file_name": "a.csv"}))
    assert exporter.target == "tree_csv"


def test_broken_plugin_is_named_with_group_name_distribution_and_version(
    distribution: Callable[[str, str, str], None],
) -> None:
    distribution("rankers", "odd = odd_broken:Odd", "raise RuntimeError('no such device')")
    with pytest.raises(PluginError) as caught:
        plugins.load("rankers", "odd")
    message = "rankers plugin 'odd' of odd-plugin 2.3 cannot be loaded: RuntimeError: no such device"
    assert caught.value.message == message


def test_broken_plugin_is_listed_and_hides_no_other(distribution: Callable[[str, str, str], None]) -> None:
    before = plugins.installed()
    distribution("rankers", "odd = odd_missing:Absent", "")
    after = plugins.installed()
    broken = [plugin for plugin in after if plugin.name == "odd"]
    assert [plugin.distribution for plugin in broken] == ["odd-plugin"]
    assert "has no attribute 'Absent'" in broken[0].error
    assert [plugin for plugin in after if plugin.name != "odd"] == before


def test_distribution_cannot_take_a_built_in_name(distribution: Callable[[str, str, str], None]) -> None:
    distribution("click_models", "dbn = odd_thief:Dbn", "class Dbn:\n    '''Not ours.'''\n")
    assert plugins.load("click_models", "dbn").__module__ == "rankhammer.click_models.dbn"
    own, other = [plugin for plugin in plugins.installed() if plugin.name == "dbn"]
    assert (own.distribution, own.error) == ("rankhammer", "")
    assert other.distribution == "odd-plugin"
    assert other.error.startswith("left out: rankhammer ")
    assert plugins.names("click_models").count("dbn") == 1


OPTIONS = "from pydantic import BaseModel\nclass Options(BaseModel): pass\n"
ENDING_META = "class Meta(type):\n  @property\n  def __doc__(cls): raise SystemExit(0)\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys\nsys.exit(0)", "SystemExit: 0"),
        ("raise KeyError('odd')", "KeyError: 'odd'"),
        ("class Odd(Exception):\n  def __str__(self): raise ValueError\nraise Odd", "Odd: an error without a text"),
        ("class Odd: pass", "no `Options`"),
        ("class Odd:\n  Options = 3", "no `Options`"),
        ("Odd = 3", "not a class"),
        (f"{OPTIONS}class Odd:\n  Options, __doc__ = Options, 3", "its docstring is of type int"),
        (f"{OPTIONS}{ENDING_META}class Odd(metaclass=Meta):\n  Options = Options", "SystemExit: 0"),
    ],
)
def test_whatever_a_plugin_does_it_is_named_and_the_others_are_listed(
    distribution: Callable[[str, str, str], None], code: str, reason: str
) -> None:
    before = plugins.installed()
    module = f"odd_{abs(hash(code))}"
    distribution("rankers", f"odd = {module}:Odd", code)
    after = plugins.installed()
    (odd,) = [plugin for plugin in after if plugin.name == "odd"]
    assert (odd.distribution, odd.version) == ("odd-plugin", "2.3")
    assert reason in odd.error
    assert [plugin for plugin in after if plugin.name != "odd"] == before


def test_what_a_plugin_prints_is_no_part_of_the_list(
    distribution: Callable[[str, str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    code = f"print('hello')\n{OPTIONS}class Odd:\n  'One \x1b[31mline.\\nAnother.'\n  Options = Options"
    distribution("rankers", "odd = odd_printing:Odd", code)
    assert _by_name("rankers")["odd"].summary == "One [31mline."
    printed = capsys.readouterr()
    assert (printed.out, "hello" in printed.err) == ("", True)


def test_a_plugin_that_ends_the_process_when_it_is_made_is_named(distribution: Callable[[str, str, str], None]) -> None:
    code = f"{OPTIONS}class Odd:\n  Options = Options\n  def __init__(self, options): raise SystemExit(0)"
    distribution("rankers", "odd = odd_ending:Odd", code)
    with pytest.raises(PluginError, match=r"rankers plugin 'odd' of odd-plugin 2\.3 cannot be loaded: SystemExit"):
        plugins.create("rankers", plugins.PluginSpec(name="odd"))


def test_of_two_packages_with_one_name_the_first_counts_and_the_other_is_named(
    distribution: Callable[[str, str, str], None], tmp_path: Path
) -> None:
    distribution("rankers", "odd = odd_first:Odd", f"{OPTIONS}class Odd:\n  'First.'\n  Options = Options")
    info = tmp_path / "another-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rankhammer.rankers]\nodd = odd_first:Odd\n")
    found = [(plugin.distribution, plugin.error) for plugin in plugins.installed() if plugin.name == "odd"]
    assert found == [
        ("another", ""),
        ("odd-plugin", "left out: another 1.0 has a rankers plugin of this name"),
    ]


def test_packages_are_left_out_by_a_variable(
    distribution: Callable[[str, str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution("rankers", "odd = odd_unwanted:Odd", "raise SystemExit(0)")
    for chosen, expected in (("", False), ("example", False), ("other, Odd_Plugin", True)):
        monkeypatch.setenv("RANKHAMMER_LOAD_PLUGINS", chosen)
        assert ("odd" in plugins.names("rankers")) == expected
        assert {"linear", "xgboost"} <= set(plugins.names("rankers"))
    monkeypatch.setenv("RANKHAMMER_LOAD_PLUGINS", "")
    assert [plugin for plugin in plugins.installed() if plugin.distribution != "rankhammer"] == []
    with pytest.raises(PluginError) as caught:
        plugins.load("rankers", "odd")
    assert "RANKHAMMER_LOAD_PLUGINS is ''" in caught.value.hint


def test_the_value_of_a_wrong_option_is_not_quoted() -> None:
    secret = "planted-5511"
    for options in ({"version": secret}, {"password": secret}, {"version": {"key": secret}}):
        with pytest.raises(PluginError) as caught:
            plugins.create("exporters", plugins.PluginSpec(name="opensearch_ltr", options=options))
        assert secret not in "".join(traceback.format_exception(caught.value))
