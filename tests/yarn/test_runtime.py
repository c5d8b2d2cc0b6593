"""What nodes need is put on the cluster's filesystem once, and Spark is told where it is."""

from __future__ import annotations

import re
import shutil
import stat
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from rankhammer.errors import ClusterError, ConfigError
from rankhammer.spark import class_archive_build
from rankhammer.yarn import environment, node_classes, package, runtime, session
from rankhammer.yarn.settings import read_settings
from rankhammer.yarn.uploads import Uploads

ROOT = Path(__file__).parents[2]


@pytest.fixture
def on_progress() -> list[str]:
    return []


@pytest.fixture
def uploads(spark, tmp_path, on_progress) -> Uploads:
    """A folder by Hadoop's own client; its local filesystem stands for HDFS."""
    context = spark.sparkContext
    return Uploads(context._jvm, context._jsc.hadoopConfiguration(), f"file://{tmp_path}/root", on_progress.append)


@pytest.mark.parametrize("folder", ["corpus=main", "a folder", "50%", "a#b", "Häuser"])
def test_a_folder_here_may_have_any_name(uploads, tmp_path, folder):
    source = tmp_path / folder / "words.txt"
    source.parent.mkdir()
    source.write_bytes(b"1")
    assert Path(uploads.put(source).removeprefix("file:")).read_bytes() == b"1"


def test_file_is_written_once_and_a_changed_one_beside_it(uploads, on_progress, tmp_path):
    source = tmp_path / "words.tar.gz"
    source.write_bytes(b"1")
    first = uploads.put(source)
    assert uploads.put(source) == first
    assert len(on_progress) == 1
    source.write_bytes(b"2")
    second = uploads.put(source)
    written = sorted(path.name for path in (tmp_path / "root").iterdir() if not path.name.startswith("."))
    assert written == sorted([Path(first).name, Path(second).name])
    assert all(name.startswith("words-") and name.endswith(".tar.gz") for name in written)
    assert Path(first.removeprefix("file:")).read_bytes() == b"1"
    assert stat.S_IMODE(Path(first.removeprefix("file:")).stat().st_mode) == 0o644


def test_filesystem_that_is_not_there_is_named(spark, on_progress):
    context = spark.sparkContext
    conf = context._jvm.org.apache.hadoop.conf.Configuration(context._jsc.hadoopConfiguration())
    conf.set("ipc.client.connect.max.retries", "0")
    with pytest.raises(ClusterError, match=r"hdfs://127.0.0.1:1/x: .*ConnectException"):
        Uploads(context._jvm, conf, "hdfs://127.0.0.1:1/x", on_progress.append)


def _settings(**runtime_settings):
    installed = {"python": {"on_nodes": "/opt/python/bin/python"}}
    return read_settings({**installed, "runtime": {"spark": "nodes:/opt/spark/jars/", **runtime_settings}})


@pytest.fixture(scope="module")
def wheel() -> Path:
    return package.build_wheel(ROOT)


def _keys(uploads, on_progress, **runtime_settings) -> dict[str, str]:
    return runtime.yarn_settings(_settings(**runtime_settings), uploads, project=ROOT, on_progress=on_progress.append)


def test_nodes_with_their_own_python_and_spark_get_the_code_alone(uploads, on_progress, wheel, tmp_path):
    keys = _keys(uploads, on_progress)
    (code,) = keys.pop("spark.yarn.dist.archives").split(",")
    uri, alias = code.split("#")
    assert (alias, Path(uri).suffix) == ("app", ".zip")
    assert "rankhammer/yarn/check.sh" in zipfile.ZipFile(uri.removeprefix("file:")).namelist()
    environ = {"PYTHONPATH": "{{PWD}}/app", "PYSPARK_PYTHON": "/opt/python/bin/python"}
    prefixes = ("spark.yarn.appMasterEnv.", "spark.executorEnv.")
    expected = {f"{prefix}{name}": value for prefix in prefixes for name, value in environ.items()}
    logging = "-Dlog4j2.configurationFile=app/rankhammer/spark/log4j2-yarn.properties"
    expected |= dict.fromkeys(("spark.executor.extraJavaOptions", "spark.yarn.am.extraJavaOptions"), logging)
    expected["spark.python.daemon.module"] = "rankhammer.spark.worker_daemon"
    assert keys == {"spark.yarn.jars": "local:/opt/spark/jars/*", **expected}


def test_python_environment_travels_and_is_used_by_driver_and_executors(
    uploads, on_progress, wheel, tmp_path, monkeypatch
):
    packed = tmp_path / "built.tar.gz"
    packed.write_bytes(b"packed")
    monkeypatch.setattr(environment, "build", lambda planned, on_progress: packed)
    settings = read_settings({"runtime": {"spark": "nodes:/opt/spark/jars"}})
    keys = runtime.yarn_settings(settings, uploads, project=ROOT, on_progress=on_progress.append)
    uri, alias = keys["spark.yarn.dist.archives"].split(",")[-1].split("#")
    assert (Path(uri).name, alias) == (environment.plan(ROOT, without=settings.python.without).name, "env")
    assert Path(uri.removeprefix("file:")).read_bytes() == b"packed"
    assert keys["spark.executorEnv.PYSPARK_PYTHON"] == "./env/python"
    assert keys["spark.yarn.appMasterEnv.PYSPARK_PYTHON"] == "./env/python"


def test_java_of_the_nodes_or_of_an_archive_becomes_java_home(uploads, on_progress, wheel, tmp_path):
    keys = _keys(uploads, on_progress, java="nodes:/usr/lib/jvm/java-17")
    assert keys["spark.executorEnv.JAVA_HOME"] == "/usr/lib/jvm/java-17"
    (tmp_path / "java").write_text("")
    with tarfile.open(tmp_path / "jdk.tar.gz", "w:gz") as opened:
        opened.add(tmp_path / "java", "jdk-17.0.15/bin/java")
    keys = _keys(uploads, on_progress, java=str(tmp_path / "jdk.tar.gz"))
    assert keys["spark.executorEnv.JAVA_HOME"] == "{{PWD}}/java/jdk-17.0.15"
    assert keys["spark.yarn.appMasterEnv.JAVA_HOME"] == "{{PWD}}/java/jdk-17.0.15"
    assert "#java" in keys["spark.yarn.dist.archives"]


def test_archive_without_java_is_refused(uploads, on_progress, wheel, tmp_path):
    with tarfile.open(tmp_path / "no.tar.gz", "w:gz") as opened:
        opened.add(ROOT / "LICENSE", "something/LICENSE")
    with pytest.raises(ClusterError, match=r"holds no bin/java \(found something\)"):
        _keys(uploads, on_progress, java=str(tmp_path / "no.tar.gz"))


def test_jars_files_archives_and_libraries_are_passed_on(uploads, on_progress, wheel, tmp_path):
    for name in ("one.jar", "two.jar", "words.txt", "libfast.so", "model.tar.gz"):
        (tmp_path / name).write_text(name)
    keys = _keys(
        uploads,
        on_progress,
        jars=[f"{tmp_path}/*.jar", "hdfs:///jars/three.jar"],
        files=[f"{tmp_path}/words.txt"],
        native=[f"{tmp_path}/libfast.so"],
        archives=[f"{tmp_path}/model.tar.gz#model"],
    )
    one, two, three = keys["spark.jars"].split(",")
    assert (Path(one).name[:4], Path(two).name[:4], three) == ("one-", "two-", "hdfs:///jars/three.jar")
    assert [name.rpartition("#")[2] for name in keys["spark.yarn.dist.files"].split(",")] == ["words.txt", "libfast.so"]
    assert re.search(r"/model-[0-9a-f]{16}\.tar\.gz#model$", keys["spark.yarn.dist.archives"])
    assert keys["spark.executorEnv.LD_LIBRARY_PATH"] == "{{PWD}}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"files": ["/no/such/*.txt"]}, "matches no file"),
        ({"archives": ["/x/words.txt"]}, "no archive that YARN unpacks"),
        ({"java": "/no/jdk.tar.gz"}, "runtime.java: /no/jdk.tar.gz is no file"),
    ],
)
def test_what_is_not_there_is_named(uploads, on_progress, wheel, wrong, said):
    with pytest.raises(ClusterError, match=said):
        _keys(uploads, on_progress, **wrong)


def test_unknown_key_of_cluster_yml_is_refused():
    with pytest.raises(ConfigError, match=r"runtime\.jar"):
        read_settings({"runtime": {"jar": []}})


@pytest.fixture
def spark_jars(tmp_path) -> list[Path]:
    jars = [tmp_path / "jars" / name for name in ("a.jar", "slf4j-api-2.0.jar", "z.jar")]
    (tmp_path / "jars").mkdir()
    for jar in jars:
        jar.write_text(jar.name)
    return jars


def test_containers_name_sparks_jars_one_by_one_in_the_order_that_the_archive_of_classes_was_made_with(spark_jars):
    wanted = "__spark_libs__/slf4j-api-2.0.jar:__spark_libs__/a.jar:__spark_libs__/z.jar"
    assert node_classes.class_path(spark_jars) == node_classes.class_path(spark_jars[::-1]) == wanted


def test_an_archive_of_classes_is_made_of_jars_without_times_and_put_once(
    uploads, on_progress, spark_jars, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    seen = []

    def train(chosen, file, base, place, class_path):
        jars = [place / name for name in class_path.split(":")]
        seen.append({(jar.read_text(), jar.stat().st_mtime) for jar in jars})
        file.write_bytes(b"classes")

    monkeypatch.setattr(class_archive_build, "train", train)
    first, second = (node_classes.put(spark_jars, "listed", uploads, on_progress.append) for _ in range(2))
    assert first == second
    assert Path(first.removeprefix("file:")).read_bytes() == b"classes"
    assert seen == [{(jar.name, 0.0) for jar in spark_jars}]
    assert node_classes.put(spark_jars, "another release", uploads, on_progress.append) != first


def test_a_machine_that_can_make_no_archive_of_classes_says_so_and_goes_on(
    uploads, on_progress, spark_jars, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def train(*_, **__):
        raise ClusterError("the JVM ended")

    monkeypatch.setattr(class_archive_build, "train", train)
    assert node_classes.put(spark_jars, "listed", uploads, on_progress.append) is None
    assert "the JVM ended" in on_progress[-1]


def test_java_options_and_class_paths_of_ones_own_stand_beside_ours():
    ours = {
        "spark.executor.extraJavaOptions": f"{node_classes.OPTIONS} {runtime.LOGGING}",
        "spark.executor.extraClassPath": "__spark_libs__/a.jar",
    }
    merged = runtime.merged({"spark.executor.extraJavaOptions": "-XX:+UseSerialGC"}, ours)
    options = merged["spark.executor.extraJavaOptions"]
    assert options == f"{node_classes.OPTIONS} {runtime.LOGGING} -XX:+UseSerialGC"
    assert merged["spark.executor.extraClassPath"] == "__spark_libs__/a.jar"
    own = {
        "spark.executor.extraJavaOptions": "-Dlog4j2.configurationFile=x",
        "spark.executor.extraClassPath": "/my.jar",
    }
    merged = runtime.merged(own, ours)
    assert merged["spark.executor.extraJavaOptions"] == f"{node_classes.OPTIONS} -Dlog4j2.configurationFile=x"
    assert merged["spark.executor.extraClassPath"] == "/my.jar:__spark_libs__/a.jar"


def test_jars_of_spark_yml_stay_beside_ours():
    ours = {"spark.jars": "hdfs:///b.jar", "spark.yarn.jars": "local:/opt/*"}
    merged = runtime.merged({"spark.jars": "hdfs:///a.jar", "spark.executor.cores": "4"}, ours)
    expected = {"spark.jars": "hdfs:///a.jar,hdfs:///b.jar", "spark.executor.cores": "4"}
    assert merged == {**expected, "spark.yarn.jars": "local:/opt/*"}


def test_wheel_has_the_same_bytes_and_leaves_the_checkout_alone(wheel, tmp_path, monkeypatch):
    before = sorted(path.name for path in ROOT.iterdir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert package.build_wheel(ROOT).read_bytes() == wheel.read_bytes()
    assert sorted(path.name for path in ROOT.iterdir()) == before


def test_conf_archive_holds_no_secret(tmp_path):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    secret = "planted-9f3c"
    for place in (
        "local/globals.yml",
        "prod/credentials.yml",
        "base/credentials/search.yml",
        "prod/Credentials_s3.yml",
    ):
        (tmp_path / "conf" / place).parent.mkdir(exist_ok=True)
        (tmp_path / "conf" / place).write_text(f"key: {secret}\n")
    (tmp_path / "conf" / "prod" / "link.yml").symlink_to(tmp_path / "conf" / "local" / "globals.yml")
    packed = package.build_conf(tmp_path / "conf", tmp_path / "conf.tar.gz")
    with tarfile.open(packed) as opened:
        contents = {entry.name: opened.extractfile(entry).read() for entry in opened}
    assert {"conf/base/cluster.yml", "conf/prod/globals.yml", "conf/base/catalog/labeling.yml"} <= set(contents)
    assert [name for name, content in contents.items() if secret.encode() in content] == []
    assert [name for name in contents if "local" in name.split("/") or "credentials" in name.lower()] == []


def test_nodes_that_have_the_python_are_accepted(spark):
    (line,) = session.check_nodes(spark, sys.executable)
    assert line.startswith("ok ")


def test_node_without_the_python_stops_a_run_with_its_name(spark):
    with pytest.raises(
        ClusterError, match=r"1 of the nodes cannot run this: .*: /no/python cannot be used: .*not found"
    ):
        session.check_nodes(spark, "/no/python")


def test_node_whose_python_lacks_a_package_of_the_run_stops_it_with_its_name(spark):
    assert session.check_nodes(spark, sys.executable, "jax,optax")[0].startswith("ok ")
    with pytest.raises(ClusterError, match=r"1 of the nodes .* cannot be used: no_jax not installed"):
        session.check_nodes(spark, sys.executable, "optax,no_jax")


def test_node_with_another_minor_python_is_refused():
    on_progress = ["ok a: Python 3.11.2, glibc 2.36, x86_64", "ok b: Python 3.9.18", "refused c: this machine runs AIX"]
    session.require_ready(on_progress[:1], (3, 11))
    with pytest.raises(ClusterError, match="2 of the nodes") as caught:
        session.require_ready(on_progress, (3, 11))
    assert caught.value.values["hosts"] == ["b", "c"]
