"""The documentation tells the truth where a test can tell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rankhammer import __version__, plugins
from rankhammer.built_in import BUILT_IN
from rankhammer.click_logs.impressions import ImpressionOptions
from rankhammer.errors import did_you_mean
from rankhammer.pipeline_registry import BRANCHES, COMPOSITES, STAGES

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "packages").rglob("*.md")])
README = (ROOT / "README.md").read_text()


def _code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _own_log() -> dict[str, Any]:
    (block,) = _code_blocks(README, "yaml")
    return yaml.safe_load(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_yaml_examples_can_be_read(page: Path) -> None:
    for block in _code_blocks(page.read_text(), "yaml"):
        assert yaml.safe_load(block)


@pytest.mark.parametrize("stage", [*STAGES, *BRANCHES])
def test_every_stage_has_its_page_parameters_and_catalog_under_its_own_name(stage: str) -> None:
    folders = [f"docs/stages/{stage}.md", f"conf/base/parameters/{stage}.yml", f"conf/base/catalog/{stage}.yml"]
    assert [name for name in folders if not (ROOT / name).exists()] == []


def test_own_log_of_the_readme_has_five_lines_and_only_keys_that_base_has() -> None:
    (block,) = _code_blocks(README, "yaml")
    assert len(block.splitlines()) == 5
    base = yaml.safe_load((ROOT / "conf/base/globals.yml").read_text())
    for name, value in _own_log().items():
        assert name in base, did_you_mean(name, base)
        assert not isinstance(value, dict) or set(value) <= set(base[name])


def test_own_log_of_the_readme_has_options_that_the_default_reader_takes() -> None:
    base = yaml.safe_load((ROOT / "conf/base/globals.yml").read_text())
    assert base["click_log"]["reader"] == "impressions"
    assert ImpressionOptions.model_validate(_own_log()["click_log"]["options"]).columns.doc_id == "sku"


def test_pipelines_and_commands_of_the_readme_exist() -> None:
    from rankhammer.cli.main import rankhammer

    pipelines = re.findall(r"kedro run --pipelines?=(\w+)", README)
    assert {"train", "collect"} <= set(pipelines) <= {*STAGES, *BRANCHES, *COMPOSITES}
    commands = re.findall(r"^ +rankhammer ([\w-]+)", README, re.MULTILINE)
    assert commands
    assert set(commands) <= set(rankhammer.commands)


def test_the_readme_counts_the_click_models() -> None:
    n_models = len(BUILT_IN["click_models"])
    words = dict(enumerate(("nine", "ten", "eleven", "twelve", "thirteen", "fourteen"), start=9))
    assert f"the DBN, or one of {words[n_models - 1]} others" in README


def test_plugin_guide_names_every_group() -> None:
    guide = (ROOT / "docs" / "plugins.md").read_text().partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE) == list(plugins.GROUPS)


def test_index_lists_every_decision_and_every_stage() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [*(ROOT / "docs/adr").glob("*.md"), *(ROOT / "docs/stages").glob("*.md")]
    assert [page.name for page in pages if f"/{page.name})" not in index] == []


def test_changelog_has_a_dated_section_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert changelog.index("## [Unreleased]") < changelog.index(f"## [{__version__}]")


def test_four_doors_of_the_index_lead_to_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    doors = re.findall(r"^## (.*)$", index, re.MULTILINE)
    assert doors[:4] == ["Try it", "Operate it", "Extend it", "Look things up"]
    pages = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "index.md"]
    assert [page for page in pages if f"({page})" not in index] == []
