"""Production's URIs (hdfs, s3a), answered by local folders through Hadoop's own ViewFileSystemOverloadScheme."""

from __future__ import annotations

import json
from contextlib import contextmanager

import fsspec
import pytest

from rankhammer.corpora import folder_of
from rankhammer.datasets import FilesDataset, InputDataset, PublishedDataset, TableDataset, hadoop_files
from rankhammer.datasets.handoff import MARKER
from rankhammer.datasets.reports import ReportDataset
from rankhammer.errors import ConfigError
from rankhammer.runs.user_errors import user_error
from rankhammer.storage import base, hadoop
from rankhammer.storage.champions import make_current
from rankhammer.storage.publication import Candidates, NewRanker, follow
from rankhammer.storage.ranker_history import PROMOTION

OVERLOAD = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"


@contextmanager
def mounted(spark, scheme: str, authority: str, folder):
    """Let a scheme lead to a folder; all tests of this process share the configuration, so it ends as it was."""
    conf = spark.sparkContext._jsc.hadoopConfiguration()
    folder.mkdir()
    keys = {
        f"fs.{scheme}.impl": OVERLOAD,
        f"fs.viewfs.overload.scheme.target.{scheme}.impl": "org.apache.hadoop.fs.LocalFileSystem",
        f"fs.viewfs.mounttable.{authority}.linkFallback": f"file://{folder}",
        f"fs.viewfs.mounttable.{authority}.link./.mnt": f"file://{folder}",
    }
    before = {key: conf.getRaw(key) for key in keys}
    for key, value in keys.items():
        conf.set(key, value)
    yield
    for key, value in before.items():
        conf.unset(key) if value is None else conf.set(key, value)


@pytest.fixture(params=[("hdfs", "hdfs://nn{n}:8020", "nn{n}"), ("s3a", "s3a://bucket{n}", "bucket{n}")])
def root(request, spark, tmp_path):
    scheme, uri, authority = request.param
    n = abs(hash(str(tmp_path))) % 100_000
    with mounted(spark, scheme, authority.format(n=n), tmp_path / "mounted"):
        yield uri.format(n=n)


def test_a_table_goes_through_hadoop_uris(spark, root, tmp_path):
    dataset = TableDataset(filepath=f"{root}/primary/pairs")
    assert not dataset.exists()
    dataset.save(spark.range(5))
    assert dataset.exists()
    assert dataset.load().count() == 5
    assert (tmp_path / "mounted" / "primary" / "pairs" / MARKER).exists()


def test_files_go_through_hadoop_uris(root, tmp_path):
    ranker = FilesDataset(filepath=f"{root}/models/ranker")
    ranker.save({"main/model.ubj": bytes(range(256)), "main/manifest.json": b"{}"})
    ranker.save({"main/model.ubj": bytes(range(255))})
    assert ranker.load() == {"main/model.ubj": bytes(range(255))}
    assert (tmp_path / "mounted" / "models" / "ranker" / "main" / "model.ubj").read_bytes() == bytes(range(255))


def test_what_a_killed_writer_has_left_is_no_file_of_a_folder(root, tmp_path):
    """Hadoop's listing and this machine's say the same."""
    ranker = FilesDataset(filepath=f"{root}/models/ranker")
    ranker.save({"main/model.ubj": b"whole"})
    local = tmp_path / "mounted" / "models" / "ranker"
    left = local / "main" / hadoop.unfinished_name("model.ubj")
    left.write_bytes(b"ha")
    assert ranker.load() == {"main/model.ubj": b"whole"}
    for place in (f"{root}/models/ranker", str(local)):
        storage = base.storage_for(place)
        assert {*storage.files(place)} == {*storage.sizes(place)} >= {"main/model.ubj", MARKER}
        assert f"main/{left.name}" not in storage.sizes(place)
        assert f"main/{left.name}" in storage.listing(place)


def test_files_in_parts_go_through_hadoop_uris(root):
    dataset = FilesDataset(filepath=f"{root}/models/judgments")
    parts = [bytes([n % 256]) * 300_000 for n in range(9)]
    dataset.save(("main/a.bin", part) for part in parts)
    assert dataset.load() == {"main/a.bin": b"".join(parts)}


def test_an_input_behind_a_hadoop_uri_has_a_fingerprint(spark, root, tmp_path):
    (tmp_path / "mounted" / "log").mkdir()
    (tmp_path / "mounted" / "log" / "a.json").write_text('{"query": "x"}\n')
    log = InputDataset(filepath=f"{root}/log", file_format="json")
    assert log.load().first().query == "x"
    before = log.fingerprint()
    (tmp_path / "mounted" / "log" / "b.json").write_text('{"query": "y"}\n')
    assert log.fingerprint() != before


def test_rankers_are_registered_and_promoted_through_hadoop_uris(root, tmp_path):
    def export(content: bytes, *, by_hand: bool) -> str:
        ranker = NewRanker({"model.ubj": content}, is_by_hand=by_hand)
        files = {"main/json/model.json": content}
        given = Candidates({}, files, {"main": ranker}) if by_hand else Candidates(files, {}, {"main": ranker})
        PublishedDataset(filepath=f"{root}/exported", keep_rankers=1, grace_h=0).save(given)
        return ranker.id

    first, second = export(b"1", by_hand=False), export(b"2", by_hand=True)
    published = PublishedDataset(filepath=f"{root}/exported")
    assert published.load_all() == {"main/json/model.json": b"1"}
    entries = {entry.ranker: entry for entry in published.registry.history().entries()}
    assert entries.keys() == {first, second}
    about = {"before": published.versions.newest(), "how": PROMOTION, "about": {"reason": "r"}}
    make_current(entries[second], published.versions, published.registry, **about)
    assert published.load_all() == {"main/json/model.json": b"2"}
    assert published.registry.history().champions("main") == [first, second]
    third = export(b"3", by_hand=True)
    assert published.registry.kept() == {("main", first), ("main", second), ("main", third)}
    assert (tmp_path / "mounted/exported/registry/000001.json").exists()


def test_a_folder_that_hadoop_refuses_to_write_is_no_defect(root, tmp_path):
    (tmp_path / "mounted" / "models").write_text("a file where a folder must be")
    with pytest.raises(Exception, match="models") as caught:
        FilesDataset(filepath=f"{root}/models/ranker").handoff.check_writable()
    error = user_error(caught.value)
    assert isinstance(error, ConfigError)
    assert "models" in error.message
    assert "globals.yml" in error.hint


class NeverRenames:
    """A filesystem that answers as HDFS does where it does not like the target: with False."""

    def __init__(self, filesystem):
        self._filesystem = filesystem

    def __getattr__(self, name):
        return getattr(self._filesystem, name)

    def rename(self, *_):
        return False


def test_a_file_that_hadoop_does_not_rename_is_not_taken_for_written(root, monkeypatch):
    opened = hadoop._open
    monkeypatch.setattr(hadoop, "_open", lambda uri: (NeverRenames(opened(uri)[0]), opened(uri)[1]))
    with pytest.raises(OSError, match="_fingerprint"):
        FilesDataset(filepath=f"{root}/models/ranker").handoff.finish()


def test_a_published_folder_goes_through_hadoop_uris(root, tmp_path):
    published = PublishedDataset(filepath=f"{root}/exported_model", keep=1, grace_h=0)
    published.handoff.check_writable()
    published.save({"main/json/model.json": b"1"})
    published.save({"main/json/model.json": b"2"})
    assert published.load() == {"main/json/model.json": b"2"}
    assert len(list((tmp_path / "mounted/exported_model/versions").iterdir())) == 1
    assert follow(f"{root}/exported_model/current/main").startswith(f"{root}/exported_model/versions/000002-")


def test_a_file_is_created_once(root, tmp_path):
    files = base.storage_for(root)
    assert files.create(f"{root}/pointers/1.json", b"mine")
    assert not files.create(f"{root}/pointers/1.json", b"yours")
    assert files.read(f"{root}/pointers/1.json") == b"mine"
    assert [path.name for path in (tmp_path / "mounted/pointers").iterdir() if path.suffix != ".crc"] == ["1.json"]
    assert 0 < files.changed_at(f"{root}/pointers") == files.changed_at(f"{root}/pointers/1.json")
    assert files.changed_at(f"{root}/nothing") == 0
    assert files.abandon_uploads(f"{root}/pointers") == 0


def test_kedros_own_datasets_go_through_hadoop_uris(root, tmp_path):
    hadoop_files.register()
    files = fsspec.filesystem(root.partition("://")[0])
    with files.open(f"{root}/reports/facts.json", "w") as file:
        file.write('{"n": 1}')
    with files.open(f"{root}/reports/facts.json", "r") as file:
        assert file.read() == '{"n": 1}'
    assert not files.exists(f"{root}/reports/other.json")
    with pytest.raises(FileNotFoundError, match=r"other\.json"):
        files.open(f"{root}/reports/other.json")


@pytest.fixture
def bucket(spark, tmp_path):
    name = f"bucket{abs(hash(str(tmp_path))) % 100_000}"
    with mounted(spark, "s3a", name, tmp_path / "mounted"):
        yield name


def test_reports_on_s3_are_on_s3(bucket, tmp_path, monkeypatch):
    """Kedro's datasets take the scheme off a path, and hand on bucket and key."""
    monkeypatch.chdir(tmp_path)
    hadoop_files.register()
    report = ReportDataset(filepath=f"s3a://{bucket}/reports/facts.json")
    assert not report.exists()
    report.save({"n": 1})
    assert report.exists()
    assert report.load() == {"n": 1}
    assert (tmp_path / "mounted" / "reports" / "facts.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["mounted"]


def test_a_report_that_breaks_off_leaves_the_one_before(root):
    files = hadoop_files.HadoopFiles()
    path = f"{root}/reports/facts.json"
    with files.open(path, "w") as file:
        file.write("whole")
    with pytest.raises(TypeError), files.open(path, "w") as file:
        json.dump([1, {1, 2}], file)
    with files.open(path) as file:
        assert file.read() == b"whole"


def test_csv_files_on_hadoop_uris_are_looked_at_and_read_by_name(root, tmp_path):
    folder = tmp_path / "mounted/logs"
    folder.mkdir()
    (folder / "a.csv").write_text("id,query\n1,lamp\n")
    (folder / "b.csv").write_text("query,id\nchair,2\n")
    dataset = InputDataset(filepath=f"{root}/logs", file_format="csv", load_args={"header": True})
    dataset.require_found()
    assert sorted(dataset.load().collect()) == [("1", "lamp"), ("2", "chair")]
    (folder / "c.csv").write_bytes("id,query\n3,lämp\n".encode("latin-1"))
    with pytest.raises(Exception, match=r"c\.csv is not UTF-8"):
        dataset.require_found()


def test_corpora_of_any_name_keep_to_their_folders_on_hadoop_uris(root):
    ranker = FilesDataset(filepath=f"{root}/models/ranker")
    names = ["a", "a/b", "..", "日本 🎉", "a=b%c", "%2E"]
    files = {f"{folder_of(name)}/model.ubj": name.encode() for name in names}
    ranker.save(files)
    assert ranker.load() == files
