"""All that an alert passes through, real: two instances on one Redis, what answers them, what
watches them, and whoever is told in the end."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alertmanager_server import alertmanager, rendered
from alerts.load import Load, load
from fault.alert_stack import shipped, watching
from fault.instances import until, well
from prometheus_server import Prometheus, free_ports
from redis_server import RedisServer, redis_server
from rules import ROOT
from running import Service, Simulator, service, simulator
from scripted_engine import launched
from webhook_inbox import Inbox, inbox

TOKEN = "an-alert-token"
SECOND = "second"  # the user of Redis that the second instance is
BLOCKING = str(Path(__file__).parent / "blocking.py")


@dataclass
class Instance:
    """One that may be started again, with the same data and the same port for scrapers."""

    name: str
    folder: Path
    environment: dict[str, str]
    blocking: bool = False

    def start(self) -> None:
        self._running = ExitStack()
        self.service = self._running.enter_context(self._service())
        until(lambda: well(self.service))
        self.service.http.get("/v1/engines/health").raise_for_status()  # mem0 is imported for it

    def stop(self) -> None:
        self._running.close()

    def _service(self) -> AbstractContextManager[Service]:
        run = partial(launched, BLOCKING) if self.blocking else service
        return run(self.folder, **self.environment)


@dataclass
class Fleet:
    """``upstream`` answers, ``models`` extract and embed for mem0."""

    redis: RedisServer
    upstream: Simulator
    models: Simulator
    instances: list[Instance]
    prom: Prometheus
    inbox: Inbox
    load: Load

    @property
    def first(self) -> Service:
        return self.instances[0].service

    @property
    def second(self) -> Service:
        return self.instances[1].service

    def calm(self) -> bool:
        """Whether everybody is well, as far as they say."""
        return all(well(instance.service) for instance in self.instances)


@contextmanager
def fleet(folder: Path, *, fast: bool, scrape: int = 1, rollback: str = "off") -> Iterator[Fleet]:
    """With the *fast* profile, or as it is shipped but for the seconds between scrapes."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(folder / "redis", appendonly=True))
        allow(redis, SECOND)
        upstream = stack.enter_context(simulator())
        models = stack.enter_context(simulator())
        taking = stack.enter_context(inbox())
        given = _environment(folder, upstream, models)
        given["YYCHAT_AUTO_ROLLBACK"] = rollback
        port = free_ports(8)  # each process takes the first that is free from there on
        given["YYCHAT_METRICS_PORT"] = str(port)
        as_second = redis.url.replace("//", f"//{SECOND}:{SECOND}@")
        instances = [
            Instance("a:0", folder / "a", {**given, "REDIS_URL": redis.url}),
            Instance("b:0", folder / "b", {**given, "REDIS_URL": as_second}, blocking=True),
        ]
        for instance in instances:
            instance.start()
            stack.callback(instance.stop)
        exporter = free_ports(1)
        stack.enter_context(exporting(redis, exporter))
        targets = {each.name: ("yychat", port + slot) for slot, each in enumerate(instances)}
        targets["redis"] = ("redis", exporter)
        config = _configured(folder, instances[0].service, taking)
        _profile(folder / "prom", config, fast, scrape)
        manager = stack.enter_context(alertmanager(folder / "am", config))
        prom = stack.enter_context(watching(folder / "prom", targets, manager.url))
        calling = stack.enter_context(load(lambda: [each.service.url for each in instances]))
        yield Fleet(redis, upstream, models, instances, prom, taking, calling)


def wait(seconds: float) -> None:
    """Let time pass, where it is time that matters: until the windows of rules are over."""
    time.sleep(seconds)


def allow(redis: RedisServer, user: str) -> None:
    redis.cli("acl", "setuser", user, "on", f">{user}", "~*", "&*", "+@all")


def refuse(redis: RedisServer, user: str) -> None:
    """Its password no longer counts, and who is logged in with it is thrown out."""
    redis.cli("acl", "setuser", user, "off")
    redis.cli("client", "kill", "user", user)


@contextmanager
def exporting(redis: RedisServer, port: int) -> Iterator[None]:
    address = f"127.0.0.1:{port}"
    command = [
        "prometheus-redis-exporter",
        "-redis.addr",
        redis.url,
        "-web.listen-address",
        address,
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def _environment(folder: Path, upstream: Simulator, models: Simulator) -> dict[str, str]:
    """What both instances are given."""
    (folder / "secret").write_text("a secret that all instances share")
    endpoints = [
        {"name": "main", "base_url": upstream.base_url, "models": ["simulated"]},
        {
            "name": "models",
            "base_url": models.base_url,
            "models": {"extracting": "simulated", "embedding": "simulated-embedding"},
        },
    ]
    (folder / "upstreams.json").write_text(json.dumps(endpoints))
    return {
        "YYCHAT_UPSTREAMS_FILE": str(folder / "upstreams.json"),
        "OPENAI_MODEL": "simulated",
        "MEM0_MODEL": "extracting",
        "MEM0_EMBEDDING_MODEL": "embedding",
        "YYCHAT_OWNER_SECRET_FILE": str(folder / "secret"),
        "YYCHAT_ALERT_TOKEN": TOKEN,
        "YYCHAT_LOG_LEVEL": "ERROR",  # nobody reads it
    }


def _configured(folder: Path, told: Service, people: Inbox) -> Path:
    """Alertmanager's configuration, with people behind webhooks."""
    config = folder / "alertmanager.yml"
    secrets = {"TOKEN": TOKEN} | {
        name: f"{people.url}/{name.lower()}" for name in ("PAGES", "TICKETS", "WATCHDOG")
    }
    for name, secret in secrets.items():
        (folder / name).write_text(secret)
    done = rendered(
        config,
        YYCHAT_URL=told.url,
        YYCHAT_ALERT_TOKEN_FILE=str(folder / "TOKEN"),
        PEOPLE=str(ROOT / "alertmanager" / "people" / "webhook.yml"),
        PAGES_URL_FILE=str(folder / "PAGES"),
        TICKETS_URL_FILE=str(folder / "TICKETS"),
        WATCHDOG_URL_FILE=str(folder / "WATCHDOG"),
    )
    assert done.returncode == 0, done.stderr
    return config


def _profile(folder: Path, config: Path, fast: bool, scrape: int) -> None:
    if not fast:
        shipped(folder, scrape)
        return
    script = str(ROOT / "prometheus" / "fast.py")
    subprocess.run([sys.executable, script, str(folder), str(config)], check=True, timeout=30)
