"""Rules of the neutral JSON and its scorer."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rankhammer.errors import ExportError
from rankhammer.exporters.targets import scorer
from rankhammer.exporters.targets.plain_json import PlainJson, PlainJsonOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXPORTER = PlainJson(PlainJsonOptions())


@pytest.fixture(scope="module")
def absent(make_ranker: Callable[..., Any]) -> Any:
    return make_ranker(keep=("title_match", "mixed"))


def test_the_scorer_scores_a_document_as_the_booster(absent: Any) -> None:
    model = json.loads(EXPORTER.write(absent.ranker)["model.json"])
    names = absent.ranker.feature_set.names

    for row, expected in zip(absent.features[:40].tolist(), absent.margins.tolist(), strict=False):
        assert scorer.score(model, dict(zip(names, row, strict=True))) == expected


def test_scoring_all_at_once_gives_the_scorers_values(absent: Any) -> None:
    files = EXPORTER.write(absent.ranker)

    scores = EXPORTER.score(files, absent.features, absent.ranker.feature_set.names)

    np.testing.assert_array_equal(scores, absent.margins.astype(np.float64))


def test_columns_may_come_in_any_order(absent: Any) -> None:
    files, names = EXPORTER.write(absent.ranker), absent.ranker.feature_set.names

    scores = EXPORTER.score(files, absent.features[:, ::-1], names[::-1])

    np.testing.assert_array_equal(scores, absent.margins.astype(np.float64))


def test_the_written_scorer_runs_on_a_bare_python(absent: Any, tmp_path: Path) -> None:
    for name, content in EXPORTER.write(absent.ranker).items():
        (tmp_path / name).write_bytes(content)
    code = "import json, scorer; print(scorer.score(json.load(open('model.json')), {'popularity': 3.5}))"
    bare = [sys.executable, "-S", "-s", "-E", "-c", code]

    printed = subprocess.run(bare, cwd=tmp_path, capture_output=True, check=True, text=True).stdout

    row = np.full((1, 5), np.nan, np.float32)
    row[0, 2] = 3.5
    assert float(printed) == absent.ranker.booster.inplace_predict(row, validate_features=False)[0]


def test_no_key_none_and_nan_are_all_absent(absent: Any) -> None:
    model = json.loads(EXPORTER.write(absent.ranker)["model.json"])

    scores = {scorer.score(model, values) for values in ({}, {"mixed": None}, {"mixed": float("nan"), "other": 1.0})}

    assert len(scores) == 1


def test_a_number_beyond_32_bits_is_infinite() -> None:
    assert scorer.float32(1e300) == float("inf")
    assert scorer.float32(-1e300) == float("-inf")
    assert scorer.float32(0.1) == float(np.float32(0.1))


def test_another_format_version_is_refused(absent: Any) -> None:
    files = EXPORTER.write(absent.ranker)
    files["model.json"] = files["model.json"].replace(b'"format_version":1', b'"format_version":2')

    with pytest.raises(ExportError, match="version 2"):
        EXPORTER.score(files, absent.features, absent.ranker.feature_set.names)
