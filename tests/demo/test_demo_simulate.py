from __future__ import annotations

import numpy as np
import pytest

from rankhammer.demo.simulate import Pool, Users, click, robot_pages, search_pages, show

USERS = Users(attractiveness=(0.1, 0.6), satisfaction=(0.2, 0.7), continuation=0.9)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def pool():
    """Two queries: four candidates with grades, and one candidate only."""
    candidates = np.array([[10, 11, 12, 13], [7, -1, -1, -1]])
    scores = np.array([[4.0, 3.0, 2.0, 1.0], [5.0, -np.inf, -np.inf, -np.inf]])
    return Pool(candidates, scores, np.array([[0, 1, 0, 1], [1, 0, 0, 0]]))


def test_without_noise_results_stand_in_the_order_of_the_scores(pool, rng):
    documents, grades = show(pool, np.array([0, 1]), n_shown=3, noise=0.0, rng=rng)
    assert documents.tolist() == [[10, 11, 12], [7, -1, -1]]
    assert grades.tolist() == [[0, 1, 0], [1, -1, -1]]


def test_noise_gives_documents_different_positions_and_never_shows_one_twice(pool, rng):
    documents, _ = show(pool, np.zeros(500, dtype=int), n_shown=4, noise=1.5, rng=rng)
    assert len(np.unique(documents[:, 0])) == 4
    assert all(len(set(page)) == 4 for page in documents.tolist())


def test_the_first_result_is_clicked_as_often_as_it_is_attractive(rng):
    clicked = click(np.tile([1, 0], (20_000, 1)), USERS, rng)
    assert clicked[:, 0].mean() == pytest.approx(0.6, abs=0.015)


def test_the_second_result_is_read_unless_the_first_one_satisfied(rng):
    clicked = click(np.tile([1, 1], (40_000, 1)), USERS, rng)
    read_on = 0.9 * (1 - 0.6 * 0.7)
    assert clicked[:, 1].mean() == pytest.approx(read_on * 0.6, abs=0.01)
    after_click = clicked[clicked[:, 0], 1].mean()
    assert after_click == pytest.approx(0.9 * (1 - 0.7) * 0.6, abs=0.015)


def test_clicks_fall_with_the_position_of_equal_results(rng):
    rate = click(np.zeros((50_000, 6), dtype=int), USERS, rng).mean(axis=0)
    assert np.all(np.diff(rate) < 0)


def test_places_without_a_result_are_never_clicked(pool, rng):
    query = np.ones(300, dtype=int)
    pages = search_pages(pool, query, users=USERS, n_shown=4, noise=1.0, rng=rng)
    robots = robot_pages(pool, n_serps=300, n_shown=4, noise=1.0, click_rate=1.0, rng=rng)
    for found in (pages, robots):
        assert not found.clicked[found.documents < 0].any()
        assert found.clicked[found.documents >= 0].any()


def test_robots_click_whatever_the_grade(pool, rng):
    pages = robot_pages(pool, n_serps=10_000, n_shown=4, noise=1.0, click_rate=0.3, rng=rng)
    shown = pages.documents
    rates = [pages.clicked[shown == document].mean() for document in (10, 11, 12, 13)]
    assert rates == pytest.approx([0.3] * 4, abs=0.03)
