"""One file with the pages of a run: nothing beside it is needed, and nothing slipped in is run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from tests.support.run_results import HOSTILE

from rankhammer.dashboard.self_contained import report
from rankhammer.errors import DataError


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.targets, self.ids, self.loaded = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.targets += [found["href"]] if tag == "a" and "href" in found else []
        self.ids += [found["id"]] if "id" in found else []
        self.loaded += [found[name] for name in ("src", "action") if name in found]


@pytest.fixture
def html(signed_in):
    return report(signed_in.site.results, signed_in.site.tables, 1, environment="local")


def test_a_file_loads_nothing_and_its_links_stay_in_it(html):
    found = Links(html)
    assert found.loaded == []
    assert {target.removeprefix("#") for target in found.targets} <= {*found.ids}
    assert len(found.ids) == len({*found.ids})


def test_only_its_own_scripts_may_run(html):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    assert html.count("<script>") == 3
    assert HOSTILE not in html


def test_it_has_every_page_of_the_run(html):
    for part in (
        "logged order",
        "best so far",
        "Conditional perplexity",
        "Share of all",
        "Largest gains",
        "Core-hours",
    ):
        assert part in html


def test_the_same_results_give_the_same_bytes(html, signed_in):
    assert report(signed_in.site.results, signed_in.site.tables, 1, environment="local") == html


def test_a_run_that_is_not_there_is_an_error(signed_in):
    with pytest.raises(DataError, match="no run 7"):
        report(signed_in.site.results, signed_in.site.tables, 7, environment="local")
