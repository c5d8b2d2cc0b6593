"""One HTTP exchange: its deadline, the cap on its answer, and faults for which nobody should wait."""

from __future__ import annotations

import resource
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from rankhammer.http_client.exchange import MIB, Connections, ExchangeError, ExchangeLimits

OK = b"HTTP/1.1 200 OK\r\n"
LASTS_S = 20
"""A server that is given up would have gone on for so long."""
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@contextmanager
def serving(talk):
    """A server that takes each connection's request and then does what it is told to; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, talk), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _serve(server, talk):
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, talk), daemon=True).start()


def _answer(connection, talk):
    with connection:
        try:
            connection.recv(65536)
            talk(connection)
        except OSError:
            return


def slowly(first, each):
    """Send something, and then a little again and again."""

    def talk(connection):
        connection.sendall(first)
        for _ in range(20 * LASTS_S):
            time.sleep(0.05)
            connection.sendall(each)

    return talk


def ask(url, *, timeout_s=5.0, max_bytes=MIB, body=None, **options):
    return Connections(url, ExchangeLimits(timeout_s, max_bytes), **options).exchange("GET", "/x", body, {})


@pytest.mark.parametrize(
    ("first", "each"),
    [
        (b"HTTP/1.1 200", b" "),
        (OK, b"x: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"content-length: 1000\r\n\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (OK + b"\r\n", b"x"),
    ],
)
def test_a_server_that_answers_drop_by_drop_is_given_up_at_the_deadline(first, each):
    with serving(slowly(first, each)) as url:
        began = time.monotonic()
        with pytest.raises(ExchangeError, match=r"no whole answer within 0\.3 s") as caught:
            ask(url, timeout_s=0.3)
    assert time.monotonic() - began < LASTS_S
    assert not caught.value.is_permanent


def test_a_server_that_does_not_read_the_question_is_given_up_at_the_deadline():
    with serving(lambda connection: time.sleep(LASTS_S)) as url:
        began = time.monotonic()
        with pytest.raises(ExchangeError, match="no whole answer"):
            ask(url, timeout_s=0.3, body=bytes(32 * MIB))
    assert time.monotonic() - began < LASTS_S


def test_a_name_that_takes_long_to_look_up_is_given_up_at_the_deadline(monkeypatch):
    def look_up(host, port, *_, flags=0, **__):
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        time.sleep(LASTS_S)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    began = time.monotonic()
    with pytest.raises(ExchangeError, match="no whole answer"):
        ask("http://search.example.org:9200", timeout_s=0.2)
    assert time.monotonic() - began < LASTS_S


def endless(first):
    """Send without an end, in chunks of a MiB."""

    def talk(connection):
        connection.sendall(first)
        while True:
            connection.sendall(b"100000\r\n" + bytes(MIB) + b"\r\n")

    return talk


@pytest.mark.parametrize("first", [CHUNKED, OK + b"\r\n", OK + b"content-length: 1500000000\r\n\r\n"])
def test_an_answer_that_is_too_large_is_refused_before_it_fills_the_memory(first):
    with serving(endless(first)) as url:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(ExchangeError, match=r"larger than 4 MiB") as caught:
            ask(url, max_bytes=4 * MIB)
    assert caught.value.is_permanent
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_an_answer_of_just_the_limit_is_taken():
    for first in (
        OK + b"content-length: 1000\r\n\r\n" + bytes(1000),
        CHUNKED + b"3e8\r\n" + bytes(1000) + b"\r\n0\r\n\r\n",
    ):
        with serving(lambda connection, first=first: connection.sendall(first)) as url:
            assert ask(url, max_bytes=1000).content == bytes(1000)


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        (b"SSH-2.0-OpenSSH\r\n", True),
        (b"", False),
        (OK + b"content-length: 1000\r\n\r\nxx", False),
        (CHUNKED + b"zz\r\n", False),
        (b"HTTP/1.1 503 X\r\nx" + b"y" * 70_000, False),
    ],
)
def test_what_is_no_whole_answer_is_told_from_what_is_no_server(answer, permanent):
    with serving(lambda connection: connection.sendall(answer)) as url, pytest.raises(ExchangeError) as caught:
        ask(url)
    assert caught.value.is_permanent == permanent


def test_a_server_without_tls_is_not_waited_for():
    talk = lambda connection: connection.sendall(b"HTTP/1.0 400 Bad\r\n\r\n")  # noqa: E731 - said once
    with serving(talk) as url, pytest.raises(ExchangeError, match="TLS failed") as caught:
        ask(url.replace("http", "https"))
    assert caught.value.is_permanent
    assert "http://" in caught.value.hint


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 80 + ".example.org"])
def test_a_host_that_is_none_is_not_waited_for(host):
    with pytest.raises(ExchangeError) as caught:
        ask(f"http://{host}:9200")
    assert caught.value.is_permanent


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with pytest.raises(ExchangeError, match=r"ca_certs: .*ca\.pem cannot be read") as caught:
        ask("https://127.0.0.1:9", ca_certs=str(file))
    assert caught.value.is_permanent


def test_nobody_there_may_come_yet():
    with pytest.raises(ExchangeError, match="refused") as caught:
        ask("http://127.0.0.1:9")
    assert not caught.value.is_permanent
