from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from rankhammer.demo.corpus import read_library
from rankhammer.demo.queries import make_intents
from rankhammer.demo.truth import GRADE_SHARES, TextIndex, make_pool, reference_rows, utility


@pytest.fixture(scope="module")
def documents():
    return read_library({"tiny": ("json", "argparse", "shutil", "csv", "logging", "http", "os", "re", "inspect")})[
        "tiny"
    ]


@pytest.fixture(scope="module")
def queries(documents):
    return [intent.spellings[0] for intent in make_intents(documents, n_intents=60, rng=np.random.default_rng(3))]


@pytest.fixture(scope="module")
def pool(documents, queries):
    return make_pool(documents, queries, n_candidates=30, rng=np.random.default_rng(1))


def test_no_single_feature_gives_the_truth(documents, queries, pool):
    intent, row, grade = reference_rows(pool)
    features = {
        name: TextIndex.build(documents[name].to_pylist()).bm25(queries)[intent, row]
        for name in ("title", "summary", "body", "module")
    }
    features["popularity"] = documents["popularity"].to_numpy()[row]
    correlation = {name: spearmanr(values, grade).statistic for name, values in features.items()}
    assert all(abs(value) < 0.7 for value in correlation.values()), correlation


def test_the_explainable_part_gives_most_of_the_truth(documents, queries, pool):
    present = pool.candidates >= 0
    explained = utility(documents, queries, pool.candidates)[present]
    assert 0.8 < spearmanr(explained, pool.grades[present]).statistic < 0.99


def test_grades_have_their_shares(pool):
    _, _, grade = reference_rows(pool)
    assert np.bincount(grade, minlength=5) / len(grade) == pytest.approx(np.array(GRADE_SHARES), abs=0.01)


def test_candidates_match_the_query_and_stand_once(pool):
    for row, scores in zip(pool.candidates, pool.scores, strict=True):
        present = row[row >= 0]
        assert len(present) == len(set(present))
        assert np.all(np.isfinite(scores) == (row >= 0))


def test_coverage_is_the_share_of_the_querys_idf():
    index = TextIndex.build(["red fish", "blue fish", "green tree"])
    rare, common = np.log1p(2.5 / 1.5), np.log1p(1.5 / 2.5)
    assert index.coverage(["red fish"])[0] == pytest.approx([1.0, common / (rare + common), 0.0])


def test_bm25_is_the_formula():
    index = TextIndex.build(["red fish fish", "blue"])
    length_part = 1.2 * (1 - 0.75 + 0.75 * 3 / 2)
    assert index.bm25(["fish fish"])[0] == pytest.approx([np.log1p(1.5 / 1.5) * 2 / (2 + length_part), 0.0])
