"""Rows in batches end where queries end, and give the same models wherever they are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rankhammer.errors import DataError
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.query_batches import BatchWriter, Slices, batch_starts
from rankhammer.rankers.xgboost import XGBoostOptions, XGBoostRanker

SETTINGS = FitSettings(n_rounds=12, early_stopping_rounds=5, metric_k=10, n_threads=1, random_state=3)


def _data(sizes, *, seed: int = 0) -> RankingData:
    rng = np.random.default_rng(seed)
    qid = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    features = rng.normal(size=(len(qid), 4)).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    label = np.clip(np.nan_to_num(features[:, 0]) + 1, 0, 3).round().astype(np.float32)
    names = ("a", "b", "c", "d")
    return RankingData(features, label, qid, rng.random(len(qid)), names, rng.permutation(len(qid)).astype(float))


@pytest.mark.parametrize(
    ("sizes", "max_rows", "starts"),
    [
        ([3, 3, 3], 9, [0]),
        ([3, 3, 3], 8, [0, 6]),
        ([3, 3, 3], 3, [0, 3, 6]),
        ([3, 9, 2], 5, [0, 3, 12]),
        ([9], 5, [0]),
        ([9, 1], 5, [0, 9]),
    ],
)
def test_a_batch_ends_with_the_last_query_that_fits(sizes, max_rows, starts):
    assert batch_starts(np.repeat(np.arange(len(sizes), dtype=np.int32), sizes), max_rows) == starts


@pytest.mark.parametrize("part_rows", [1, 7, 50, 1000])
def test_a_stream_is_cut_as_rows_in_memory_are(tmp_path, part_rows):
    data = _data(np.random.default_rng(1).integers(1, 40, 30))
    writer = BatchWriter(tmp_path, max_rows=60)
    for first in range(0, len(data.qid), part_rows):
        rows = slice(first, first + part_rows)
        arrays = {name: getattr(data, name)[rows] for name in ("features", "label", "qid", "weight", "position")}
        writer.add(RankingData(**arrays, feature_names=data.feature_names))
    files, slices = writer.finish(), Slices(data, max_rows=60)
    assert (len(files), files.n_rows, files.n_queries) == (len(slices), len(data.qid), 30)
    for place in range(len(files)):
        for name in ("features", "label", "qid", "weight", "position"):
            np.testing.assert_array_equal(getattr(files[place], name), getattr(slices[place], name))


@pytest.mark.parametrize("options", [{}, {"objective": "rank:map"}, {"unbiased": True}])
def test_a_model_has_the_same_bytes_from_disk_as_from_memory(tmp_path, options):
    ranker = XGBoostRanker(XGBoostOptions(subsample=0.7, **options))
    models = []
    for cached in (False, True):
        prepared = None
        both = []
        for name, seed in (("train", 0), ("valid", 5)):
            cache = tmp_path / name if cached else None
            if cache:
                cache.mkdir()
            data = _data([5, 9, 14] * 60, seed=seed)
            slices = Slices(data, max_rows=300)
            assert len(slices) > 4
            prepared = ranker.prepare_batches(slices, reference=prepared, cache=cache)
            both.append(prepared)
        models.append(ranker.fit(*both, params={}, settings=SETTINGS))
        assert any((tmp_path / "train").iterdir()) if cached else not (tmp_path / "train").exists()
        del both, prepared
    assert models[0] == models[1]


def test_a_query_that_a_batch_cuts_is_refused():
    data = _data([5, 9, 14])

    class Cut:
        def __len__(self):
            return 2

        def __getitem__(self, place):
            rows = slice(0, 7) if place == 0 else slice(7, None)
            arrays = {name: getattr(data, name)[rows] for name in ("features", "label", "qid", "weight")}
            return RankingData(**arrays, feature_names=data.feature_names)

    # The same rows are counted as four queries by both, so only what the files say of all rows tells.
    cut = Cut()
    with pytest.raises(DataError, match="XGBoost sees 4 queries in rows of 3"):
        XGBoostRanker(XGBoostOptions()).prepare_batches(cut)


def test_rows_that_are_not_sorted_by_query_are_refused(tmp_path):
    data = _data([3, 3])
    writer = BatchWriter(tmp_path)
    writer.add(replace(data, qid=data.qid[::-1].copy()))
    with pytest.raises(DataError, match="not sorted by query"):
        writer.finish()


def test_average_precision_is_learned_of_grades_above_zero_and_measured_by_grades():
    ranker = XGBoostRanker(XGBoostOptions(objective="rank:map"))
    data = _data([20] * 40)
    train = ranker.prepare(data)
    valid = ranker.prepare(data, reference=train)
    assert set(train.get_label()) == {0.0, 1.0}
    assert set(valid.get_label()) == set(data.label)
    assert ranker.objective == "rank:map"
    model = ranker.fit(train, valid, params={}, settings=SETTINGS).model
    assert np.corrcoef(ranker.score(model, data.features), data.label)[0, 1] > 0.5


def test_position_bias_is_estimated_by_the_place_in_the_log():
    plain, unbiased = (XGBoostRanker(XGBoostOptions(unbiased=one)) for one in (False, True))
    data = _data([20] * 40)
    by_position = replace(data, position=np.tile(np.arange(20.0)[::-1], 40))
    found = {
        name: ranker.fit(ranker.prepare(rows), None, params={}, settings=SETTINGS).model
        for name, ranker, rows in (
            ("plain", plain, data),
            ("plain, other positions", plain, by_position),
            ("unbiased", unbiased, data),
            ("unbiased, other positions", unbiased, by_position),
        )
    }
    assert found["plain"] == found["plain, other positions"]
    assert len(set(found.values())) == 3


@pytest.mark.parametrize("position", [None, np.full(800, np.nan)], ids=["none", "all-missing"])
def test_position_bias_without_positions_is_refused(position):
    ranker = XGBoostRanker(XGBoostOptions(unbiased=True))
    with pytest.raises(DataError, match="no row has one"):
        ranker.prepare(replace(_data([20] * 40), position=position))


def test_a_graphics_card_is_asked_for_where_the_option_says_so():
    for device, expected in (("cpu", None), ("cuda", "cuda")):
        ranker = XGBoostRanker(XGBoostOptions(device=device))
        assert ranker._booster_params({}, SETTINGS, ("a",)).get("device") == expected
