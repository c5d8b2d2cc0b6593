"""Which corpora a run works on: a list or a text, and never one that is not there."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli.project import run as kedro_run

from rankhammer import corpora
from rankhammer.errors import DataError
from rankhammer.runs.params_option import read_params, with_corpora


@pytest.mark.parametrize(
    ("value", "names"),
    [(None, None), ("b,a", ["a", "b"]), (["b", " a "], ["a", "b"]), (7, ["7"]), (["001"], ["001"]), ("a,,a", ["a"])],
)
def test_names_are_read_from_a_list_or_a_text(value, names):
    assert corpora.named(value) == names


@pytest.mark.parametrize("value", ["", [], ",", [{"a": 1}], [["a"]]])
def test_what_names_no_corpus_is_refused(value):
    with pytest.raises(ValueError, match="corp"):
        corpora.named(value)


def test_a_corpus_that_is_not_there_is_answered_with_those_that_are():
    corpora.require_found(None, [], list)
    corpora.require_found(["a"], ["a", "b"], list)
    with pytest.raises(DataError, match=r"asks for 'shop_f'; the corpora here are: shop_de, shop_fr\.") as caught:
        corpora.require_found(["shop_f", "shop_de"], ["shop_de"], lambda: ["shop_fr", "shop_de"])
    assert "Did you mean 'shop_fr'?" in caught.value.hint


def test_two_choices_leave_what_both_have():
    assert corpora.intersect(None, None) is None
    assert corpora.intersect(["b", "a"], None) == ["a", "b"]
    assert corpora.intersect(["a", "b"], ["b", "c"]) == ["b"]


def params_of(text: str) -> dict:
    given = []
    option = next(with_corpora(option) for option in kedro_run.params if option.name == "params")
    command = click.Command("x", params=[option], callback=lambda params: given.append(params))
    ended = CliRunner().invoke(command, ["--params", text])
    assert ended.exit_code == 0, ended.output
    return given[0]


def test_the_command_line_takes_several_corpora_between_other_values():
    assert params_of("corpora=a,001") == {"corpora": ["a", "001"]}
    assert params_of("run=r1,corpora=a,b,training.n_trials=3") == {
        "run": "r1",
        "corpora": ["a", "b"],
        "training": {"n_trials": 3},
    }
    assert params_of("run=r1") == {"run": "r1"}
    with pytest.raises(AssertionError, match="must contain a key and a value"):
        params_of("run=r1,oops")


def test_parameters_that_are_no_pairs_are_refused_where_a_command_reads_them_itself():
    with pytest.raises(click.UsageError, match="Item `foo` must contain a key and a value"):
        read_params(click.Context(click.Command("launch")), None, "foo")
