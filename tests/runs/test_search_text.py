"""What the closing table says of a search."""

from __future__ import annotations

from rankhammer.runs.search_text import search_lines


def test_corpora_that_were_searched_by_their_size_are_named_by_it():
    corpora = {"a": {"search_max_rows": 2000}, "b": {"search_max_rows": None}, "c": {"search_max_rows": 500}, "old": {}}
    assert search_lines(corpora) == [
        "Searched as corpora of at most 500 rows: c.",
        "Searched as corpora of at most 2,000 rows: a.",
    ]


def test_a_trial_that_is_not_simply_the_best_is_named_with_the_reason():
    def trial(rule: str) -> dict[str, object]:
        return {"ranker": "xgboost", "choice": {"trial": {"rule": rule, "number": 3, "reason": "the simplest"}}}

    corpora = {"a": trial("mean"), "b": trial("one_standard_error"), "old": {"choice": {}}}
    assert search_lines(corpora) == ["b has trial 3 of xgboost: the simplest."]


def test_more_folds_are_named_where_they_may_choose_otherwise():
    leads = {f"c{n}": {"choice": {"lead": {"more_folds_may_change_it": True}}} for n in range(7)}
    others = {"sure": {"choice": {"lead": {"more_folds_may_change_it": False}}}, "alone": {"choice": {"lead": None}}}
    (line,) = search_lines({**leads, **others})
    assert line == "More folds (folding.n_folds: 11, say) may choose other parameters: c0, c1, c2, c3, c4 and 2 more."
