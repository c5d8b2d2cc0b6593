"""What the commands of the registry print, and their exit codes; what they find is tested with the line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from rankhammer.cli import rankers
from rankhammer.exit_codes import DONE, NOT_PROMOTED, USER_ERROR
from rankhammer.runs import promoting, published_rankers

MEAN = {"mean": 0.71, "lower": 0.68, "upper": 0.74}
BETTER = {"mean": 0.03, "lower": 0.01, "upper": 0.05, "n_queries": 153, "verdict": "better"}
EVIDENCE = {
    "metric": "ndcg@10",
    "verdict": "better",
    "measured": {"ranker": MEAN},
    "verdicts": {"logged": BETTER},
}
ENTRY = {
    "corpus": "shop",
    "ranker": "3f9c2a61d04b",
    "state": "current",
    "at": (datetime.now(UTC) - timedelta(days=9)).isoformat(),
    "inputs": {"click_log": "ab"},
    "code": "c0de" * 4,
    "evidence": EVIDENCE,
}


def output(command, *arguments: str, code: int = DONE) -> str:
    result = CliRunner().invoke(command, list(arguments))
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_the_list_says_age_data_code_state_and_evidence(monkeypatch):
    old = ENTRY | {"ranker": "000000000000", "state": "files deleted", "at": "", "evidence": {}}
    monkeypatch.setattr(published_rankers, "list_rankers", lambda *_: [ENTRY, old])
    text = output(rankers.rankers)
    assert "3f9c2a61d04b 9 days" in text
    assert "c0dec0de current ndcg@10 0.710 (0.680 to 0.740) on 153 queries; better" in text
    assert "000000000000 unknown" in text
    assert text.endswith("files deleted none")


@pytest.mark.parametrize(("seconds", "age"), [(30, "30 s"), (600, "10 min"), (8000, "2 h"), (300_000, "3 days")])
def test_an_age_is_in_the_largest_unit_of_which_there_are_two(monkeypatch, seconds, age):
    at = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    monkeypatch.setattr(published_rankers, "list_rankers", lambda *_: [ENTRY | {"at": at}])
    assert f"3f9c2a61d04b {age} " in output(rankers.rankers)


def promoted(**change) -> dict:
    return {
        "corpus": "shop", "ranker": "b", "champion": "a", "refusal": "", "is_promoted": True, "reason": None,
        "metric": "ndcg@10", "n_tried": 1, "confidence": 0.95, "verdicts": {"champion": BETTER},
    } | change  # fmt: skip


@pytest.mark.parametrize(
    ("found", "code", "expected"),
    [
        (promoted(), DONE, "shop: ranker b is current (before: a)."),
        (
            promoted(refusal="no significant gain", is_promoted=False),
            NOT_PROMOTED,
            "shop: ranker b is not current: no significant gain. What was current stays.",
        ),
        (
            promoted(refusal="no significant gain", reason="new features", champion=None),
            DONE,
            "is current (before: none). Accepted although no significant gain: new features.",
        ),
        (promoted(n_tried=3, confidence=0.9833), DONE, "3 rankers were compared with this one on these queries"),
    ],
)
def test_a_promotion_says_what_was_measured_and_what_was_done(monkeypatch, found, code, expected):
    monkeypatch.setattr(promoting, "promote", lambda *_, **__: found)
    text = output(rankers.promote, "shop", code=code)
    assert expected in text
    assert "ranker minus the current ranker, ndcg@10 on 153 test queries: +0.030, +0.010 to +0.050: better" in text


def test_a_reason_of_white_space_is_none(monkeypatch):
    monkeypatch.setattr(promoting, "promote", None)
    assert "has no reason" in output(rankers.promote, "shop", "--accept-without-gain", "  ", code=USER_ERROR)


def test_the_history_says_how_why_and_by_whom(monkeypatch):
    move = {
        "at": "2026-11-29T07:00:00+00:00", "corpus": "shop", "ranker": "b", "before": None, "how": "promotion",
        "by": {"user": "ann"}, "reason": "new features", "evidence": {"verdicts": {"champion": BETTER}},
    }  # fmt: skip
    monkeypatch.setattr(published_rankers, "list_moves", lambda *_: [move])
    text = output(rankers.rankers, "history")
    assert text.startswith("2026-11-29 07:00 shop: b by promotion (ann), before: none; +0.030")
    assert text.endswith("without a gain: new features")
    monkeypatch.setattr(published_rankers, "list_moves", lambda *_: [])
    assert "made current yet" in output(rankers.rankers, "history")


def test_an_evaluation_has_a_line_a_metric_and_says_where_it_may_flatter(monkeypatch):
    found = {
        "corpus": "shop", "ranker": None, "truth": "reference", "metric": "ndcg@10", "is_unseen": False,
        "left_out": "nothing is current", "verdicts": {"logged": BETTER | {"lower": None}},
        "metrics": {"reference": {"ndcg@10": {"ranker": MEAN, "logged": MEAN | {"lower": None}}}},
    }  # fmt: skip
    monkeypatch.setattr(promoting, "evaluate", lambda *_, **__: found)
    text = output(rankers.evaluate, "data/old")
    assert "shop, ranker of a folder, by the grades of people:" in text
    assert "ndcg@10 0.710 (0.680 to 0.740) 0.710 (no interval)" in text
    assert "The current ranker is left out: nothing is current." in text
    assert "it may have been trained on some of them" in text
