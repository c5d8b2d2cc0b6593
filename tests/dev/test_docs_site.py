"""What `make docs` stages: every page once, links as they are there, and a page for each part of the API."""

from __future__ import annotations

import re
from pathlib import Path

import docs_site

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "docs" / "index.md"


def test_links_between_pages_lead_to_where_they_are_staged() -> None:
    assert docs_site.moved_links("[a](../README.md) [b](adr/0003-one-plugin-registry.md)", INDEX) == (
        "[a](why.md) [b](adr/0003-one-plugin-registry.md)"
    )
    stage = ROOT / "docs" / "stages" / "export.md"
    assert docs_site.moved_links("[a](../plugins.md#x)", stage) == "[a](../plugins.md#x)"
    assert docs_site.moved_links("[a](docs/plugins.md)", ROOT / "README.md") == "[a](plugins.md)"


def test_what_is_no_page_is_named_without_a_link() -> None:
    assert docs_site.moved_links("[tour](../notebooks/tour.ipynb)", INDEX) == "tour"


def test_a_link_that_leads_nowhere_stays_for_the_build_to_refuse() -> None:
    assert docs_site.moved_links("[gone](gone.md) [out](https://example.org)", INDEX) == (
        "[gone](gone.md) [out](https://example.org)"
    )


def test_navigation_of_the_site_names_every_page_but_decisions_and_those_of_single_rules() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    named = set(re.findall(r"[\w/]+\.md", text.partition("\nnav:")[2].partition("\nnot_in_nav")[0]))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    # docs/doctor/index.md lists the rules; tests/docs/test_doctor_pages.py has a page for each.
    listed_elsewhere = re.compile(r"adr/|doctor/[SDC]\d+\.md")
    wanted = {page for page in pages if not listed_elsewhere.match(page)} | set(docs_site.ROOT_PAGES.values())
    assert named - {"api/index.md"} == wanted


def test_api_has_a_page_for_each_package_with_all_its_modules() -> None:
    pages = docs_site.api_pages()
    packages = {path.parent.name for path in (ROOT / "src/rankhammer").glob("*/__init__.py")}
    assert {f"{name}.md" for name in packages} <= set(pages)
    assert "::: rankhammer.exporters.targets.solr_ltr\n" in pages["exporters.md"]
    assert "[click_models](click_models.md)" in pages["index.md"]
