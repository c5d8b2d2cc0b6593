"""The order of one feature as a ranker."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer import plugins
from rankhammer.errors import DataError
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings, RankingData

SETTINGS = FitSettings(n_rounds=5, early_stopping_rounds=None, metric_k=10, n_threads=1, random_state=0)
FEATURES = np.array([[0.3, 7.1], [0.2, np.nan], [0.1, 3.3]], np.float32)
DATA = RankingData(FEATURES, np.array([0, 1, 2], np.float32), np.zeros(3, np.int32), np.ones(3), ("age", "bm25"))


def _ranker(feature: str):
    return plugins.create("rankers", PluginSpec(name="baseline", options={"feature": feature}))


def test_its_score_is_the_feature_itself_and_an_absent_one_is_zero():
    ranker = _ranker("bm25")
    fitted = ranker.fit(ranker.prepare(DATA), None, params={}, settings=SETTINGS)
    assert ranker.score(fitted.model, FEATURES).tolist() == [np.float32(7.1), 0.0, np.float32(3.3)]
    assert ranker.importance(fitted.model, DATA.feature_names) == {"age": 0.0, "bm25": 1.0}


def test_a_feature_that_is_not_in_the_set_is_named_with_the_closest_one():
    with pytest.raises(DataError, match="'bm52', which is not in the feature set") as caught:
        _ranker("bm52").prepare(DATA)
    assert "bm25" in caught.value.hint
