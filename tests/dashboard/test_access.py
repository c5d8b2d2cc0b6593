"""The token, its file, sessions, and how often somebody may try."""

from __future__ import annotations

import stat

import pytest
from tests.dashboard.conftest import Client, make_site
from tests.support.run_results import make_results

from rankhammer.dashboard.access import SESSION_S, AttemptLimit, new_access, open_access
from rankhammer.dashboard.headers import Binding
from rankhammer.dashboard.site import COOKIE
from rankhammer.errors import ConfigError


def test_the_token_is_shown_once_and_only_its_hash_is_kept(tmp_path):
    file = tmp_path / "local" / "dashboard.json"
    access, token = open_access(file)
    assert len(token) >= 32
    assert token not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again, nothing = open_access(file)
    assert nothing == ""
    assert again == access
    assert again.is_token(token)
    assert not again.is_token(token[:-1])


def test_a_new_token_ends_the_old_one_and_its_sessions(tmp_path):
    file = tmp_path / "dashboard.json"
    old, token = open_access(file)
    new, other = open_access(file, renew=True)
    assert other != token
    assert not new.is_token(token)
    assert not new.is_session(old.new_session(0), 1)


def test_a_file_that_others_can_read_is_refused(tmp_path):
    file = tmp_path / "dashboard.json"
    open_access(file)
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="can be read by others"):
        open_access(file)


@pytest.mark.parametrize("content", ["", "{}", '{"salt": 1, "hashed": "", "key": ""}', '{"salt": "%"}'])
def test_a_file_of_somebody_else_is_refused(tmp_path, content):
    file = tmp_path / "dashboard.json"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="no file of the dashboard's"):
        open_access(file)


def test_a_session_ends_and_cannot_be_made_up():
    access, _ = new_access()
    cookie = access.new_session(1000)
    assert access.is_session(cookie, 1000 + SESSION_S - 1)
    assert not access.is_session(cookie, 1000 + SESSION_S)
    body, _, signature = cookie.rpartition(".")
    for changed in ("", "a.b.c", f"9{body}.{signature}", f"{body}.{'0' * 64}", "\u00e9.\u00e9", cookie[:-1]):
        assert not access.is_session(changed, 1000)


def test_wrong_tokens_are_counted_by_address_and_all_together():
    now = [0.0]
    limit = AttemptLimit(each=2, all_together=3, window_s=60, clock=lambda: now[0])
    for address in ("a", "a"):
        limit.failed(address)
    assert limit.wait_s("a") == 60
    assert limit.wait_s("b") == 0
    limit.failed("b")
    assert limit.wait_s("c") == 60
    now[0] = 60.0
    assert limit.wait_s("a") == 0


@pytest.fixture
def visitor(folder):
    site, token = make_site(make_results(folder))
    return Client(site), token


def test_pages_need_the_token(visitor):
    client, token = visitor
    for path in ("/", "/runs/1", "/runs/1/queries?corpus=main", "/sweep", "/nothing"):
        answer = client.get(path)
        assert (answer.status, answer.headers["location"]) == (303, "/login"), path
    assert client.sign_in("wrong").status == 403
    assert client.get("/").status == 303
    answer = client.sign_in(token)
    assert answer.status == 303
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in (COOKIE, "httponly", "samesite=strict", "path=/"))
    assert client.get("/").status == 200
    assert client.post("/logout").headers["set-cookie"].startswith(f'{COOKIE}=""')


def test_after_five_wrong_tokens_even_the_right_one_has_to_wait(visitor):
    client, token = visitor
    assert [client.sign_in("wrong").status for _ in range(6)] == [403] * 5 + [429]
    answer = client.sign_in(token)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0


def test_a_form_of_another_site_is_refused(visitor):
    client, token = visitor
    assert client.sign_in(token, origin="https://elsewhere.example").status == 403
    assert client.sign_in(token, origin="null").status == 403
    assert client.sign_in(token, sec_fetch_site="cross-site").status == 403
    assert client.sign_in(token, origin="http://127.0.0.1:8050").status == 303


def test_a_form_that_is_too_long_is_no_token(visitor):
    client, token = visitor
    assert client.sign_in(f"{token}&more={'x' * 5000}").status == 403


def test_other_host_names_are_not_answered(visitor):
    client, _ = visitor
    for host in ("rebound.example", "127.0.0.1.rebound.example", "127.0.0.1:8050@x", "", "127.0.0.1:80:80", "[::1"):
        client.host = host
        assert client.get("/login").status == 400, host
    for host in ("localhost:8050", "127.0.0.1", "[::1]:8050", "LOCALHOST"):
        client.host = host
        assert client.get("/login").status == 200, host


def test_every_answer_keeps_browsers_strict(visitor):
    client, token = visitor
    paths = ["/login", "/", "/static/dashboard.js", "/static/none", "/healthz"]
    answers = [client.get(path) for path in paths]
    client.sign_in(token)
    answers += [client.get("/"), client.get("/nothing"), client.post("/"), client.ask("PUT", "/runs/1")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
    assert answers[-2].status == answers[-1].status == 405
    assert client.get("/").headers["cache-control"] == "no-store"


def test_only_the_named_proxy_may_ask_and_says_who_asks(folder):
    name = "dash.example.org"
    site, token = make_site(make_results(folder), host="0.0.0.0", proxy="10.0.0.5", names=(name,))
    client = Client(site, host=name, peer="10.0.0.6")
    assert client.get("/login").status == 403
    client.peer = "10.0.0.5"
    answer = client.sign_in(token, x_forwarded_for="1.1.1.1, 2.2.2.2")
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers
    for _ in range(5):
        client.sign_in("wrong", x_forwarded_for="1.1.1.1, 2.2.2.2")
    assert client.sign_in(token, x_forwarded_for="2.2.2.2, 3.3.3.3").status == 303
    assert client.sign_in(token, x_forwarded_for="9.9.9.9, 2.2.2.2").status == 429


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ({"host": "0.0.0.0"}, "without TLS"),
        ({"host": "::"}, "without TLS"),
        ({"host": "10.0.0.1", "proxy": "10.0.0.5"}, "needs the name"),
        ({"tls_cert": "a.pem"}, "certificate and its key"),
        ({"tls_cert": "no.pem", "tls_key": "no.pem"}, "is not there"),
        ({"proxy": "proxy.example.org"}, "is no address"),
    ],
)
def test_what_others_could_read_along_is_refused(binding, message):
    with pytest.raises(ConfigError, match=message):
        Binding(**binding)
