"""What a task takes is worked out before it starts, and compared with what it has."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pyspark import SparkConf

from rankhammer.training import task_memory
from rankhammer.training.staging import StagedCorpus
from rankhammer.training.task_memory import MB, TaskMemory, decide, needed, of_task, size


def _context(master="yarn", **settings):
    named = [(f"spark.{key.replace('_', '.')}", value) for key, value in settings.items()]
    conf = SparkConf(loadDefaults=False).setAll(named)
    return SimpleNamespace(getConf=lambda: conf, master=master)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"executor_memoryOverhead": "1408m", "executor_cores": "4", "task_cpus": "2"}, (1408 - 384) // 2),
        ({"executor_memoryOverhead": "1408", "executor_cores": "1"}, 1408 - 384),
        ({"executor_memory": "8g", "executor_cores": "2"}, (int(0.1 * 8192) - 384) // 2),
        ({"executor_pyspark_memory": "2g", "executor_cores": "4"}, 512),
        ({}, 0),
    ],
)
def test_a_task_has_its_part_of_what_the_executor_has_beside_the_jvm(settings, expected):
    found = of_task(_context(**settings))
    assert found.n_bytes // MB == expected
    assert found.arithmetic


def test_on_this_machine_tasks_share_what_is_free(monkeypatch):
    monkeypatch.setattr(task_memory, "count_slots", lambda _: 3)
    monkeypatch.setattr(task_memory, "_free", lambda: 900 * MB)
    assert of_task(_context("local[3]")) == TaskMemory(300 * MB, "900 MB free on this machine / 3 tasks at once")
    monkeypatch.undo()
    assert task_memory._free() > 0


@pytest.mark.parametrize(
    ("text", "expected"), [("1g", 1 << 30), ("300m", 300 * MB), ("5", 5 * MB), ("2kb", 2048), ("?", 0)]
)
def test_sizes_are_read_as_spark_reads_them(text, expected):
    assert size(text) == expected


@pytest.fixture
def staged(tmp_path, matrix_rows, write_corpus):
    path = write_corpus(tmp_path / "a.parquet", matrix_rows("a"))
    return {"a": StagedCorpus("a", ("a",), (path,))}


MEMORY, DISK = (needed(320, 2, on_disk=on_disk)[0] for on_disk in (False, True))


def test_a_corpus_goes_to_disk_where_it_does_not_fit_into_memory(staged, monkeypatch, caplog):
    caplog.set_level("INFO")
    # Of so few rows the fixed part decides, which disk has more of.
    monkeypatch.setattr(task_memory, "BATCHES_BYTES", 0)
    assert decide(staged, TaskMemory(MEMORY, "x"), "auto") == (frozenset(), [])
    assert decide(staged, TaskMemory(MEMORY - 1, "x"), "auto") == (frozenset("a"), [])
    assert "320 rows x (2 features x" in caplog.text
    assert decide(staged, TaskMemory(MEMORY, "x"), "always") == (frozenset("a"), [])


def test_too_little_memory_sets_a_corpus_aside_with_the_arithmetic(staged):
    on_disk, (failure,) = decide(staged, TaskMemory(10 * MB, "20 MB / 2"), "auto")
    assert on_disk == {"a"}
    assert "700 MB + 320 rows x (2 features x 2 bytes + 120 bytes) = 700 MB with its rows on disk" in failure.error
    assert failure.error.endswith("and has 20 MB / 2 = 10 MB")
    _, (failure,) = decide(staged, TaskMemory(10 * MB, "20 MB / 2"), "never")
    assert "with its rows in memory" in failure.error
    assert "rows_on_disk: auto" in failure.hint
