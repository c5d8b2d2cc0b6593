"""The pictures and the page of commands are those of the code: `make docs-pages` writes them."""

from __future__ import annotations

import re
from pathlib import Path

import generated_docs
import pytest

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_generated_pages_are_current() -> None:
    stale = [page.name for page, content in generated_docs.pages().items() if page.read_text() != content]
    assert stale == [], "make docs-pages"


def test_every_arrow_of_the_package_picture_goes_down() -> None:
    depth = {name: place for place, names in enumerate(generated_docs.layers()) for name in names}
    arrows = re.findall(r"^    (\w+) --> (\w+)$", generated_docs.package_picture(), re.MULTILINE)
    assert arrows
    assert [(name, other) for name, other in arrows if depth[name] > depth[other]] == []


def test_an_arrow_is_left_out_only_where_a_longer_way_stands_for_it() -> None:
    arrows = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"c"}}
    assert generated_docs.shortest(arrows) == {"a": {"b"}, "b": {"c"}, "c": set(), "d": {"c"}}


def test_data_picture_shows_every_hand_off_between_stages() -> None:
    picture = generated_docs.data_picture()
    for line in ("ingestion([ingestion]) --> serps", "serps --> labeling([labeling])", "ranker --> export([export])"):
        assert line in picture
    assert "params:" not in picture


def test_page_of_commands_has_every_command_and_kedro_s_options_of_run() -> None:
    from rankhammer.cli import rankhammer

    page = (ROOT / "docs" / "cli.md").read_text()
    assert set(re.findall(r"^## ([\w-]+)$", page, re.MULTILINE)) == set(rankhammer.commands)
    assert "--only-missing-outputs" in page


def test_part_without_marks_is_noticed() -> None:
    with pytest.raises(ValueError, match="no part 'data'"):
        generated_docs.replaced("# Page\n", "data", "x")


def test_files_that_the_architecture_names_are_there() -> None:
    section = ARCHITECTURE.partition("## Where things are")[2]
    names = re.findall(r"`(?:src/rankhammer/)?([\w/]+(?:\.py|/))`", section)
    assert len(names) > 20
    assert [name for name in names if not _exists(name)] == []


def _exists(name: str) -> bool:
    places = (ROOT, ROOT / "src/rankhammer", ROOT / "src/rankhammer/exporters")
    return any((place / name).exists() for place in places)
