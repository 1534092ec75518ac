"""The whole loop, real: a service with two scripted engines, Prometheus and Alertmanager as they
are shipped, and callers."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from alertmanager_server import Alertmanager, alertmanager, rendered
from prometheus_server import Prometheus, free_ports
from rules import ROOT
from running import Service
from scripted_engine import two_engines

TOKEN = "an-alert-token"
RATE = 20  # requests a second
FAILING = 'ALERTS{alertname="YYChatEngineFailing",alertstate="firing"}'


class Stack:
    def __init__(self, service: Service, prom: Prometheus, manager: Alertmanager) -> None:
        self.service, self.prom, self.manager = service, prom, manager

    @property
    def selection(self) -> dict[str, Any]:
        found: dict[str, Any] = self.service.http.get("/v1/engines/current").json()
        return found

    def switch(self, engine: str) -> None:
        asked = {"engine": engine, "reason": "a trial"}
        self.service.http.post("/v1/engines/switch", json=asked).raise_for_status()

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.service.http.get("/v1/alerts").json()["data"]
        return found


@contextmanager
def stack(folder: Path, *, scrape: int = 1, rollback: str = "on") -> Iterator[Stack]:
    port = free_ports(8)
    (folder / "token").write_text(TOKEN)
    with two_engines(
        folder / "data",
        YYCHAT_METRICS_PORT=str(port),
        YYCHAT_ALERT_TOKEN=TOKEN,
        YYCHAT_AUTO_ROLLBACK=rollback,
    ) as service:
        config = folder / "alertmanager.yml"
        done = rendered(
            config, YYCHAT_URL=service.url, YYCHAT_ALERT_TOKEN_FILE=str(folder / "token")
        )
        assert done.returncode == 0, done.stderr
        shipped(folder / "prom", scrape)
        with (
            alertmanager(folder / "am", config) as manager,
            watching(folder / "prom", {"a:0": ("yychat", port)}, manager.url) as prom,
        ):
            yield Stack(service, prom, manager)


def shipped(folder: Path, scrape: int) -> None:
    """Prometheus' files as they are shipped, in *folder*, but for the seconds between scrapes."""
    shutil.copytree(ROOT / "prometheus", folder, ignore=shutil.ignore_patterns("active"))
    config = (folder / "prometheus.yml").read_text()
    config = config.replace("scrape_interval: 5s", f"scrape_interval: {scrape}s")
    config = config.replace("scrape_timeout: 4s", "scrape_timeout: 1s")
    (folder / "prometheus.yml").write_text(config)


@contextmanager
def watching(
    folder: Path, targets: Mapping[str, tuple[str, int]], manager: str
) -> Iterator[Prometheus]:
    """Prometheus with its files in *folder*. It scrapes itself, the *manager* of alerts, and
    *targets*: job and port by instance."""
    port = free_ports(1)
    address = f"127.0.0.1:{port}"
    manager_port = int(manager.rpartition(":")[2])
    itself = {"prometheus": ("prometheus", port), "alertmanager": ("alertmanager", manager_port)}
    active = folder / "targets" / "active"
    active.mkdir()
    (active / "scrape.yml").write_text(scraped({**targets, **itself}))
    (active / "alertmanager.yml").write_text(
        json.dumps([{"targets": [f"127.0.0.1:{manager_port}"]}])
    )
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--enable-feature=exemplar-storage",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
    prom = Prometheus(f"http://{address}")
    try:
        prom.until(prom.ready)
        prom.until(lambda: list(prom.targets().values()) == ["up"] * (len(targets) + 2))
        yield prom
    finally:
        prom.close()
        process.terminate()
        try:
            process.wait(10)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def scraped(targets: Mapping[str, tuple[str, int]]) -> str:
    """What file_sd reads; JSON is YAML too."""
    groups = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"job": job, "instance": instance}}
        for instance, (job, port) in targets.items()
    ]
    return json.dumps(groups)


class Callers:
    """Ask ``question`` at a steady rate; ``counts`` is by the engine that answered, or status."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http, self.question = http, "hi"
        self.counts: Counter[str] = Counter()

    async def call(self) -> None:
        asked = {"model": "m", "messages": [{"role": "user", "content": self.question}]}
        answer = await self._http.post("/v1/chat/completions", json=asked)
        well = answer.status_code == 200
        self.counts[answer.headers["x-yychat-engine"] if well else str(answer.status_code)] += 1

    async def run(self) -> None:
        async with asyncio.TaskGroup() as calls:
            while True:
                calls.create_task(self.call())
                await asyncio.sleep(1 / RATE)


@asynccontextmanager
async def callers(service: Service) -> AsyncIterator[Callers]:
    async with httpx2.AsyncClient(base_url=service.url, timeout=30) as http:
        calling = Callers(http)
        task = asyncio.create_task(calling.run())
        try:
            yield calling
        finally:
            task.cancel()
            await asyncio.wait([task])


async def until(state: Callable[[], bool], within: float = 180.0) -> float:
    """Wait for *state*; how many seconds that took."""
    began = time.monotonic()
    while not await asyncio.to_thread(state):
        assert time.monotonic() - began < within, f"it did not come to that (pid {os.getpid()})"
        await asyncio.sleep(0.05)
    return time.monotonic() - began
