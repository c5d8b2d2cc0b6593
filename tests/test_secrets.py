"""One secret planted in each place where people put them: no message, file or command line shows it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from pydantic import ValidationError

from rankhammer import spark
from rankhammer.cli.main import rankhammer
from rankhammer.errors import ConfigError, PluginError
from rankhammer.pipelines.features.params import FeaturesParams
from rankhammer.plugins import PluginSpec, create
from rankhammer.secret_settings import require_no_login, require_no_secrets
from rankhammer.storage.base import storage_for

SECRET = "planted-4417"
PROJECT = Path(__file__).parents[1]
KEYS = [
    "spark.hadoop.fs.s3a.secret.key",
    "spark.hadoop.fs.s3a.access.key",
    "spark.hadoop.fs.s3a.session.token",
    "spark.hadoop.fs.s3a.encryption.key",
    "spark.hadoop.fs.azure.account.key.x.dfs.core.windows.net",
    "spark.ssl.keyStorePassword",
    "spark.authenticate.secret",
    "spark.executorEnv.AWS_SECRET_ACCESS_KEY",
    "spark.yarn.appMasterEnv.SEARCH_API_KEY",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_secret_in_spark_settings_is_refused_by_its_key(key):
    with pytest.raises(ConfigError, match=f"spark.yml: {key} holds a secret") as caught:
        spark.effective_settings({key: SECRET}, submitted=False)
    assert SECRET not in str(caught.value)
    assert "credential provider" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.driver.extraJavaOptions", f"-Xmx1g -Djavax.net.ssl.trustStorePassword={SECRET}"),
        ("spark.jars.repositories", f"https://me:{SECRET}@jars.example.org/maven"),
        ("spark.hadoop.fs.defaultFS", f"s3a://me:{SECRET}@bucket"),
    ],
)
def test_a_secret_within_a_value_is_refused(key, value):
    with pytest.raises(ConfigError, match=key) as caught:
        require_no_secrets({key: value}, "--conf")
    assert SECRET not in str(caught.value)


def test_keys_that_only_say_where_a_secret_is_are_taken():
    harmless = {
        "spark.hadoop.hadoop.security.credential.provider.path": "jceks://hdfs@nn/user/shop/keys.jceks",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider",
        "spark.kubernetes.authenticate.oauthTokenFile": "/run/token",
        "spark.hadoop.dfs.block.access.token.enable": "true",
        "spark.security.credentials.hive.enabled": "false",
        "spark.ssl.keyStorePassword": None,
        "spark.kerberos.access.hadoopFileSystems": "hdfs://a:8020,hdfs://b:8020",
        "spark.driver.extraJavaOptions": "-Dlog4j2.configurationFile=file:/x -Duser.timezone=UTC",
    }
    require_no_secrets(harmless, "spark.yml")


def test_a_password_in_a_path_is_refused_without_quoting_it():
    for act in (storage_for, lambda path: require_no_login(path, "A path")):
        with pytest.raises(ConfigError, match="holds a user and a password") as caught:
            act(f"s3a://AKIA:{SECRET}@bucket/rankers")
        assert SECRET not in str(caught.value)
    storage_for("hdfs://me@namenode:8020/apps/a:b@c")


@pytest.mark.parametrize(
    "options",
    [{"url": f"http://me:{SECRET}@x:9200"}, {"url": "http://x:1", "password": SECRET}, {"store": f"A {SECRET}"}],
)
def test_a_secret_among_the_options_of_a_plugin_is_not_quoted(options):
    with pytest.raises(PluginError) as caught:
        create("feature_sources", PluginSpec(name="opensearch", options={"url": "http://x:1", **options}))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "source", [{"name": "opensearch", "pasword": SECRET}, {"name": "embedded", "options": SECRET}, SECRET]
)
def test_a_secret_among_the_parameters_of_a_stage_is_not_quoted(source):
    with pytest.raises(ValidationError) as caught:
        FeaturesParams.model_validate({"source": source})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        ["deploy", "/nowhere", "--url", f"http://me:{SECRET}@127.0.0.1:9"],
        ["push-judgments", "/nowhere", "--url", f"http://me:{SECRET}@127.0.0.1:99999"],
        ["deploy", f"s3a://me:{SECRET}@bucket/shop", "--url", "http://127.0.0.1:9"],
        ["submit", "--env=prod", "--conf", f"spark.hadoop.fs.s3a.secret.key={SECRET}"],
        ["submit", "--env=prod", "--conf", SECRET],
    ],
)
def test_a_secret_on_a_command_line_is_refused_and_not_repeated(words):
    ended = CliRunner().invoke(rankhammer, words)
    assert (ended.exit_code, "Hint: " in ended.output) == (2, True), ended.output
    assert SECRET not in ended.output + "".join(traceback.format_exception(*ended.exc_info))


def test_a_run_with_a_secret_in_its_configuration_ends_before_anybody_can_see_it(tmp_path):
    """And says of credentials.yml that others may read it; its content stays where it is."""
    conf = Path(shutil.copytree(PROJECT / "conf", tmp_path / "conf"))
    planted = {conf / "local" / "spark.yml": {"spark.hadoop.fs.s3a.secret.key": SECRET}}
    for file, content in planted.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(content))
    command = [Path(sys.executable).parent / "rankhammer", "run", "--conf-source", conf]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        while run.poll() is None:
            assert SECRET.encode() not in _command_lines()
            time.sleep(0.05)
        message = run.stdout.read()
    assert run.returncode == 2, message
    assert "spark.hadoop.fs.s3a.secret.key holds a secret" in message
    assert SECRET not in message
    assert [file for file in tmp_path.rglob("*") if file.is_file() and SECRET in file.read_text()] == list(planted)


def _command_lines() -> bytes:
    """Return what `ps` shows of all processes."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes())
        except OSError:
            continue
    return b"\n".join(found)


@pytest.mark.parametrize(("mode", "n_told"), [(0o644, 1), (0o660, 1), (0o600, 0)])
def test_a_file_with_credentials_that_others_may_read_is_said_once(tmp_path, capsys, mode, n_told):
    from kedro.config import OmegaConfigLoader

    from rankhammer.hooks import credentials_hook

    for folder in ("base", "local"):
        (tmp_path / folder).mkdir()
    file = tmp_path / "local" / "credentials.yml"
    file.write_text(yaml.safe_dump({"search": {"username": "me", "password": SECRET}}))
    file.chmod(mode)

    class Context:
        config_loader = OmegaConfigLoader(str(tmp_path), base_env="base", default_run_env="local")

    for _ in range(2):
        assert credentials_hook._entries(Context())["search"]["password"] == SECRET
    message = capsys.readouterr()
    assert message.out == ""
    assert message.err.count(f"chmod 600 {file}") == n_told
    assert SECRET not in message.err


def test_an_entry_that_nobody_uses_and_nobody_could_send_is_said_once(capsys, monkeypatch):
    from rankhammer.hooks import credentials_hook

    monkeypatch.setattr(credentials_hook, "_WRONG", set())
    entries = {
        "search": {"usernme": "me", "password": SECRET},
        "sound": {"username": "me", "password": SECRET},
        "bucket": {"key": "x", "secret": SECRET},
        "shell": SECRET,
    }
    catalog = {"pictures": {"type": "pandas.CSVDataset", "credentials": "bucket"}}
    for _ in range(2):
        credentials_hook.CredentialsHook().after_catalog_created(catalog, entries)
    told = capsys.readouterr().err
    assert told.count("Warning: ") == 2
    assert "Warning: Credentials 'search': wrong usernme.\nHint: Did you mean 'username'?" in told
    assert "Warning: Credentials 'shell': it is no map of names to texts." in told
    assert SECRET not in told
