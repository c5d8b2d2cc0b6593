"""Rules of RankLib's format, with a scorer written after how RankLib reads and evaluates an ensemble."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest

from rankhammer.errors import ExportError
from rankhammer.exporters.targets.ranklib import RankLib, RankLibOptions

if TYPE_CHECKING:
    from collections.abc import Callable

MATCH = {"type": "match", "name": "title_match", "field": "title"}
SOLD = {"type": "field_value", "name": "sold", "field": "sold"}


def exporter(**options: Any) -> RankLib:
    return RankLib(RankLibOptions(**options))


def text_of(files: dict[str, bytes]) -> str:
    model = json.loads(files["model.json"])["model"]["model"]
    assert model["type"] == "model/ranklib"
    return model["definition"]


def parse(text: str) -> list[tuple[np.float32, Any]]:
    """Join the stripped lines that are no comments, as RankLib does, and return (weight, root) of each tree."""
    kept = [line.strip() for line in text.split("\n") if not line.startswith("#")]
    return [(np.float32(tree.get("weight")), tree[0]) for tree in ElementTree.fromstring("".join(kept))]


def ranklib_score(trees: list[tuple[np.float32, Any]], values: list[np.float32]) -> np.float32:
    """Go left when value <= threshold, both float32; features count from 1; an absent value (NaN) is 0."""
    total = np.float32(0)
    for weight, root in trees:
        split = root
        while split[0].tag == "feature":
            value = values[int(split[0].text) - 1]
            value = np.float32(0) if np.isnan(value) else value
            split = split[2] if value <= np.float32(split[1].text.strip()) else split[3]
        total = np.float32(float(total) + float(np.float32(split[0].text.strip())) * float(weight))
    return total


def stored_names(files: dict[str, bytes]) -> list[str]:
    return [feature["name"] for feature in json.loads(files["feature_set.json"])["featureset"]["features"]]


def score_all(files: dict[str, bytes], trained: Any) -> list[np.float32]:
    trees = parse(text_of(files))[:-1]
    columns = [trained.ranker.feature_set.names.index(name) for name in stored_names(files)]
    return [ranklib_score(trees, list(row[columns])) for row in trained.features]


def test_an_independent_scorer_gives_the_boosters_scores_to_the_last_bit_on_hostile_vectors(hostile: Any) -> None:
    files = exporter().write(hostile.ranker)

    np.testing.assert_array_equal(score_all(files, hostile), hostile.margins)
    ours = exporter().score(files, hostile.features, hostile.ranker.feature_set.names)
    np.testing.assert_array_equal(ours, hostile.margins)


def test_ordinals_count_within_the_stored_set(make_ranker: Callable[..., Any]) -> None:
    features = ({**SOLD, "name": "constant"}, MATCH, {**SOLD, "name": "last"})
    trained = make_ranker("reg:squarederror", features=features, n_trees=1, max_depth=1)
    files = exporter().write(trained.ranker)

    used = stored_names(files)

    assert len(used) == 1
    assert "<feature> 1 </feature>" in text_of(files)
    np.testing.assert_array_equal(score_all(files, trained), trained.margins)


def test_the_text_begins_as_ranklib_asks_and_the_constant_lifts_scores_to_zero(hostile: Any) -> None:
    files = exporter().write(hostile.ranker)
    text = text_of(files)

    first, *_, constant = parse(text)

    assert text.startswith("## LambdaMART\n## No. of trees = 42\n\n<ensemble>\n")
    assert first[1][0].text.strip() == "0.3"
    assert min(score_all(files, hostile)) < 0 <= min(score_all(files, hostile)) + float(constant[1][0].text)


def test_an_absent_feature_is_0_whatever_the_version(make_ranker: Callable[..., Any]) -> None:
    ranker = make_ranker("reg:squarederror", keep=("sold",), n_trees=30, features=(MATCH, SOLD)).ranker

    with pytest.raises(ExportError, match=r"reaches the trees as 0\.0"):
        exporter(version="3.8").write(ranker)


@pytest.mark.parametrize(
    ("options", "target", "path"),
    [
        ({}, "ranklib-opensearch-3.6", "opensearch"),
        ({"engine": "elasticsearch", "version": "1.5.10"}, "ranklib-elasticsearch-1.5.10", "elasticsearch"),
    ],
)
def test_the_engine_is_an_option(trained: Any, options: dict[str, str], target: str, path: str) -> None:
    chosen = exporter(**options)

    facts = chosen.facts(trained.ranker, chosen.write(trained.ranker))

    assert chosen.target == target
    assert facts["engine"]["name"] == path
    assert facts["proved_by"] == "file only"
