"""`kedro run --pipeline=ranker_report` on a finished project: every table and plot is there, and says something."""

from __future__ import annotations

import json

import pandas as pd
import pytest

SMALL = """
training: {n_trials: 2, batch_size: 2, n_rounds: 20}
ranker_report:
  segments: {has a space: "query rlike ' '"}
  explanations: {n_rows: 200, n_features: 2}
  off_policy: {min_effective: 50.0}
  curves: {values: [2, 4], shares: [0.25], n_rounds: 5}
  n_features: 3
  n_resamples: 100
"""
PLOTS = ("segment_gains", "shap_importance", "partial_dependence", "learning_curve_plot", "capacity_sweep")


@pytest.fixture(scope="module")
def reports(finished_project, command_server, tmp_path_factory):
    """The folder of reports after the branch has run, by its command."""
    project = finished_project[0].copy(tmp_path_factory.mktemp("report") / "project").served_by(command_server)
    project.configure("parameters.yml", SMALL)
    before = project.digests()
    project.kedro("run", "--pipeline=ranker_report")
    assert project.digests() == before, "a report changes no hand-off"
    return project.path / "data/08_reporting"


def of(reports, name: str) -> dict:
    return json.loads((reports / f"{name}.json").read_text())["corpora"]


def test_segments_cover_the_test_queries_and_are_corrected_together(reports):
    table = pd.read_csv(reports / "segment_comparison.csv")
    assert set(table["corpus"]) == {"network", "stdlib"}
    assert {"all queries", "popularity", "length", "seen in training", "has a space"} == set(table["segment"])
    told = table.dropna(subset=["lower"])  # one query cluster tells nothing
    assert len(told) > 10
    # Parts of too few query clusters take no part in the correction.
    corrected = told.dropna(subset=["p_holm"])
    assert set(corrected["against"]) == set(told["against"])
    assert (corrected["p_holm"] >= corrected["p"]).all()
    whole = table[table["segment"] == "all queries"].set_index(["corpus", "against"])["n_queries"]
    parts = table[table["segment"] == "popularity"].groupby(["corpus", "against"])["n_queries"].sum()
    assert (whole == parts.reindex(whole.index)).all()


def test_explanations_add_up_and_name_features(reports):
    for found in of(reports, "ranker_explanations").values():
        assert found["largest_gap"] < 1e-4
        assert found["importance"]


def test_curves_and_sizes_were_all_fitted(reports):
    for found in of(reports, "learning_curves").values():
        assert found["failed"] == []
        assert {(row["value"], row["share"]) for row in found["curves"]} == {
            (value, share) for value in (2.0, 4.0) for share in (0.25, 0.5, 1.0)
        }
        assert [row["is_chosen"] for row in found["sizes"]].count(True) == 1


def test_features_and_clicks_have_their_facts(reports):
    assert all(len(found["chosen"]) == 3 for found in of(reports, "feature_facts").values())
    for found in of(reports, "off_policy_estimates").values():
        assert bool(found["refused"]) != bool(found["estimates"])


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_draws_something(reports, name):
    figure = json.loads((reports / f"{name}.json").read_text())
    assert figure["data"]
    assert figure["layout"]["title"]["text"]
