"""The feature source with `logging: sltr` on Spark: batches that are kept, members that are refused."""

from __future__ import annotations

import pytest
from ltr_node.refusals import Refusal
from shop import FEATURES

from rankhammer import plugins
from rankhammer.plugins import PluginSpec

PAIRS = [("shop", f"{word} {n}", str(doc)) for n in range(4) for word in ("red", "blue hat") for doc in (1, 2, 3, 404)]


@pytest.fixture
def rows(spark):
    return spark.createDataFrame(PAIRS, "corpus string, query string, doc_id string")


def collected(node, rows, name="opensearch", **options):
    given = {"url": node.url, "pace": "greedy", "logging": "sltr", "patience_s": 2, **options}
    source = plugins.create("feature_sources", PluginSpec(name=name, options=given))
    # Sorted here: Spark would ask a second time, for a sample of what it sorts.
    found = sorted(source.collect(rows, documents=None, feature_set=FEATURES).collect(), key=lambda row: row[:3])
    return [(row["query"], row["doc_id"], row["features"] and tuple(row["features"])) for row in found]


def searches(node):
    return sum(text.count('"ltr_log"') for _, path, text in node.asked if path.startswith("/_msearch"))


def test_every_pair_gets_its_values_whatever_the_size_of_requests(shop, rows):
    found = collected(shop, rows, searches_per_request=1)
    assert len(found) == len(PAIRS)
    assert [doc for _, doc, features in found if features is None] == ["404"] * 8
    assert found == collected(shop, rows, name="elasticsearch", searches_per_request=200)


def test_refused_members_change_no_value(stand_in_shop, rows):
    undisturbed = collected(stand_in_shop, rows)
    stand_in_shop.asked.clear()
    stand_in_shop.busy_members = 5
    assert collected(stand_in_shop, rows) == undisturbed
    assert searches(stand_in_shop) == 8 + 5


def test_a_store_that_opens_again_after_a_restart_is_waited_for(stand_in_shop, rows):
    undisturbed = collected(stand_in_shop, rows)
    stand_in_shop.closed_lookups = 5
    assert collected(stand_in_shop, rows) == undisturbed
    assert stand_in_shop.closed_lookups == 0


def test_a_run_that_broke_off_goes_on_and_asks_nothing_twice(stand_in_shop, rows, tmp_path):
    undisturbed = collected(stand_in_shop, rows)
    options = {
        "progress": str(tmp_path / "kept"),
        "searches_per_batch": 1,
        "max_in_flight": 1,
        "searches_per_request": 1,
    }
    stand_in_shop.asked.clear()

    def break_off(method, path):
        if searches(stand_in_shop) == 4:
            raise Refusal(403, ("security_exception", "no permissions"))

    stand_in_shop.on_request = break_off
    with pytest.raises(Exception, match="no permissions"):
        collected(stand_in_shop, rows, **options)
    kept = sorted(tmp_path.glob("kept/*/*/_SUCCESS"))
    stamps = [path.stat().st_mtime_ns for path in kept]
    assert 0 < len(kept) < 8
    stand_in_shop.on_request = lambda method, path: None
    assert collected(stand_in_shop, rows, **options) == undisturbed
    assert [path.stat().st_mtime_ns for path in kept] == stamps
    # At most the searches of the one batch that was interrupted are repeated.
    assert searches(stand_in_shop) <= 8 + 4
    stand_in_shop.asked.clear()
    assert collected(stand_in_shop, rows, **options) == undisturbed
    assert searches(stand_in_shop) == 0
