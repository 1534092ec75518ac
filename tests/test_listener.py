"""The listener for scrapers answers whatever the rest of the process does."""

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping

import pytest

from prometheus_server import free_ports
from yychat.errors import ConfigurationError
from yychat.telemetry.exposition import Exposition
from yychat.telemetry.listener import (
    CONNECTIONS,
    MetricsListener,
    Reply,
    discovered,
    free_slots,
    scraped,
)
from yychat.telemetry.metrics import Metrics

HOST = "127.0.0.1"


def hello(_headers: Mapping[str, str]) -> Reply:
    return Reply(200, b"hello\n", {"content-type": "text/plain"})


def buggy(_headers: Mapping[str, str]) -> Reply:
    raise ValueError("text of a secret")


@pytest.fixture
def listener() -> Iterator[MetricsListener]:
    listener = MetricsListener(HOST, 0)
    listener.start({"/hello": hello, "/bug": buggy})
    yield listener
    listener.close()


def asked(
    listener: MetricsListener, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, Mapping[str, str]]:
    connection = http.client.HTTPConnection(HOST, listener.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
    finally:
        connection.close()


def test_a_page_is_answered(listener: MetricsListener) -> None:
    status, body, headers = asked(listener, "/hello?with=query")
    assert (status, body) == (200, b"hello\n")
    assert headers == {"content-type": "text/plain", "content-length": "6"}


def test_head_is_the_same_without_the_body(listener: MetricsListener) -> None:
    status, body, headers = asked(listener, "/hello", "HEAD")
    assert (status, body, headers["content-length"]) == (200, b"", "6")


@pytest.mark.parametrize("path", ["/", "/hello/", "/metrics", "/%68ello"])
def test_anything_else_is_not_found(listener: MetricsListener, path: str) -> None:
    assert asked(listener, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_can_only_be_read(listener: MetricsListener, method: str) -> None:
    status, body, headers = asked(listener, "/hello", method)
    assert (status, body, headers["allow"]) == (405, b"", "GET, HEAD")


def test_a_bug_in_a_page_ends_that_request_only_and_its_text_is_not_logged(
    listener: MetricsListener, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        asked(listener, "/bug")
    assert asked(listener, "/hello")[0] == 200
    assert "ValueError at test_listener.py" in caplog.text
    assert "secret" not in caplog.text


def test_requests_are_not_logged(
    listener: MetricsListener,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    asked(listener, "/hello")
    asked(listener, "/nowhere")
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")


@pytest.mark.parametrize("sent", [b"", b"GET /hello HT", b"GET /hello HTTP/1.1\r\nx: "])
def test_clients_that_are_slow_do_not_keep_others_out(
    listener: MetricsListener, sent: bytes
) -> None:
    slow = [socket.create_connection((HOST, listener.port)) for _ in range(CONNECTIONS * 3)]
    try:
        for each in slow:
            each.sendall(sent)
        assert asked(listener, "/hello")[0] == 200
    finally:
        for each in slow:
            each.close()


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic s3cret", "s3cret"])
def test_a_token_has_to_be_known_for_every_page(given: str) -> None:
    listener = MetricsListener(HOST, 0, token="s3cret")
    listener.start({"/hello": hello})
    try:
        for path in ("/hello", "/nowhere"):
            status, _, headers = asked(listener, path, Authorization=given)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert asked(listener, "/hello", Authorization="Bearer s3cret")[0] == 200
    finally:
        listener.close()


def test_metrics_are_served_as_they_are_asked_for() -> None:
    metrics = Metrics()
    listener = MetricsListener(HOST, 0)
    listener.start({"/metrics": scraped(Exposition(metrics))})
    try:
        metrics.count("yychat_event_loop_blocked_seconds_total", by=2.5)
        wanted = {"Accept": "application/openmetrics-text; version=1.0.0"}
        status, body, headers = asked(listener, "/metrics", **wanted)
        assert status == 200
        assert headers["content-type"].startswith("application/openmetrics-text")
        assert b"yychat_event_loop_blocked_seconds_total 2.5\n" in body
    finally:
        listener.close()


def test_targets_that_are_not_known_are_a_503_and_never_an_empty_list() -> None:
    known: list[bytes] = []
    listener = MetricsListener(HOST, 0)
    listener.start({"/internal/sd": discovered(lambda: known[0] if known else None)})
    try:
        assert asked(listener, "/internal/sd")[0] == 503
        known.append(b'[{"targets": ["a:1"]}]')
        status, body, headers = asked(listener, "/internal/sd")
        assert (status, body) == (200, known[0])
        assert headers["content-type"] == "application/json"
    finally:
        listener.close()


async def test_it_answers_while_the_event_loop_is_blocked(listener: MetricsListener) -> None:
    assert asked(listener, "/hello")[0] == 200  # this very call blocks the loop


def test_each_process_takes_the_lowest_slot_that_is_free() -> None:
    port = free_ports(4)
    first, second = MetricsListener(HOST, port), MetricsListener(HOST, port)
    third = MetricsListener(HOST, port)
    assert [each.slot for each in (first, second, third)] == [0, 1, 2]
    assert [each.port for each in (first, second, third)] == [port, port + 1, port + 2]
    assert second.instance == f"{socket.gethostname()}:1"
    second.close()
    restarted = MetricsListener(HOST, port)
    assert (restarted.slot, restarted.instance) == (1, f"{socket.gethostname()}:1")
    for each in (first, third, restarted):
        each.close()


def test_a_wanted_slot_is_had_where_it_is_free() -> None:
    port = free_ports(4)
    wanted = MetricsListener(HOST, port, slot=2)
    assert (wanted.slot, wanted.port) == (2, port + 2)
    assert free_slots(HOST, port, 3)[:2] == [0, 1]
    late = MetricsListener(HOST, port, slot=2)
    assert late.slot == 0
    for each in (wanted, late):
        each.close()


def test_a_port_has_a_scrape_of_before_and_is_taken_again_at_once() -> None:
    port = free_ports(1)
    for _ in range(3):
        listener = MetricsListener(HOST, port)
        listener.start({"/hello": hello})
        assert (listener.slot, asked(listener, "/hello")[0]) == (0, 200)
        listener.close()


@pytest.mark.parametrize(
    ("host", "advertised", "address"),
    [
        ("127.0.0.1", None, "127.0.0.1:{port}"),
        ("0.0.0.0", None, "{host}:{port}"),
        ("127.0.0.1", "yychat-1", "yychat-1:{port}"),
        ("127.0.0.1", "::1", "[::1]:{port}"),
    ],
)
def test_prometheus_is_told_an_address_that_leads_here(
    host: str, advertised: str | None, address: str
) -> None:
    listener = MetricsListener(host, 0)
    told = address.format(port=listener.port, host=socket.gethostname())
    assert listener.address(advertised) == told
    listener.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_stops_the_start(host: str) -> None:
    with pytest.raises(ConfigurationError, match=host):
        MetricsListener(host, 9464)


def test_closing_does_not_wait_for_slow_pages() -> None:
    asked_for, closed = threading.Event(), threading.Event()
    was_closed: list[bool] = []

    def slow(_headers: Mapping[str, str]) -> Reply:
        asked_for.set()
        was_closed.append(closed.wait(10))
        return Reply(200, b"late\n", {})

    listener = MetricsListener(HOST, 0)
    listener.start({"/slow": slow})
    with socket.create_connection((HOST, listener.port), timeout=20) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
        assert asked_for.wait(10)
        listener.close()
        closed.set()
        assert client.recv(1024)
    assert was_closed == [True]
