"""One corpus's search: deterministic, better than chance, never worse than the defaults."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rankhammer.errors import ConfigError
from rankhammer.training.search import HyperparameterSearch, Strategy, Trial, seed_of
from rankhammer.training.search_space import parse_space, require_grid

SPACE = parse_space({"x": {"uniform": [0, 10]}, "kind": {"choice": ["bad", "good"]}}, known=("x", "kind"))
DEFAULTS = {"x": 5.0, "kind": "bad", "unsearched": 1}


def _loss(trial: Trial) -> float:
    return (trial.params["x"] - 2.0) ** 2 + (trial.params["kind"] == "bad") * 5.0


def _search(
    corpus: str = "a", *, n_batches: int = 8, batch_size: int = 3, failing: int = -1, **changes
) -> HyperparameterSearch:
    options = {"defaults": DEFAULTS, "strategy": Strategy(5), "random_state": 1} | changes
    search = HyperparameterSearch(corpus, options.pop("space", SPACE), **options)
    for _ in range(n_batches):
        for trial in search.suggest(batch_size):
            search.record(replace(trial, loss=None if trial.number == failing else _loss(trial)))
    return search


def test_the_first_trial_is_the_defaults():
    first = _search(n_batches=1).trials[0]
    assert (first.number, first.params) == (0, {"x": 5.0, "kind": "bad"})


def test_defaults_outside_the_space_are_tried_all_the_same():
    search = _search(defaults={"x": -3.0, "kind": "other"})
    assert search.trials[0].params == {"x": -3.0, "kind": "other"}
    assert len(search.trials) == 8 * 3
    assert all(0 <= trial.params["x"] <= 10 for trial in search.trials[1:])


def test_the_same_seed_gives_the_same_trials():
    assert _search().trials == _search().trials
    assert _search().trials != _search(random_state=2).trials


def test_another_corpus_has_other_trials_of_its_own():
    assert _search("a").trials[1].params != _search("b").trials[1].params


def test_a_longer_search_begins_like_a_shorter_one():
    assert _search(n_batches=8).trials[:9] == _search(n_batches=3).trials


def test_the_search_learns_from_what_it_saw():
    searches = [_search(n_batches=10, random_state=seed) for seed in range(4)]
    early = [_loss(trial) for search in searches for trial in search.trials[:6]]
    late = [_loss(trial) for search in searches for trial in search.trials[-6:]]
    assert sum(late) < 0.5 * sum(early)


def test_the_best_trial_is_the_earliest_of_the_lowest_losses():
    search = _search(n_batches=1)
    search.trials[:] = [
        replace(trial, loss=loss) for trial, loss in zip(search.trials, (-0.5, -0.7, -0.7), strict=True)
    ]
    assert search.best.number == 1


def test_a_failed_trial_is_kept_and_never_the_best():
    search = _search(failing=2)
    assert [trial.status for trial in search.trials[:4]] == ["ok", "ok", "fail", "ok"]
    assert search.best.number != 2


def test_a_search_without_a_success_has_no_best_trial():
    search = HyperparameterSearch("a", SPACE, defaults=DEFAULTS, strategy=Strategy(2), random_state=1)
    for _ in range(3):
        for trial in search.suggest(2):
            search.record(trial)
    assert search.best is None
    assert len(search.trials) == 6


def test_an_empty_space_tries_the_defaults_alone():
    search = HyperparameterSearch("a", parse_space({}, known=()), defaults={}, strategy=Strategy(2), random_state=1)
    assert [trial.params for trial in search.suggest(2)] == [{}, {}]


def test_a_seed_depends_on_its_purpose():
    assert seed_of(42, "a", 1) == seed_of(42, "a", 1)
    assert len({seed_of(42, "a", 1), seed_of(42, "a", 2), seed_of(42, "b", 1), seed_of(43, "a", 1)}) == 4
    assert 0 <= seed_of(42, "a", 1) < 2**31


GRID = parse_space(
    {"kind": {"choice": ["bad", "good"]}, "depth": {"quniform": [2, 4, 1]}, "rate": {"quniform": [0.1, 0.4, 0.1]}},
    known=("kind", "depth", "rate"),
)


def test_a_grid_is_tried_whole_after_the_defaults_whatever_the_batches():
    def tried(batch_size: int) -> list[dict]:
        defaults = {"kind": "other", "depth": 9, "rate": 1.0}
        options = {"defaults": defaults, "strategy": Strategy(1, "grid"), "random_state": 1}
        search, found = HyperparameterSearch("a", GRID, **options), []
        while proposed := search.suggest(batch_size):
            found += [trial.params for trial in proposed]
        return found

    first, *points = tried(5)
    assert first == {"kind": "other", "depth": 9, "rate": 1.0}
    assert len(points) == GRID.n_points == 2 * 3 * 4
    assert sorted({point["rate"] for point in points}) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert {type(point["depth"]) for point in points} == {int}
    assert len({tuple(point.items()) for point in points}) == 24
    assert tried(7) == tried(1) == [first, *points]


def test_a_grid_without_an_end_or_larger_than_the_trials_is_refused_with_the_numbers():
    require_grid(GRID, ranker="xgboost", n_trials=25)
    with pytest.raises(
        ConfigError, match=r"3 \(depth\) x 2 \(kind\) x 4 \(rate\) = 24 points, and 24 trials"
    ) as caught:
        require_grid(GRID, ranker="xgboost", n_trials=24)
    assert "n_trials: 25" in caught.value.hint
    with pytest.raises(ConfigError, match=r"search_space\.xgboost\.x has infinitely many values"):
        require_grid(SPACE, ranker="xgboost", n_trials=1000)


def test_a_random_search_learns_nothing_and_repeats_itself():
    first, second = (
        _search(strategy=Strategy(5, "random")).trials,
        _search(strategy=Strategy(5, "random"), failing=4).trials,
    )
    assert [trial.params for trial in first] == [trial.params for trial in second]
    assert [trial.params for trial in first] != [trial.params for trial in _search().trials]
