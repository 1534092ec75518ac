"""All that a board shows, real: two instances on one Redis, what answers and embeds for them, and
Prometheus and Alertmanager as they are shipped; nobody is told of anything."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from alertmanager_server import alertmanager, rendered
from alerts.fleet import exporting
from alerts.load import Load, load
from fault.alert_stack import shipped, watching
from fault.instances import until, well
from prometheus_server import Prometheus, free_ports
from redis_server import RedisServer, redis_server
from running import Service, Simulator, simulator
from scripted_engine import launched

TOKEN = "an-alert-token"
SERVING = str(Path(__file__).parent / "serving.py")
PRICES = {"simulated": {"input": 2.0, "output": 8.0, "currency": "USD"}}
SCRAPE = 1  # seconds


@dataclass
class Stack:
    """``upstream`` answers; ``meaning`` embeds for native memory; ``models`` serve mem0."""

    redis: RedisServer
    upstream: Simulator
    meaning: Simulator
    models: Simulator
    instances: list[Service]
    prom: Prometheus
    load: Load

    def well(self) -> bool:
        return all(map(well, self.instances))


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    with ExitStack() as running:
        enter = running.enter_context
        redis = enter(redis_server(folder / "redis", appendonly=True, maxmemory="256mb"))
        upstream, meaning, models = (enter(simulator()) for _ in range(3))
        given = _environment(folder, upstream, meaning, models) | {"REDIS_URL": redis.url}
        port = free_ports(8)  # each process takes the first that is free from there on
        given["YYCHAT_METRICS_PORT"] = str(port)
        instances = []
        for name in "ab":
            instances.append(enter(launched(SERVING, folder / name, **given)))
            until(lambda: well(instances[-1]))
        _split(instances[0])
        exporter = free_ports(1)
        enter(exporting(redis, exporter))
        targets = {f"{name}:0": ("yychat", port + slot) for slot, name in enumerate("ab")}
        targets["redis"] = ("redis", exporter)
        _shipped(folder / "prom")
        manager = enter(alertmanager(folder / "am", _nobody_told(folder, instances[0])))
        prom = enter(watching(folder / "prom", targets, manager.url))
        calling = enter(load(lambda: [each.url for each in instances]))
        yield Stack(redis, upstream, meaning, models, instances, prom, calling)


def _environment(
    folder: Path, upstream: Simulator, meaning: Simulator, models: Simulator
) -> dict[str, str]:
    """What both instances are given."""
    endpoints = [
        {
            "name": "main",
            "base_url": upstream.base_url,
            "models": {"simulated": "simulated", "unpriced": "simulated"},
        },
        {
            "name": "meaning",
            "base_url": meaning.base_url,
            "models": {"meaning": "simulated-embedding"},
        },
        {
            "name": "models",
            "base_url": models.base_url,
            "models": {"extracting": "simulated", "embedding": "simulated-embedding"},
        },
    ]
    files = {
        "secret": "a secret that both instances share",
        "upstreams.json": json.dumps(endpoints),
        "prices.json": json.dumps(PRICES),
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    return {
        "YYCHAT_OWNER_SECRET_FILE": str(folder / "secret"),
        "YYCHAT_UPSTREAMS_FILE": str(folder / "upstreams.json"),
        "YYCHAT_PRICES_FILE": str(folder / "prices.json"),
        "OPENAI_MODEL": "simulated",
        "YYCHAT_MODELS": "simulated,unpriced",
        "YYCHAT_EMBEDDING_MODEL": "meaning",
        "MEM0_MODEL": "extracting",
        "MEM0_EMBEDDING_MODEL": "embedding",
        "YYCHAT_ALERT_TOKEN": TOKEN,
        "YYCHAT_LOG_LEVEL": "ERROR",  # nobody reads it
    }


def _split(service: Service) -> None:
    """Both engines have a share: only who has one is asked how it is."""
    shares = {"weights": {"chat_engine": 80, "mem0_proxy": 20}, "reason": "a trial", "force": True}
    service.http.post("/v1/engines/split", json=shares).raise_for_status()


def _shipped(folder: Path) -> None:
    """As it is shipped, but what is recorded every half minute or five is recorded more often."""
    shipped(folder, SCRAPE)
    slo = folder / "rules" / "slo.yml"
    slo.write_text(re.sub(r"\binterval: (30s|5m)\b", "interval: 5s", slo.read_text()))


def _nobody_told(folder: Path, told: Service) -> Path:
    """Alertmanager's configuration, with nobody but the service to tell."""
    config = folder / "alertmanager.yml"
    (folder / "token").write_text(TOKEN)
    done = rendered(config, YYCHAT_URL=told.url, YYCHAT_ALERT_TOKEN_FILE=str(folder / "token"))
    assert done.returncode == 0, done.stderr
    return config
