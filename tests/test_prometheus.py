"""A real Prometheus finds the processes, sees one die, and stores exemplars."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import printed, worker
from instance_promises import process
from otlp_receiver import Receiver, otlp_receiver
from prometheus_server import free_ports, prometheus
from redis_server import RedisServer, redis_server
from running import Simulator
from supervised import Supervised, supervised
from yychat.instances.membership import targets
from yychat.instances.registry import Instance
from yychat.telemetry.exposition import Exposition
from yychat.telemetry.listener import MetricsListener, discovered, scraped
from yychat.telemetry.metrics import Metrics
from yychat.telemetry.series import Exemplar

pytestmark = pytest.mark.slow

DURATION = "http_server_request_duration_seconds"
TRACE = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}


def test_exemplars_arrive_in_prometheus(tmp_path: Path) -> None:
    metrics = Metrics()
    listener = MetricsListener("127.0.0.1", 0)
    me = process("host:0", port=listener.port)
    listener.start(
        {
            "/metrics": scraped(Exposition(metrics)),
            "/internal/sd": discovered(lambda: targets([Instance(me, 0.0)])),
        }
    )
    try:
        with prometheus(tmp_path / "prom", f"http://{me.address}/internal/sd") as prom:
            prom.until(lambda: prom.targets() == {"host:0": "up"})
            metrics.observe(
                DURATION, "/v1/models", "ok", amount=0.2, exemplar=Exemplar(TRACE, time.time())
            )
            prom.until(lambda: TRACE in prom.exemplars(f"{DURATION}_bucket"))
    finally:
        listener.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


def slots(yychat: Supervised) -> list[str]:
    """The names of its workers."""
    mine = yychat.workers()
    return sorted(name for name, pid in yychat.registered().items() if pid in mine)


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with otlp_receiver() as receiver:
        yield receiver


def test_all_processes_are_found_and_one_that_dies_is_missed(
    tmp_path: Path, redis: RedisServer, upstream: Simulator, collector: Receiver
) -> None:
    port = free_ports(8)
    environment = {
        **collector.environment,
        "REDIS_URL": redis.url,
        "OPENAI_BASE_URL": upstream.base_url,
        "OPENAI_MODEL": "simulated",
        "YYCHAT_METRICS_PORT": str(port),
        "YYCHAT_OWNER_SECRET_FILE": str(tmp_path / "secret"),
    }
    (tmp_path / "secret").write_text("5" * 64)
    with (
        supervised(tmp_path / "a", 2, **environment) as first,
        prometheus(tmp_path / "prom", f"http://127.0.0.1:{port}/internal/sd") as prom,
    ):
        with supervised(tmp_path / "b", 2, **environment) as second:
            prom.until(lambda: list(prom.targets().values()) == ["up"] * 4)
            names = sorted(prom.targets())
            assert prom.value('count(up{job="yychat"} == 1)') == 4
            prom.until(lambda: prom.value("count(process_resident_memory_bytes > 0)") == 4)
            prom.until(lambda: prom.value("max(yychat_instances_registered)") == 4)
            assert sorted(slots(first) + slots(second)) == names

            for instance in (first, second):
                instance.say("hello")
            traces = f'{DURATION}_bucket{{http_route="/v1/chat/completions"}}'
            prom.until(lambda: len(prom.exemplars(traces)) == 2)
            for each in prom.exemplars(traces):  # both lead to where a trace was sent
                sent = {span.span_id: span.name for span in collector.trace(each["trace_id"])}
                assert sent[each["span_id"]] == "POST /v1/chat/completions"

            with worker(**environment):
                prom.until(lambda: prom.value('up{job="yychat-work"}') == 1)
                assert len(prom.targets()) == 5
                assert prom.value('count(up{job="yychat"})') == 4
            # Its context ends with kill -9: it is listed, and down, until it is forgotten.
            (lost,) = set(prom.targets()) - set(names)
            prom.until(lambda: prom.targets()[lost] == "down")
            assert printed("instances", "forget", lost, **environment).split() == [lost]
            prom.until(lambda: sorted(prom.targets()) == names)

            victim = names[0]  # the very one that Prometheus asks who is there
            before = prom.value(f'process_start_time_seconds{{instance="{victim}"}}')
            assert before is not None
            os.kill(first.registered()[victim], signal.SIGKILL)
            prom.until(lambda: prom.value(f'min_over_time(up{{instance="{victim}"}}[1m])') == 0)
            prom.until(lambda: prom.targets()[victim] == "up")
            newer = f'process_start_time_seconds{{instance="{victim}"}} > {before}'
            prom.until(lambda: prom.value(newer) is not None)
            assert sorted(prom.targets()) == names

            crashed = slots(second)
            second.crash()
            prom.until(lambda: all(prom.targets()[name] == "down" for name in crashed))
            assert sorted(prom.targets()) == names

        for name in crashed:
            printed("instances", "forget", name, **environment)
        prom.until(lambda: sorted(prom.targets()) == slots(first))
        assert prom.value('count(up{job="yychat"} == 1)') == 2


def test_a_service_that_stops_in_order_leaves_the_list(
    tmp_path: Path, redis: RedisServer, upstream: Simulator
) -> None:
    port = free_ports(8)
    environment = {
        "REDIS_URL": redis.url,
        "OPENAI_BASE_URL": upstream.base_url,
        "YYCHAT_METRICS_PORT": str(port),
        "YYCHAT_OWNER_SECRET_FILE": str(tmp_path / "secret"),
    }
    (tmp_path / "secret").write_text("5" * 64)
    with (
        supervised(tmp_path / "a", 2, **environment) as first,
        prometheus(tmp_path / "prom", f"http://127.0.0.1:{port}/internal/sd") as prom,
    ):
        with supervised(tmp_path / "b", 2, **environment):
            prom.until(lambda: list(prom.targets().values()) == ["up"] * 4)
        prom.until(lambda: sorted(prom.targets()) == slots(first))
