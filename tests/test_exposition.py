"""What a scrape gets is read by Prometheus' own parsers."""

import gzip
import random
import re
import shutil
import subprocess
import threading
import time

import pytest
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from remembering import Clock
from yychat.telemetry.catalogue import CATALOGUE
from yychat.telemetry.exposition import Exposition
from yychat.telemetry.metrics import Metrics
from yychat.telemetry.series import Exemplar

# As Prometheus 2.42 and 3.0 ask.
ACCEPT_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
ACCEPT_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.1"
)
TRACE = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}


@pytest.fixture
def metrics() -> Metrics:
    """With a series, at least, of everything there is."""
    metrics = Metrics()
    for metric in CATALOGUE:
        metrics.prepare(metric.name, *([label] for label in metric.labels))
    metrics.observe(
        "http_server_request_duration_seconds",
        "/v1/models",
        "ok",
        amount=0.2,
        exemplar=Exemplar(TRACE, time.time()),
    )
    return metrics


def _series_alone(page: bytes) -> list[str]:
    """What process and interpreter say changes from one look to the next."""
    lines = page.decode().splitlines()
    return [line for line in lines if not re.match(r"(# \w+ )?(process|python)_", line)]


class Series:
    """Counts how often it is read."""

    def __init__(self) -> None:
        self.times = 0

    def text(self, form: str) -> bytes:
        self.times += 1
        return f"times {self.times}.0\n".encode()


@pytest.mark.parametrize("accept", ["", ACCEPT_2])
def test_the_text_is_what_prometheus_client_writes_of_the_same_series(accept: str) -> None:
    metrics, dice = Metrics(), random.Random(7)
    strange = ["plain", 'a "quoted" one', "back\\slash", "line\nbreak", "中文"]
    metrics.allow(dict.fromkeys(["tenant", "gen_ai_request_model", "http_route", "tool"], strange))
    for metric in CATALOGUE * 20:
        values = [dice.choice(["ok", "error", *strange]) for _ in metric.labels]
        amount = dice.choice([0.0, 0.004, 3.0, 1e7, 123456.789, 2e-9])
        if metric.kind == "histogram":
            exemplar = Exemplar(TRACE, 1_700_000_000.25) if amount else None
            metrics.observe(metric.name, *values, amount=amount, exemplar=exemplar)
        else:
            metrics.set(metric.name, *values, to=amount)
    for _ in range(2):  # the second time from what the first one has kept
        encoder, form = choose_encoder(accept)
        ours, theirs = metrics.text(form), encoder(metrics.registry)
        assert _series_alone(ours) == _series_alone(theirs)
        metrics.count("yychat_event_loop_blocked_seconds_total", by=0.5)


def test_the_text_format_is_what_promtool_approves_of(metrics: Metrics) -> None:
    assert shutil.which("promtool"), (
        "these tests need promtool (Debian: apt-get install prometheus)"
    )
    page = Exposition(metrics).page()
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page.body, capture_output=True, timeout=30
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.parametrize("accept", [ACCEPT_2, ACCEPT_3])
def test_openmetrics_is_given_to_prometheus_and_has_exemplars(
    metrics: Metrics, accept: str
) -> None:
    page = Exposition(metrics).page(accept)
    assert page.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0;")
    found = text_string_to_metric_families(page.body.decode())  # type: ignore[no-untyped-call]
    families = {each.name: each for each in found}
    samples = families["http_server_request_duration_seconds"].samples
    assert [each.exemplar.labels for each in samples if each.exemplar] == [TRACE]


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html", "text/plain", "application/openmetrics-text; version=x"]
)
def test_everybody_else_gets_text(metrics: Metrics, accept: str) -> None:
    page = Exposition(metrics).page(accept)
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_gzip_is_for_those_who_take_it(metrics: Metrics) -> None:
    exposition = Exposition(metrics)
    plain, zipped = exposition.page(ACCEPT_2), exposition.page(ACCEPT_2, "deflate, gzip;q=0.8")
    assert zipped.headers == {**plain.headers, "content-encoding": "gzip"}
    assert gzip.decompress(zipped.body) == plain.body
    for refused in ("gzip;q=0", "identity, gzip; q=0.0", "x-gzip", "br"):
        assert exposition.page(ACCEPT_2, refused) == plain
    assert len(zipped.body) < len(plain.body) / 5


def test_several_scrapers_share_one_rendering_for_half_a_second() -> None:
    series, clock = Series(), Clock()
    exposition = Exposition(series, clock=clock)
    for encoding in ("", "gzip", "", "gzip"):
        exposition.page("", encoding)
    assert series.times == 1
    clock.pass_(0.5)
    assert b"times 2.0" in exposition.page().body


def test_scrapers_who_come_at_once_share_it_as_well() -> None:
    series, clock = Series(), Clock()
    exposition = Exposition(series, clock=clock)
    threads = [threading.Thread(target=exposition.page) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert series.times == 1


def test_made_up_formats_do_not_fill_the_memory() -> None:
    series, clock = Series(), Clock()
    exposition = Exposition(series, clock=clock)
    bodies = {
        exposition.page(f"application/openmetrics-text; version=1.{number}.0").body
        for number in range(50)
    }
    assert (series.times, len(bodies)) == (1, 1)
