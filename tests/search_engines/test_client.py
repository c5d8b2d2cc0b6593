"""The HTTP client against a real server on loopback that answers as it is told."""

from __future__ import annotations

import json
import pickle
import socket
import ssl
import subprocess
import threading
import traceback
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler

import pytest
from pydantic import SecretStr, ValidationError

from rankhammer import credentials
from rankhammer.credentials import Login
from rankhammer.errors import ConfigError, EngineError
from rankhammer.search_engines.answer import Response
from rankhammer.search_engines.client import Client, Server, connect
from rankhammer.search_engines.shapes import ClusterHealth, IndexFacts

SECRET = "s3cr3t-word"


class _Scripted(BaseHTTPRequestHandler):
    def _answer(self):
        self.server.asked.append((self.command, self.path, dict(self.headers), self._body()))
        status, body, *location = self.server.script.pop(0) if self.server.script else (200, {"ok": True})
        body = f"You sent {self.headers['authorization']}".encode() if body == "echo" else body
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for place in location:
            self.send_header("location", place)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the server's own names

    def _body(self):
        return self.rfile.read(int(self.headers.get("content-length", 0))).decode()

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def engine():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Scripted)
    server.asked, server.script = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("rankhammer.search_engines.client.FIRST_PAUSE_S", 0.01)


def client(engine, login=None, **options):
    address = f"http://127.0.0.1:{engine.server_address[1]}"
    return Client(Server(url=address, patience_s=options.pop("patience_s", 5), **options), login or Login())


def test_a_busy_or_restarting_engine_is_asked_again(engine):
    engine.script += [(429, {}), (503, b"starting"), (200, {"hits": 1})]
    busy = []
    answer = client(engine).ask("POST", "/x/_search", {"size": 0}, on_busy=lambda: busy.append(1))
    assert answer.body == {"hits": 1}
    assert answer.duration_s > 0
    assert len(busy) == 1
    assert [asked[3] for asked in engine.asked] == ['{"size": 0}'] * 3


def test_patience_ends_with_what_was_seen(engine):
    engine.script += [(429, {"error": {"type": "rejected", "reason": "queue is full"}})] * 50
    with pytest.raises(EngineError, match=r"within 0.05 s.*429 rejected: queue is full"):
        client(engine, patience_s=0.05).ask("GET", "/")


def test_nobody_there_is_said_plainly():
    with pytest.raises(EngineError, match="did not answer") as caught:
        Client(Server(url="http://127.0.0.1:9", patience_s=0), Login()).ask("GET", "/")
    assert "0x" not in str(caught.value)


def test_a_refusal_carries_the_innermost_reason(engine):
    deep = {
        "type": "parsing",
        "reason": "unknown query [matsh]",
        "caused_by": {"type": "named", "reason": "did you mean"},
    }
    engine.script.append((400, {"error": {"root_cause": [deep], "type": "outer", "reason": "all shards failed"}}))
    with pytest.raises(EngineError, match="400 named: did you mean"):
        client(engine).ask("POST", "/x/_search", {})


def test_the_reason_is_found_where_the_root_cause_has_none(engine):
    cause = {"type": "search", "reason": "all shards failed", "caused_by": {"type": "parsing", "reason": "no [matsh]"}}
    root = {"type": "illegal", "reason": "validation failed"}
    engine.script.append((400, {"error": {"root_cause": [root], **root, "caused_by": cause}}))
    with pytest.raises(EngineError, match=r"400 parsing: no \[matsh\]"):
        client(engine).ask("POST", "/x", {})


def test_the_message_is_the_innermost_cause_that_has_a_reason(engine):
    innermost = {"type": "no_viable_alt_exception", "reason": None}
    syntax = {"type": "parse_exception", "reason": "invalid sequence of tokens near '*'", "caused_by": innermost}
    outer = {"type": "script_exception", "reason": "compile error"}
    engine.script.append((400, {"error": {"root_cause": [outer], **outer, "caused_by": syntax}}))
    with pytest.raises(EngineError, match=r"400 parse_exception: invalid sequence of tokens near '\*'"):
        client(engine).ask("POST", "/x", {})


@pytest.mark.parametrize("place", ["root_cause", "failed_shards", "caused_by"])
def test_a_shard_that_is_not_there_yet_is_waited_for(engine, place):
    shard = {"type": "no_shard_available_action_exception", "reason": "No shard available for [get [.ltrstore]]"}
    causes = {"root_cause": [shard], "failed_shards": [{"reason": {"type": "x", "caused_by": shard}}]}
    error = {"type": "search", "reason": "failed", place: causes.get(place, {"type": "io", "caused_by": shard})}
    engine.script += [(400, {"error": error}), (404, {"error": error}), (200, {"hits": 1})]
    assert client(engine).ask("POST", "/x/_search", {}, allowed=(404,)).body == {"hits": 1}


@pytest.mark.parametrize("failures", [{}, {"failures": [{"reason": {"type": "no_shard_available_action_exception"}}]}])
def test_shards_that_are_not_open_yet_are_waited_for(engine, failures):
    part = {"timed_out": False, "_shards": {"failed": 2, **failures}, "hits": {"hits": []}}
    engine.script += [(200, part), (200, part), (200, {"hits": 1})]
    assert client(engine).ask("POST", "/x/_search", {}).body == {"hits": 1}
    engine.script += [(200, part)] * 50
    with pytest.raises(EngineError, match="2 shards of what is searched are not open"):
        client(engine, patience_s=0.05).ask("POST", "/x/_search", {})


def test_shards_that_failed_for_a_reason_are_not_waited_for(engine):
    shards = {"failed": 1, "failures": [{"reason": {"type": "too_many_clauses", "reason": "no"}}]}
    engine.script.append((200, {"_shards": shards}))
    assert client(engine).ask("POST", "/x/_search", {}).body == {"_shards": shards}


def test_a_redirect_is_no_answer_and_nothing_is_sent_after_it(engine):
    elsewhere = f"http://me:{SECRET}@127.0.0.1:{engine.server_address[1]}/login?token={SECRET}"
    for status in (301, 302, 307, 308, 304):
        engine.script.append((status, {}, elsewhere))
        with pytest.raises(
            EngineError, match=rf"is answered {status}, a redirect to http://127\.0\.0\.1:.*/login"
        ) as caught:
            client(engine).ask("GET", "/x", allowed=(404,))
        assert SECRET not in str(caught.value)
    assert len(engine.asked) == 5


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://nowhere.invalid:9200", "no address"),
        ("https://127.0.0.1:9", "ca_certs"),
        ("http://127.0.0.1:{port}/ä", "characters"),
    ],
)
def test_nobody_waits_for_what_cannot_come(engine, url, message):
    server = Server(url=url.format(port=engine.server_address[1]), patience_s=60, ca_certs="nowhere.pem")
    with pytest.raises(EngineError, match=message) as caught:
        Client(server, Login()).ask("GET", "/ä" if "ä" in url else "/")
    assert caught.value.hint


def test_an_answer_that_is_too_large_names_what_to_ask_less_of(engine):
    engine.script.append((200, b"x" * (2**20 + 1)))
    with pytest.raises(EngineError, match=r"GET http.*larger than 1 MiB") as caught:
        client(engine, max_answer_mib=1).ask("GET", "/_search")
    assert "searches_per_request" in caught.value.hint
    assert "max_answer_mib" in caught.value.hint


def test_a_secret_that_the_engine_repeats_is_not_quoted(engine):
    for login in (Login(username="me", password=SecretStr(SECRET)), Login(api_key=SecretStr(SECRET))):
        engine.script += [(400, "echo"), (200, "echo"), (400, {"error": {"msg": f"no user me with {SECRET}"}})]
        for _ in range(3):
            with pytest.raises(EngineError, match=r"\*\*\*") as caught:
                client(engine, login).ask("GET", "/").read(ClusterHealth)
            assert SECRET not in str(caught.value)
            assert login.headers()["authorization"] not in str(caught.value)


def test_a_refusal_can_be_an_answer(engine):
    engine.script.append((404, {}))
    assert client(engine).ask("GET", "/x", allowed=(404,)).status == 404


@pytest.mark.parametrize(
    ("login", "header"),
    [
        (Login(username="me", password=SecretStr(SECRET)), "Basic bWU6czNjcjN0LXdvcmQ="),
        (Login(api_key=SecretStr(SECRET)), f"ApiKey {SECRET}"),
    ],
)
def test_a_secret_is_sent_and_never_shown(engine, login, header):
    engine.script.append((401, {"error": "who are you"}))
    asking = pickle.loads(pickle.dumps(client(engine, login)))
    with pytest.raises(EngineError, match="401") as caught:
        asking.ask("GET", "/")
    assert engine.asked[0][2]["authorization"] == header
    assert SECRET not in f"{caught.value}{caught.value.hint}{asking!r}{login!r}{asking.__dict__}"


def test_credentials_are_found_by_name(engine):
    credentials.configure(lambda: {"search": {"username": "me", "password": SECRET}})
    try:
        address = f"http://127.0.0.1:{engine.server_address[1]}"
        connect(Server(url=address, credentials="search")).ask("GET", "/")
        assert engine.asked[0][2]["authorization"].startswith("Basic ")
        with pytest.raises(ConfigError, match="no credentials 'serach'") as caught:
            connect(Server(url=address, credentials="serach"))
        assert "Did you mean 'search'" in caught.value.hint
    finally:
        credentials.configure(dict)


def test_wrong_credentials_are_named_without_their_values():
    credentials.configure(lambda: {"search": {"user": SECRET, "password": [SECRET]}})
    try:
        with pytest.raises(ConfigError, match="wrong password, user") as caught:
            credentials.login("search")
        assert SECRET not in str(caught.value)
    finally:
        credentials.configure(dict)


@pytest.mark.parametrize(
    "url",
    [
        "search.example.org:9200",
        "ftp://x",
        "http://me:s3cr3t-word@x:9200",
        "http://me:s3cr3t-word@x:99999",
        "ftp://me:s3cr3t-word@x",
        "http://x:9200/?key=s3cr3t-word",
        "http://x:0",
        "http://",
    ],
)
def test_an_address_has_a_scheme_and_no_password(url):
    with pytest.raises(ValidationError, match="address") as caught:
        Server(url=url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"api_key": f"{SECRET}\n"}, "api_key holds"),
        ({"api_key": f"{SECRET} x"}, "api_key holds"),
        ({"api_key": f"ä{SECRET}"}, "api_key holds"),
        ({"username": "me", "password": f"{SECRET}\r\nx-admin: 1"}, "password holds"),
        ({"username": "me\n", "password": SECRET}, "wrong username"),
        ({"username": "me:too", "password": SECRET}, "wrong username"),
        ({"username": "me", "api_key": SECRET}, "only one of the two"),
        ({"password": SECRET}, "without username"),
        ({}, "no map"),
        (SECRET, "no map"),
        ([SECRET], "no map"),
        ({"username": "me", "password": 12345}, "wrong password"),
    ],
)
def test_credentials_that_no_header_can_hold_are_refused_when_they_are_read(entry, message):
    credentials.configure(lambda: {"search": entry})
    try:
        with pytest.raises(ConfigError, match=message) as caught:
            credentials.login("search")
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    finally:
        credentials.configure(dict)


def test_a_password_is_sent_in_utf_8(engine):
    client(engine, Login(username="me", password=SecretStr("pässwörd"))).ask("GET", "/")
    sent = engine.asked[0][2]["authorization"].removeprefix("Basic ")
    assert b64decode(sent).decode() == "me:pässwörd"


def test_lines_of_json_are_sent_as_they_are(engine):
    client(engine).ask("POST", "/_bulk", '{"index":{}}\n{}\n')
    assert engine.asked[0][2]["content-type"] == "application/x-ndjson"


@pytest.fixture
def keeps_connections(engine, monkeypatch):
    """The engine, and each connection that was made to it."""
    made = []
    monkeypatch.setattr(_Scripted, "protocol_version", "HTTP/1.1")
    monkeypatch.setattr(_Scripted, "setup", lambda self: (made.append(self.request), StreamRequestHandler.setup(self)))
    return engine, made


def test_a_connection_is_used_again_until_the_engine_hangs_up(keeps_connections):
    engine, made = keeps_connections
    asking = client(engine, patience_s=0)
    for _ in range(3):
        asking.ask("GET", "/")
    assert len(made) == 1
    made[0].shutdown(socket.SHUT_RDWR)
    made[0].close()
    assert asking.ask("GET", "/").status == 200
    assert len(made) == 2


def test_a_certificate_is_checked_unless_told_otherwise(engine, tmp_path):
    key, signed = tmp_path / "key.pem", tmp_path / "signed.pem"
    names = ["-subj", "/CN=search", "-addext", "subjectAltName=IP:127.0.0.1"]
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", signed, "-days", "2"]
    subprocess.run([*new, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed, key)
    engine.socket = context.wrap_socket(engine.socket, server_side=True)

    def ask(**options):
        address = f"https://127.0.0.1:{engine.server_address[1]}"
        return Client(Server(url=address, patience_s=0, **options), Login()).ask("GET", "/").status

    assert ask(ca_certs=str(signed)) == 200
    assert ask(verify=False) == 200
    with pytest.raises(EngineError, match="CERTIFICATE_VERIFY_FAILED"):
        ask()


@pytest.mark.parametrize("n_shards", ["", "x", "0", 0, -1, None])
def test_an_index_has_a_number_of_shards(n_shards):
    body = {"settings": {"index": {"uuid": "u", "number_of_shards": n_shards}}}
    with pytest.raises(EngineError, match="number_of_shards"):
        Response(200, body, 0.0).read(IndexFacts)
