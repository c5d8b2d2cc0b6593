"""A host's first boot, run here on a real S3 server, and the dashboard that it serves over TLS."""

from __future__ import annotations

import datetime
import json
import os
import ssl
import subprocess
import sys
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.run_results import make_results

from rankhammer.dashboard.access import new_access, public_part
from rankhammer.dashboard.host import Host, HostFiles, boot_script
from rankhammer.emr.artifacts import Artifacts
from rankhammer.yarn import package

pytestmark = [pytest.mark.emr, pytest.mark.budget("emr")]
BUCKET = "my-search-rankers"


def certificate() -> dict[str, str]:
    """Make a certificate for this machine's own name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    chain = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = chain.public_bytes(serialization.Encoding.PEM)
    return {"chain": pem.decode(), "key": key.private_bytes(*plain).decode()}


@pytest.fixture
def booted(on_s3):
    """A folder as a host's after its first boot, and the token."""
    results = on_s3.folder / "results"
    results.mkdir()
    make_results(results)
    homes = {"run_history": "08_reporting/history", "evaluation": "07_model_output/evaluation"}
    homes |= {"tuning_trials": "06_models/tuning_trials"}
    for file in sorted(path for path in results.rglob("*") if path.is_file()):
        name, _, rest = file.relative_to(results).as_posix().partition("/")
        place = f"{homes[name]}/{rest}" if rest else f"08_reporting/{name}"
        on_s3.s3.upload_file(str(file), BUCKET, f"story/results/{place}")
    (on_s3.folder / "node" / "rankhammer-certificate").write_text(json.dumps(certificate()))
    store = Artifacts(on_s3.s3, f"s3://{BUCKET}/rankhammer", "", lambda _: None)
    store._owner = {}
    conf = store.put(package.build_conf(on_s3.project / "conf", on_s3.folder / "conf.tar.gz"))
    files = HostFiles(store.put(package.build_wheel(on_s3.project)), conf, "", sys.executable)
    host = Host("emr", ("203.0.113.0/24",), "ranking.example.org", "rankhammer/certificate", "t3.small", "us-east-1")
    access, token = new_access()
    root, state = on_s3.folder / "host", on_s3.folder / "state"
    script = boot_script(host, files, json.dumps(public_part(access)), root=str(root), state=str(state), user="root")
    environ = on_s3.aws.node.environ
    done = subprocess.run(["bash", "-s"], input=script, text=True, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    subprocess.run([root / "certificate"], env=environ, check=True)
    return root, state, token, environ


def test_a_host_serves_what_is_on_s3_over_tls_to_whoever_has_the_token(booted):
    root, state, token, environ = booted
    assert [(file.stat().st_mode & 0o077) for file in (state / "access.json", state / "tls" / "key.pem")] == [0, 0]
    options = ["--env=emr", "--token-file", str(state / "access.json"), "--host", "127.0.0.1", "--port", "0"]
    options += ["--name", "localhost", "--tls-cert", str(state / "tls/chain.pem")]
    options += ["--tls-key", str(state / "tls/key.pem")]
    own = {**environ, "XDG_CACHE_HOME": str(state / "cache")}
    process = subprocess.Popen(
        [str(root / "rankhammer"), "dashboard", *options],
        cwd=root / "project",
        env=own,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = next(line.split()[-1] for line in process.stderr if "https://" in line)
        trusted = ssl.create_default_context(cafile=state / "tls" / "chain.pem")
        browser = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=trusted), urllib.request.HTTPCookieProcessor(CookieJar())
        )
        address = address.replace("127.0.0.1", "localhost")
        assert "Sign in" in browser.open(f"{address}login", timeout=30).read().decode()
        browser.open(f"{address}login", urlencode({"token": token}).encode(), timeout=30)
        page = browser.open(f"{address}runs/1/queries?corpus=main", timeout=30).read().decode()
        assert "open a file" in page
        assert "Results as copied" in page
        assert f"s3a://{BUCKET}/story/results" in page
        assert token not in page
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert os.listdir(root / "project" / "conf")
