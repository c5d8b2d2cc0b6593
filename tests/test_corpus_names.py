"""Whatever corpora are called, each has files of its own; names under which nothing can be written are its fault."""

from __future__ import annotations

import random

import pytest

from rankhammer import corpora
from rankhammer.click_logs.checks import Bounds, CorpusCounts, find_failures
from rankhammer.corpora import belongs_to, corpus_in, folder_of, name_fault
from rankhammer.datasets import FilesDataset, PublishedDataset
from rankhammer.datasets.handoff import Fingerprint

PLAIN = ["main", "shop_fr", "Shop-2", "日本 🎉", "a=b", "a b", "straße", "x.y", "001", "a+b&c"]
ODD = ["..", ".", "a/b", "a", "a/", "/", "a/b/c", ".de", "_x", "a=b%c", "%2E", "a%2Fb", "_fingerprint.json", "a\\b"]
SIGNS = [*"ab./_%:*?[]{}\"<>|\\#=^' -~", "é", "日", "🎉", "\0", "\n", "\x7f", "2F", "2E", "..", "\ud800"]


def some_names(seed: int, n: int = 400) -> list[str]:
    rng = random.Random(seed)
    made = {"".join(rng.choices(SIGNS, k=rng.randint(1, 6))) for _ in range(n)}
    return sorted({*made, *PLAIN, *ODD})


@pytest.mark.parametrize("corpus", PLAIN)
def test_what_is_published_under_a_plain_name_keeps_its_path(corpus):
    assert folder_of(corpus) == corpus


@pytest.mark.parametrize("seed", range(5))
def test_a_folder_is_one_part_of_a_path_and_tells_its_corpus(seed):
    names = some_names(seed)
    folders = [folder_of(name) for name in names]
    assert len(set(folders)) == len(names)
    assert [corpus_in(f"{folder}/json/model.json") for folder in folders] == names
    for folder in folders:
        assert not set(folder) & set('/\\:*?[]{}"<>|\0\n')
        assert not folder.startswith((".", "_"))
        assert folder.encode()


def test_a_name_that_begins_with_another_one_and_a_slash_is_another_corpus():
    assert belongs_to(f"{folder_of('a')}/model.ubj", ["a"])
    assert not belongs_to(f"{folder_of('a/b')}/model.ubj", ["a"])
    assert belongs_to(f"{folder_of('a/b')}/model.ubj", ["a/b"])


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_run_on_one_corpus_touches_no_file_of_another_one_whatever_they_are_called(tmp_path, scheme):
    names = [name for name in some_names(7, 20) if "\ud800" not in name]
    root = f"{scheme}{tmp_path}/out/ranker"
    (tmp_path / "out").mkdir()
    (tmp_path / "out/beside").write_bytes(b"not a ranker's")
    save(root, names, None, b"old")
    for corpus in random.Random(3).sample(names, 12):
        save(root, [corpus], [corpus], b"new")
        found = FilesDataset(filepath=root).load_all()
        assert {corpus_in(name) for name in found} == set(names)
        assert found[f"{folder_of(corpus)}/model.ubj"] == b"new"
        save(root, [corpus], [corpus], b"old")
        assert set(FilesDataset(filepath=root).load_all().values()) == {b"old"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["beside", "ranker"]


def test_what_is_published_of_others_is_kept_by_their_own_names(tmp_path):
    root = str(tmp_path / "exported_model")
    publish(root, ODD, None, b"old")
    publish(root, ["a"], ["a"], b"new")
    published = PublishedDataset(filepath=root)
    assert set(published.kept()) == {*ODD} - {"a"}
    assert set(published.load()) == {"a/json/model.json"}
    publish(root, ["a/b"], ["a/b"], b"new")
    contents = PublishedDataset(filepath=root).load_all()
    assert {corpus_in(name) for name, content in contents.items() if content == b"new"} == {"a", "a/b"}


def save(root: str, names, chosen, content: bytes) -> None:
    files = FilesDataset(filepath=root)
    files.handoff.expected = Fingerprint("ranker", f"{names}{content!r}", "train", choices={"fold": chosen})
    files.save({f"{folder_of(name)}/{file}": content for name in names for file in ("model.ubj", "manifest.json")})


def publish(root: str, names, chosen, content: bytes) -> None:
    published = PublishedDataset(filepath=root)
    published.handoff.expected = Fingerprint("exported_model", f"{names}", "export", choices={"fold": chosen})
    published.save({f"{folder_of(name)}/json/model.json": content for name in names})


@pytest.mark.parametrize("corpus", [*PLAIN, *ODD])
def test_names_that_can_be_folders_are_sound(corpus):
    assert not name_fault(corpus)


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("a\0b", "control characters"),
        ("a\nb", "control characters"),
        ("\ud83d", "control characters"),
        ("caf\ufffd", "could not be decoded"),
        ("x" * 300, "300 bytes"),
        ("日" * 70, "210 bytes"),
        ("/" * 70, "210 bytes"),
        ("__HIVE_DEFAULT_PARTITION__", "absent value"),
    ],
)
def test_ingestion_gives_up_a_corpus_with_a_name_under_which_nothing_can_be_written(corpus, message):
    assert message in name_fault(corpus)
    sound = CorpusCounts(n_read=1, n_serps=1, n_clicks=1)
    failures = find_failures({corpus: sound, "shop": sound}, bounds=Bounds(0.0, 1000), reader_options={})
    assert [failure.corpus for failure in failures] == [corpus]
    assert message in failures[0].error
    assert failures[0].hint


def test_spark_keeps_the_names_of_folders_apart_too(spark, tmp_path):
    from rankhammer.training import staging

    rows = [(name, n) for n, name in enumerate([*PLAIN, *ODD])]
    spark.createDataFrame(rows, "corpus string, n int").write.partitionBy("corpus").parquet(str(tmp_path / "matrix"))
    found = staging._files(spark.read.parquet(str(tmp_path / "matrix")))
    assert set(found) == {*PLAIN, *ODD}
    assert corpora.names_in(spark.read.parquet(str(tmp_path / "matrix"))) == sorted({*PLAIN, *ODD})
