"""The neural ranker: what it learns, what it keeps, and that nothing but data, parameters and seed changes it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from rankhammer.errors import ConfigError, DataError
from rankhammer.evaluation.metrics import mean_ndcg
from rankhammer.neural_model import Input, Layer, NeuralModel, file_of, is_neural, read_model
from rankhammer.rankers import FitSettings, RankingData, neural_training
from rankhammer.rankers.neural import NeuralOptions, NeuralRanker, new_network
from rankhammer.rankers.neural_batches import QueryStream, padded
from rankhammer.rankers.neural_inputs import choose_inputs, heavy_tailed
from rankhammer.rankers.neural_training import losses, merged
from rankhammer.rankers.query_batches import BatchWriter, Slices
from rankhammer.training.fit_rows import require_batches

SETTINGS = FitSettings(n_rounds=20, early_stopping_rounds=None, metric_k=10, n_threads=1, random_state=7)
OPTIONS = NeuralOptions(width=8, members=2, batch_rows=256)
RANKER = NeuralRanker(OPTIONS)
NAMES = ("match", "sold", "of_query", "constant")


def _data(n_queries: int = 40, *, seed: int = 0) -> RankingData:
    """Ten documents a query; relevant are those of a middling match, which no weighted sum can say, and sold often."""
    rng = np.random.default_rng(seed)
    match, sold = rng.random(n_queries * 10), rng.lognormal(3, 2, n_queries * 10)
    of_query = np.repeat(rng.random(n_queries), 10)
    label = ((np.abs(match - 0.5) < 0.2).astype(int) * 2 + (sold > 40)).astype(np.float32)
    qid = np.repeat(np.arange(n_queries, dtype=np.int32), 10)
    features = np.stack([match, sold, of_query, np.ones(len(qid))], axis=1).astype(np.float32)
    return RankingData(features, label, qid, np.ones(len(qid)), NAMES)


def _fit(data=None, *, valid=None, ranker=RANKER, settings=SETTINGS, **params):
    train = ranker.prepare(data or _data())
    checked = ranker.prepare(valid, reference=train) if valid else None
    return ranker.fit(train, checked, params=params, settings=settings)


def _ndcg(model: bytes, data: RankingData) -> float:
    return mean_ndcg(RANKER.score(model, data.features), data.label, data.qid, 10)


@pytest.mark.parametrize("loss", ["softmax", "approx_ndcg", "lambda"])
def test_it_learns_what_no_weighted_sum_can_by_each_loss(loss):
    model = _fit(_data(150), settings=replace(SETTINGS, n_rounds=40), loss=loss, learning_rate=0.01).model
    assert _ndcg(model, _data(seed=1)) > 0.9


def test_a_heavy_tail_is_learned_from_its_logarithm_and_what_is_the_same_everywhere_not_at_all():
    inputs = {one.feature: one for one in read_model(_fit().model).inputs}
    assert [name for name, one in inputs.items() if one.log] == ["sold"]
    assert "constant" not in inputs
    logs = np.log1p(_data().features[:, 1].astype(float))
    assert (inputs["sold"].mean, inputs["sold"].spread) == pytest.approx((logs.mean(), logs.std()), rel=1e-5)


def test_patterns_name_what_a_logarithm_is_taken_of():
    found = choose_inputs(Slices(_data()), ["m*"])
    assert [one.feature for one in found if one.log] == ["match"]
    with pytest.raises(DataError, match="names 'prize'"):
        choose_inputs(Slices(_data()), ["prize"])
    assert not heavy_tailed(np.zeros((3, 1), np.float32)).any()


def test_its_score_is_the_arithmetic_of_its_file():
    model = NeuralModel(
        ("a", "unused", "b"),
        (Input("b", True, 1.0, 2.0), Input("a", False, -1.0, 0.5)),
        (
            Layer(np.array([[1.0, 2.0], [-1.0, 0.5]], np.float32), np.array([0.25, -8.0], np.float32)),
            Layer(np.array([[3.0, 100.0]], np.float32), np.array([0.5], np.float32)),
        ),
    )
    b = (np.log(1 + 4) - 1) / 2
    found = read_model(model.to_bytes()).score(np.array([[1.5, 7.0, 4.0], [np.nan, 7.0, -4.0]], np.float32))
    # The second unit is below 0. An absent value is 0; the logarithm of -4 is minus that of 4.
    absent = max(0.0, (-np.log(5) - 1) / 2 + 2 * (0 + 1) / 0.5 + 0.25)
    assert found == pytest.approx([3 * (b + 2 * (1.5 + 1) / 0.5 + 0.25) + 0.5, 3 * absent + 0.5], rel=1e-6)


def test_bytes_are_canonical_and_read_back_to_the_last_bit():
    model = _fit().model
    assert is_neural(model)
    assert file_of(model) == "model.json"
    assert read_model(model).to_bytes() == model
    content = json.loads(model)
    content["layers"][0]["bias"].append(1.0)
    with pytest.raises(DataError, match="cannot be read: a layer of shape"):
        read_model(json.dumps(content).encode())
    with pytest.raises(DataError, match="cannot be read"):
        read_model(b"none")


def test_a_seed_decides_everything_and_the_order_of_columns_in_memory_nothing():
    data = _data()
    same = replace(data, features=np.asfortranarray(data.features))
    assert _fit(data).model == _fit(same).model
    assert _fit(data).model != _fit(data, settings=replace(SETTINGS, random_state=8)).model


def test_a_fit_stops_early_and_keeps_the_best_round():
    valid = _data(seed=1)
    settings = replace(SETTINGS, n_rounds=60, early_stopping_rounds=3)
    fitted = _fit(valid=valid, settings=settings, learning_rate=0.02)
    assert 1 <= fitted.n_rounds < 60
    again = _fit(settings=replace(settings, n_rounds=fitted.n_rounds, early_stopping_rounds=None), learning_rate=0.02)
    assert again.model == fitted.model


def test_rows_in_files_give_the_bytes_of_rows_in_memory(tmp_path):
    data = _data()
    writer = BatchWriter(tmp_path, max_rows=1 << 18)
    for first in range(0, 400, 70):
        rows = slice(first, first + 70)
        part = (data.features[rows], data.label[rows], data.qid[rows], data.weight[rows])
        writer.add(RankingData(*part, NAMES))
    from_files = require_batches(RANKER).prepare_batches(writer.finish())
    assert RANKER.fit(from_files, None, params={}, settings=SETTINGS).model == _fit(data).model


def _stream(share=(0, 1), max_rows=64):
    data = _data(30)
    sizes = [3, 9, 40, 1, 5] * 6
    qid = np.repeat(np.arange(30, dtype=np.int32), sizes)[:300]
    rows = replace(data, qid=qid)
    scaling = NeuralModel(NAMES, choose_inputs(Slices(rows), ["auto"]), ())
    return rows, QueryStream(Slices(rows, 100), scaling, max_rows, share)


def test_a_round_shows_each_query_that_teaches_something_once_in_few_shapes():
    rows, stream = _stream()
    batches = [*stream.round(1, 1)]
    shapes = {batch.label.shape for batch in batches}
    assert shapes <= {(8, 8), (2, 32), (1, 128)}
    grades = sorted(sorted(batch.label[i][batch.there[i]]) for batch in batches for i in np.flatnonzero(batch.weight))
    starts = np.flatnonzero(np.diff(rows.qid, prepend=-1))
    of_query = np.split(rows.label, starts[1:])
    assert grades == sorted(sorted(found) for found in of_query if found.max() > found.min())
    assert not any(batch.features[~batch.there].any() for batch in batches)


def test_rounds_differ_and_repeat_by_their_number():
    _, stream = _stream()
    first, again, other = ([batch.label.sum() for batch in stream.round(1, number)] for number in (1, 1, 2))
    assert first == again != other


def test_processes_share_each_mini_batch_and_see_equally_many():
    _, whole = _stream()
    parts = [[*_stream((rank, 2))[1].round(1, 1)] for rank in range(2)]
    assert len(parts[0]) == len(parts[1])
    total = sum(batch.label.sum() for part in parts for batch in part)
    assert total == sum(batch.label.sum() for batch in whole.round(1, 1))
    assert all(one.label.shape == other.label.shape for one, other in zip(*parts, strict=True))


def test_lists_are_filled_up_to_a_few_lengths():
    assert padded(np.array([1, 8, 9, 32, 33, 500])).tolist() == [8, 8, 32, 32, 128, 512]


def test_members_become_one_network_with_their_mean_score():
    network = new_network(OPTIONS, 3, 5)
    inputs = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    names = ("a", "b", "c")
    whole = NeuralModel(names, tuple(Input(name, False, 0.0, 1.0) for name in names), network.layers())
    assert whole.score(inputs) == pytest.approx(network.scores(inputs), abs=1e-5)
    assert merged([[Layer(np.ones((1, 3), np.float32), np.ones(1, np.float32))]])[0].weights.shape == (1, 3)


def test_training_goes_on_from_a_checkpoint_as_if_nothing_had_been():
    prepared = RANKER.prepare(_data())
    stream = QueryStream(prepared.batches, prepared.scaling, 256)

    def go(network, rounds):
        for number in rounds:
            network.begin_round(number)
            for batch in stream.round(7, number):
                network.learn(batch)
        return network

    through = go(new_network(OPTIONS, 3, 7), range(1, 5))
    resumed = new_network(OPTIONS, 3, 7)
    resumed.load(go(new_network(OPTIONS, 3, 7), range(1, 3)).save())
    assert go(resumed, range(3, 5)).save() == through.save()
    with pytest.raises(DataError, match="another shape"):
        new_network(OPTIONS.model_copy(update={"width": 4}), 3, 7).load(through.save())


def test_raxs_approximate_ndcg_works_with_a_jax_that_has_no_util():
    import jax
    import jax.numpy as jnp

    scores, label, there = jnp.array([[9.0, 0.0, -9.0]]), jnp.array([[2.0, 1.0, 0.0]]), jnp.ones((1, 3), bool)
    assert losses()["approx_ndcg"](scores * 10, label, there)[0] == pytest.approx(-1.0, abs=1e-3)
    assert not hasattr(jax, "util")


def test_what_cannot_be_learned_from_is_named():
    data = _data()
    with pytest.raises(DataError, match=r"Grade 2\.5"):
        RANKER.prepare(replace(data, label=data.label + 0.5))
    features = data.features.copy()
    features[3, 1] = np.inf
    with pytest.raises(DataError, match="'sold' is infinite in 1 rows"):
        RANKER.prepare(replace(data, features=features))


def test_training_without_the_extra_is_refused_by_name_and_scoring_needs_none_of_it(monkeypatch):
    model = _fit().model
    monkeypatch.setattr(neural_training, "PACKAGES", ("jax", "nojax"))
    with pytest.raises(ConfigError, match="not installed: nojax"):
        RANKER.require_training()
    with pytest.raises(ConfigError, match="not installed: nojax"):
        RANKER.prepare(_data())
    code = (
        "import sys; sys.modules['jax'] = None; sys.modules['optax'] = None\n"
        "from rankhammer import plugins\n"
        "from rankhammer.plugins import PluginSpec\n"
        "import numpy as np\n"
        "ranker = plugins.create('rankers', PluginSpec(name='neural'))\n"
        "print(ranker.score(sys.stdin.buffer.read(), np.zeros((1, 4), np.float32))[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], input=model, capture_output=True, check=True)
    assert float(done.stdout) == pytest.approx(float(RANKER.score(model, np.zeros((1, 4), np.float32))[0]))
