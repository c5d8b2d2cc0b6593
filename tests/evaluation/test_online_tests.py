"""Rules of reading out interleaving and A/B tests."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner

from rankhammer.cli.online_test import online_test
from rankhammer.errors import ConfigError, DataError
from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.evaluation.online_logs import ab_log, interleaved_log
from rankhammer.evaluation.online_tests import Arms, Interleaved, mismatch_p, read_ab, read_interleaving

BOOTSTRAP = Bootstrap(300, 0.95, 7)


def _searches(n: int, share_b: float, seed: int) -> Interleaved:
    rng = np.random.default_rng(seed)
    is_b, clicked = rng.random(n) < share_b, rng.random(n) < 0.6
    return Interleaved((clicked & ~is_b) * 1.0, (clicked & is_b) * 1.0, np.arange(n))


def test_the_preference_is_wins_of_b_and_half_the_ties_among_searches_with_a_click():
    found = read_interleaving(
        Interleaved(np.array([1.0, 0, 2, 0, 1]), np.array([0.0, 3, 1, 0, 1]), np.arange(5)), BOOTSTRAP
    )
    assert (found["wins_a"], found["wins_b"], found["ties"], found["n_clicked"]) == (2, 1, 1, 4)
    assert found["preference"] == (1 + 1 / 2) / 4
    assert found["verdict"] == "too few units"


@pytest.mark.parametrize("seed", range(20))
def test_exchanging_the_teams_mirrors_the_preference(seed):
    found = _searches(60, 0.6, seed)
    mirrored = Interleaved(found.clicks_b, found.clicks_a, found.units)
    one, other = read_interleaving(found, BOOTSTRAP), read_interleaving(mirrored, BOOTSTRAP)
    assert one["preference"] + other["preference"] == pytest.approx(1.0)
    assert one["lower"] + other["upper"] == pytest.approx(1.0)
    assert one["lower"] <= one["preference"] <= one["upper"]


def test_equal_rankers_are_told_apart_about_as_often_as_the_interval_allows():
    verdicts = [read_interleaving(_searches(200, 0.5, seed), BOOTSTRAP)["verdict"] for seed in range(100)]
    assert sum(verdict != "not distinguishable" for verdict in verdicts) <= 12


def test_a_real_preference_is_found():
    assert read_interleaving(_searches(1000, 0.65, 1), BOOTSTRAP)["verdict"] == "B"
    assert read_interleaving(_searches(1000, 0.35, 1), BOOTSTRAP)["verdict"] == "A"


def test_searches_of_one_user_are_drawn_together():
    alone = _searches(400, 0.6, 3)
    together = Interleaved(alone.clicks_a, alone.clicks_b, np.sort(np.arange(400) % 25))
    order = np.argsort(alone.clicks_b - alone.clicks_a, kind="stable")
    correlated = Interleaved(alone.clicks_a[order], alone.clicks_b[order], together.units)
    width = [read["upper"] - read["lower"] for read in (read_interleaving(f, BOOTSTRAP) for f in (alone, correlated))]
    assert width[1] > 1.5 * width[0]


def test_interleaving_without_a_click_or_with_half_a_count_is_refused():
    with pytest.raises(DataError, match="None of 3"):
        read_interleaving(Interleaved(np.zeros(3), np.zeros(3), np.arange(3)), BOOTSTRAP)
    for wrong in (-1.0, 0.5, 1.25):
        with pytest.raises(DataError, match=f"1 of 1 values of clicks_b are no counts, the first is {wrong:g}"):
            read_interleaving(Interleaved(np.ones(1), np.array([wrong]), np.arange(1)), BOOTSTRAP)


def _arms(n: int, gain: float, seed: int) -> Arms:
    rng = np.random.default_rng(seed)
    in_b = np.arange(n) % 2 == 1
    return Arms(in_b, rng.poisson(1.0 + gain * in_b).astype(float), np.arange(n))


@pytest.mark.parametrize(("gain", "verdict"), [(0.4, "B"), (-0.4, "A"), (0.0, "not distinguishable")])
def test_arms_are_compared_by_their_means(gain, verdict):
    found = read_ab(_arms(1000, gain, 5), BOOTSTRAP)
    assert found["verdict"] == verdict
    assert found["difference"] == pytest.approx(found["mean_b"] - found["mean_a"])
    assert found["lower"] < found["difference"] < found["upper"]


def test_arms_whose_sizes_are_not_what_was_planned_are_refused():
    found = _arms(1000, 0.0, 1)
    lost = Arms(found.in_b[200:], found.values[200:], found.units[200:])
    assert read_ab(lost, BOOTSTRAP)["share_p"] == 1.0
    kept = ~(found.in_b & (found.units % 4 == 1))
    few = Arms(found.in_b[kept], found.values[kept], found.units[kept])
    with pytest.raises(DataError, match="Arm A has 500 units and B 250"):
        read_ab(few, BOOTSTRAP)
    assert read_ab(few, BOOTSTRAP, share_b=1 / 3)["units_b"] == 250
    # chi-squared: (250 - 375)^2 / (750 * .25) = 83.3, and 3.84 is where 5 % begin.
    assert mismatch_p(500, 250, 0.5) < 1e-15
    assert mismatch_p(519, 481, 0.5) > 0.05


def test_a_unit_in_both_arms_is_refused():
    with pytest.raises(DataError, match="1 units are in both arms"):
        read_ab(Arms(np.array([True, False, False]), np.ones(3), np.array(["u", "u", "v"])), BOOTSTRAP)


def _write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def test_logs_are_read_from_files_and_their_faults_are_named(tmp_path):
    log = _write(tmp_path / "log.csv", [("session_id", "clicks_a", "clicks_b"), (1, 0, 1), (2, 1, 0)])
    found = interleaved_log(log, clicks_a="clicks_a", clicks_b="clicks_b", unit="session_id")
    assert found.units.tolist() == ["1", "2"]
    with pytest.raises(ConfigError, match="no column 'click_a'"):
        interleaved_log(log, clicks_a="click_a", clicks_b="clicks_b", unit="session_id")
    with pytest.raises(ConfigError, match="There is no log"):
        interleaved_log(str(tmp_path / "none.csv"), clicks_a="a", clicks_b="b", unit="c")
    hole = _write(tmp_path / "hole.csv", [("user_id", "variant", "clicks"), (1, "A", 1), (2, "B", "")])
    with pytest.raises(DataError, match="1 of 2 rows have no clicks"):
        ab_log(hole, variant="variant", value="clicks", unit="user_id", arms=("A", "B"))
    words = _write(tmp_path / "words.csv", [("user_id", "variant", "clicks"), (1, "A", "x"), (2, "B", "y")])
    with pytest.raises(DataError, match="no numbers"):
        ab_log(words, variant="variant", value="clicks", unit="user_id", arms=("A", "B"))
    with pytest.raises(ConfigError, match="No row has variant = 'C'"):
        ab_log(words, variant="variant", value="clicks", unit="user_id", arms=("A", "C"))
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        ab_log(str(broken), variant="variant", value="clicks", unit="user_id", arms=("A", "B"))


def test_the_command_says_whom_users_prefer(tmp_path):
    rows = [(at, int(at % 3 == 0), int(at % 3 > 0)) for at in range(300)]
    log = _write(tmp_path / "log.csv", [("session_id", "clicks_a", "clicks_b"), *rows])
    done = CliRunner().invoke(online_test, [log, "--kind", "interleaving"])
    assert done.exit_code == 0
    assert "A wins 100, B wins 200, 0 ties." in done.output
    assert done.output.endswith("Users prefer B.\n")
    refused = CliRunner().invoke(online_test, [log, "--kind", "ab"])
    assert refused.exit_code == 2
    assert "no column 'variant'" in refused.output


def test_a_log_in_another_encoding_and_values_whose_sum_is_no_number_are_refused(tmp_path):
    log = tmp_path / "log.csv"
    log.write_bytes("variant,value,user\nA,1,caf\xe9\nB,2,x\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"no text in UTF-8|cannot be read as csv"):
        ab_log(str(log), variant="variant", value="value", unit="user", arms=("A", "B"))
    for value in ("1e308", "inf"):
        log.write_text(f"variant,value,user\nA,{value},u\nB,2,x\n")
        with pytest.raises(DataError, match="between -1e100 and 1e100"):
            ab_log(str(log), variant="variant", value="value", unit="user", arms=("A", "B"))


def _three_arms(tmp_path) -> str:
    rows = [(at, "ABC"[at % 3], at % 2) for at in range(90)]
    return _write(tmp_path / "three.csv", [("user_id", "variant", "clicks"), *rows])


def test_a_third_variant_is_refused_unless_it_is_left_out_by_name(tmp_path):
    log = _three_arms(tmp_path)
    refused = CliRunner().invoke(online_test, [log, "--kind", "ab"])
    assert refused.exit_code == 2
    assert "other variants than 'A' and 'B': C (30 rows)" in refused.output
    assert "--leave-out C" in refused.output
    done = CliRunner().invoke(online_test, [log, "--kind", "ab", "--leave-out", "C"])
    assert done.exit_code == 0
    assert "Left out: the rows of C." in done.output
    assert "of 30 units" in done.output
    typo = CliRunner().invoke(online_test, [log, "--kind", "ab", "--leave-out", "D"])
    assert "No row has variant = 'D'" in typo.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--kind", "interleaving", "--clicks-a", "clicks_b"],
            "column 'clicks_b' is named for clicks of A and for clicks",
        ),
        (["--kind", "interleaving", "--unit", "clicks_a"], "column 'clicks_a' is named for clicks of A and for unit"),
        (["--kind", "ab", "--value", "variant"], "column 'variant' is named for variant and for value"),
        (["--kind", "ab", "--b", "A"], "variant 'A' is named for A and for B"),
        (["--kind", "ab", "--leave-out", "B"], "variant 'B' is named for B and for left out"),
        (["--kind", "ab", "--clicks-a", "x"], "--clicks-a is no option of --kind ab"),
        (["--kind", "interleaving", "--leave-out", "C"], "--leave-out is no option of --kind interleaving"),
    ],
)
def test_columns_and_variants_that_were_mixed_up_are_refused(tmp_path, options, message):
    refused = CliRunner().invoke(online_test, [_three_arms(tmp_path), *options])
    assert refused.exit_code == 2
    assert message in refused.output
