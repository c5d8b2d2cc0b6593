"""Roles of an experiment: who trains, who runs beside, and which rank each instance has."""

from __future__ import annotations

import pytest

from rankhammer.errors import ConfigError
from rankhammer.experiments.on_yarn import role_settings
from rankhammer.experiments.packages import require_here
from rankhammer.experiments.roles import HEAP_MB, read_experiment, with_roles

THREE = {
    "function": "shop.models:train",
    "roles": {"worker": {"instances": 2}, "evaluator": {}, "chief": {"memory_mb": 2048, "vcores": 4}},
}


def test_the_chief_has_rank_0_wherever_it_is_named():
    found = read_experiment(THREE)
    assert [found.rank("chief", 0), found.rank("worker", 0), found.rank("worker", 1)] == [0, 1, 2]
    assert found.world_size == 1 + 2


def test_an_evaluator_runs_beside_training_unless_it_is_told_otherwise():
    assert list(read_experiment(THREE).beside) == ["evaluator"]
    joined = read_experiment({**THREE, "roles": {"chief": {}, "evaluator": {"beside": False}}})
    assert (list(joined.beside), joined.rank("evaluator", 0)) == ([], 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"function": "no colon"}, "neither package.module:function nor file.py:function"),
        ({"roles": {"Chief One": {}}}, "no name of a role"),
        ({"roles": {"evaluator": {}}}, "one has to train"),
        ({"roles": {"chief": {"memory_mb": 100}}}, "memory_mb"),
        ({"roles": {"chief": {"memory": 4096}}}, "memory"),
        ({"files": {"../secrets": "a.txt"}}, "no plain file name"),
        ({"env": {"A B": "1"}}, "no name of an environment variable"),
        ({"retries": -1}, "retries"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_name(change, said):
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        read_experiment({**THREE, **change})


def test_roles_of_the_command_line_change_single_keys():
    values = with_roles(THREE, ["worker:instances=5", "gpu-worker:gpus=1,memory_mb=4096"])
    found = read_experiment(values)
    assert (found.roles["worker"].instances, found.roles["gpu-worker"].gpus, found.roles["chief"].vcores) == (5, 1, 4)
    with pytest.raises(ConfigError, match="no KEY=VALUE"):
        with_roles(THREE, ["worker:five"])


def test_a_container_is_as_large_as_its_role_says_and_nothing_is_tried_twice():
    found = read_experiment(THREE)
    keys = role_settings(found, found.roles["chief"])
    heap, beside = (int(keys[f"spark.executor.{name}"].rstrip("m")) for name in ("memory", "memoryOverhead"))
    assert (heap, heap + beside) == (HEAP_MB, 2048)
    assert keys["spark.executor.cores"] == keys["spark.task.cpus"] == "4"
    assert keys["spark.stage.maxConsecutiveAttempts"] == keys["spark.task.maxFailures"] == "1"
    assert "spark.ui.view.acls" not in keys
    assert keys["spark.acls.enable"] == "true"


def test_packages_that_this_machine_lacks_are_named_before_a_local_run():
    installed = {"extras": ["neural"], "pip_packages": ["numpy>=2", "scikit-learn"]}
    require_here(read_experiment({"function": "shop.models:train", **installed}))
    missing = {"pip_packages": ["no-such-thing[more]>=1", "numpy"], "pip_packages_gpu": ["nor-this"]}
    with pytest.raises(ConfigError, match=r"which lacks no-such-thing\.") as caught:
        require_here(read_experiment({"function": "shop.models:train", **missing}))
    assert caught.value.hint == "pip install no-such-thing"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"function": "/a folder/own file.py:train"}, "a file's own name has letters"),
        ({"function": "shop/models:train"}, "neither package.module:function nor file.py:function"),
        ({"files": {"env": "a.txt"}}, "'env' is taken in the container's folder"),
        ({"files": {"a b": "a.txt"}}, "'a b' is no plain file name"),
        ({"function": "own/file.py:train", "files": {"file.py": "a.txt"}}, "is the file of the function"),
        ({"arguments": {"x": {1, 2}}}, "they travel as JSON"),
        ({"arguments": {"x": float("nan")}}, "they travel as JSON"),
        ({"env": {"AWS_SECRET_ACCESS_KEY": "0123456789"}}, "AWS_SECRET_ACCESS_KEY holds a secret"),
        ({"extras": ["neurl"]}, "'neurl' is no extra"),
        ({"roles": {"chief": 5}}, "roles.chief"),
    ],
)
def test_what_could_not_run_in_a_container_is_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        read_experiment({"function": "shop.models:train", **change})


def test_a_role_may_be_named_alone():
    assert read_experiment({"function": "/a folder/own.py:train", "roles": {"chief": None}}).world_size == 1


@pytest.mark.parametrize("roles", [["chief"], {"chief": 5}, "chief"])
def test_roles_of_another_kind_are_refused_before_the_command_line_adds_to_them(roles):
    with pytest.raises(ConfigError, match="expected keys with values"):
        with_roles({"roles": roles}, ["worker:instances=2"])
