"""MjoLniR's DBN against a second implementation: one page at a time, dicts and loops, nothing counted together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rankhammer.click_models.dbn_conformance import DbnMjolnir, DbnMjolnirOptions, apply_rules, merge_repeats

N_CLUSTERS, N_DOCS = 4, 12
EXACT = 1e-12


def step(a, s, g, click):
    """P(C = click, E_next = to | E = at) by (at, to)."""
    if click:
        return {(1, 1): a * (1 - s) * g, (1, 0): a * (s + (1 - s) * (1 - g))}
    return {(0, 0): 1.0, (1, 1): (1 - a) * g, (1, 0): (1 - a) * (1 - g)}


def examined(steps):
    """P(E = 1 | C) at every position and below the last one, forwards and backwards."""
    ahead, behind = [{0: 0.0, 1: 1.0}], [{0: 1.0, 1: 1.0}]
    for move in steps:
        ahead.append({to: sum(ahead[-1][at] * move.get((at, to), 0.0) for at in (0, 1)) for to in (0, 1)})
    for move in reversed(steps):
        behind.insert(0, {at: sum(behind[0][to] * move.get((at, to), 0.0) for to in (0, 1)) for at in (0, 1)})
    return [f[1] * b[1] / (f[0] * b[0] + f[1] * b[1]) for f, b in zip(ahead, behind, strict=True)]


def tidy(docs, clicks, min_docs, max_docs, drop):
    """Return what is looked at of a page as [(document, clicked)], or nothing."""
    seen = {}
    for position, (doc, click) in enumerate(zip(docs, clicks, strict=True)):
        seen.setdefault(doc, []).append((position, click == "1"))
    merged = [(np.mean([at for at, _ in shown]), doc, any(hit for _, hit in shown)) for doc, shown in seen.items()]
    merged.sort(key=lambda item: item[0])
    page = [(doc, hit) for _, doc, hit in merged][:max_docs]
    return page if len(merged) >= min_docs and (any(hit for _, hit in page) or not drop) else []


def reference(pages, options):
    """Fit as MjoLniR did: {pair: (attractiveness, satisfaction)} of the pairs that it saw."""
    g, rules = options.continuation, (options.min_docs, options.max_docs, options.drop_without_click)
    kept = [page for docs, clicks in pages if (page := tidy(docs, clicks, *rules))]
    a = {doc: options.default_relevance for page in kept for doc, _ in page}
    s = dict(a)
    for _ in range(options.max_iter):
        attracted, satisfied = {doc: [1.0, 1.0] for doc in a}, {doc: [1.0, 1.0] for doc in a}
        for page in kept:
            e = examined([step(a[doc], s[doc], g, hit) for doc, hit in page])
            for r, (doc, hit) in enumerate(page):
                p = 1.0 if hit else a[doc] * (1 - e[r])
                attracted[doc] = [attracted[doc][0] + 1 - p, attracted[doc][1] + p]
                if hit:
                    p = (1 - e[r + 1]) * s[doc] / (s[doc] + (1 - s[doc]) * (1 - g))
                    satisfied[doc] = [satisfied[doc][0] + 1 - p, satisfied[doc][1] + p]
        a = {doc: yes / (yes + no) for doc, (no, yes) in attracted.items()}
        s = {doc: yes / (yes + no) for doc, (no, yes) in satisfied.items()}
    return {doc: (a[doc], s[doc]) for doc in a}


def random_log(seed, lengths, click_rate, *, repeats=False, n_pages=60):
    """Pages as (pairs, clicks), each seen one to three times."""
    rng, log = np.random.default_rng(seed), []
    for _ in range(n_pages):
        first, n = N_DOCS * rng.integers(N_CLUSTERS), rng.choice(lengths)
        docs = rng.integers(N_DOCS, size=n) if repeats else rng.permutation(N_DOCS)[:n]
        clicks = "".join("1" if hit else "0" for hit in rng.random(n) < click_rate)
        log.append((((first + docs).tolist(), clicks), int(rng.integers(1, 4))))
    return log


def counted(pages, log):
    found = pages([page for page, _ in log], clusters=np.repeat(np.arange(N_CLUSTERS), N_DOCS))
    return replace(found, weight=np.array([weight for _, weight in log], float))


def fit(serps, **options):
    model = DbnMjolnir(DbnMjolnirOptions(**options))
    return model.fit(serps, model.fit_corpus(serps))


@pytest.mark.parametrize("max_iter", [1, 2, 7, 40])
@pytest.mark.parametrize(
    ("log", "options"),
    [
        (random_log(1, [10, 11, 12], 0.15), {}),
        (random_log(2, [1, 2, 5, 12], 0.15), {"min_docs": 1, "default_relevance": 0.9}),
        (random_log(3, [3, 8], 0.8), {"min_docs": 1, "continuation": 0.35}),
        (random_log(4, [4, 8, 12], 0.05), {"min_docs": 5, "max_docs": 9, "default_relevance": 0.2}),
        (random_log(5, [6, 12], 0.3, repeats=True), {"min_docs": 4, "max_docs": 6, "continuation": 0.7}),
        (random_log(6, [2, 9], 0.3, repeats=True), {"min_docs": 1, "continuation": 1.0}),
        (random_log(7, [2, 9], 0.1, repeats=True), {"min_docs": 1, "drop_without_click": False}),
    ],
    ids=["defaults", "lengths", "many-clicks", "rules", "repeats", "never-tired", "keep-all"],
)
def test_a_fit_equals_going_through_the_log_page_by_page(log, options, max_iter, pages):
    found = fit(counted(pages, log), max_iter=max_iter, **options)
    every_page = [page for page, weight in log for _ in range(weight)]
    wanted = reference(every_page, DbnMjolnirOptions(max_iter=max_iter, **options))
    default = DbnMjolnirOptions(**options).default_relevance
    for pair in range(N_CLUSTERS * N_DOCS):
        a, s = wanted.get(pair, (default, default))
        assert found.parameters["attractiveness"][pair] == pytest.approx(a, abs=EXACT)
        assert found.parameters["satisfaction"][pair] == pytest.approx(s, abs=EXACT)
        assert (found.n_examined[pair] > 0) == (pair in wanted)


def test_two_iterations_by_hand(pages):
    # One page of two documents, the first clicked; B is the chance that the second one draws no click when examined.
    serps = pages([([0, 1], "10")])
    b = 0.5
    z = 0.5 + 0.5 * (0.8 * b + 0.2)
    assert z == pytest.approx(0.8)
    f_2, satisfied = 0.5 * 0.8 * b / z, 0.5 / z
    a_1, a_2, s_1, s_2 = (1 + 1) / 3, (1 + 0.5 * (1 - f_2)) / 3, (1 + satisfied) / 3, 1 / 2
    once = fit(serps, continuation=0.8, min_docs=1, max_iter=1)
    assert once.parameters["attractiveness"] == pytest.approx([a_1, a_2], abs=EXACT)
    assert once.parameters["satisfaction"] == pytest.approx([s_1, s_2], abs=EXACT)
    assert [a_1, a_2, s_1] == pytest.approx([0.666667, 0.458333, 0.541667], abs=1e-6)
    b = 1 - a_2
    z = s_1 + (1 - s_1) * (0.8 * b + 0.2)
    f_2, satisfied = (1 - s_1) * 0.8 * b / z, s_1 / z
    twice = fit(serps, continuation=0.8, min_docs=1, max_iter=2)
    assert twice.parameters["attractiveness"] == pytest.approx([2 / 3, (1 + a_2 * (1 - f_2)) / 3], abs=EXACT)
    assert twice.parameters["satisfaction"] == pytest.approx([(1 + satisfied) / 3, 1 / 2], abs=EXACT)


def test_relevance_is_attractiveness_times_satisfaction(pages):
    serps = pages([([0, 1, 2], "010"), ([2, 0, 1], "110")])
    model = DbnMjolnir(DbnMjolnirOptions(min_docs=1))
    shared = model.fit_corpus(serps)
    found = model.fit(serps, shared)
    wanted = found.parameters["attractiveness"] * found.parameters["satisfaction"]
    assert model.predict_relevance(found, shared).mean.tolist() == wanted.tolist()


def test_a_document_shown_twice_stands_at_its_mean_position_and_was_clicked_anywhere(pages):
    # Means: document 0 at (1 + 5) / 2 = 3, 1 at (2 + 3) / 2 = 2.5, 2 at 4.
    merged = merge_repeats(pages([([0, 1, 1, 2, 0], "00101"), ([2, 1], "01")]))
    assert merged.length.tolist() == [3, 2]
    assert merged.pair.tolist() == [1, 0, 2, 2, 1]
    assert merged.clicked.tolist() == [True, True, False, False, True]


def test_of_equal_mean_positions_the_first_shown_stays_first(pages):
    assert merge_repeats(pages([([3, 1, 1, 3], "0000")])).pair.tolist() == [3, 1]


def test_rules_apply_after_merging_and_the_cut_after_counting_documents(pages):
    serps = pages([([0, 1, 1], "010"), ([0, 1, 2], "001"), ([0, 1, 2], "100"), ([2, 1, 0], "000")])
    kept = apply_rules(serps, min_docs=3, max_docs=2, drop_without_click=True)
    assert kept.pair.tolist() == [0, 1]
    assert kept.clicked.tolist() == [True, False]
    assert kept.n_pairs == 3
    assert apply_rules(serps, min_docs=3, max_docs=2, drop_without_click=False).length.tolist() == [2, 2, 2]


def test_pairs_on_no_page_that_counts_keep_the_default(pages):
    serps = pages([([0, 1], "10"), ([2, 3], "00"), ([4], "1")], clusters=[0, 0, 1, 1, 2, 2])
    model = DbnMjolnir(DbnMjolnirOptions(min_docs=2, default_relevance=0.7))
    shared = model.fit_corpus(serps)
    found = model.fit(serps, shared)
    assert found.parameters["attractiveness"][2:].tolist() == [0.7] * 4
    assert found.parameters["satisfaction"][2:].tolist() == [0.7] * 4
    assert found.n_examined[2:].tolist() == [0] * 4
    assert model.predict_relevance(found, shared).prior_share[2:].tolist() == [1] * 4
    assert model.prior_parameters(shared) == {"attractiveness": 0.7, "satisfaction": 0.7}


def test_a_log_without_a_page_that_counts_is_fitted(pages):
    serps = pages([([0, 1], "00")])
    found = fit(serps, min_docs=1)
    assert found.n_examined.tolist() == [0, 0]
    assert found.converged.all()
    # The log-likelihood is that of every page: the first is skipped, the second not examined or skipped, too.
    assert found.log_likelihood == pytest.approx(np.log(0.5 * (1 - 0.9 * 0.5)))


def test_expected_examinations_equal_enumerating_every_hidden_state(pages, brute_force):
    found = fit(pages([([0, 1, 2, 3], "0100")]), min_docs=1)
    _, seen, _ = brute_force(found.parameters["attractiveness"], found.parameters["satisfaction"], 0.9, "0100")
    assert found.n_examined == pytest.approx(seen)


def test_every_iteration_is_made_and_standing_still_is_reported(pages):
    serps = counted(pages, random_log(8, [10, 12], 0.15))
    short, long = fit(serps, max_iter=2), fit(serps, max_iter=400)
    assert set(short.n_iter) == {2}
    assert set(long.n_iter) == {400}
    assert not short.converged.any()
    assert long.converged.all()


def test_a_fit_begins_at_the_default_wherever_another_ended(pages):
    serps = counted(pages, random_log(9, [10, 12], 0.15))
    model = DbnMjolnir(DbnMjolnirOptions(max_iter=3))
    shared = model.fit_corpus(serps)
    found = model.fit(serps, shared)
    again = model.fit(serps, shared, found.parameters)
    assert again.parameters["attractiveness"].tolist() == found.parameters["attractiveness"].tolist()
