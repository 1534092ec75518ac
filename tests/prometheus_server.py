"""A real Prometheus of a test's own, on a free port and in a folder of its own."""

import json
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

WITHIN = 60.0  # seconds until Prometheus has seen what a test waits for

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: discovered
    http_sd_configs: [{{url: {url}, refresh_interval: 1s}}]
"""


class Prometheus:
    """What it knows, asked over its API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.Client(base_url=url, timeout=10)

    def value(self, query: str) -> float | None:
        """The value of a *query* with one result; None without any."""
        found = self._ask("query", query=query)["result"]
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    def series(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values of all results of a *query*."""
        found = self._ask("query", query=query)["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def range(self, query: str, seconds: float, step: float) -> list[list[float]]:
        """What a graph of the last *seconds* shows: each line's values."""
        now = time.time()
        found = self._ask("query_range", query=query, start=now - seconds, end=now, step=step)
        return [[float(value) for _, value in each["values"]] for each in found["result"]]

    def targets(self) -> dict[str, str]:
        """Health (up, down, unknown) of every target, by instance."""
        found = self._ask("targets", state="active")["activeTargets"]
        health = {each["labels"]["instance"]: each["health"] for each in found}
        assert len(health) == len(found), "a target is scraped twice"
        return health

    def exemplars(self, query: str) -> list[dict[str, str]]:
        """Labels of the exemplars of the last minutes."""
        now = time.time()
        found = self._ask("query_exemplars", query=query, start=now - 300, end=now + 10)
        return [each["labels"] for series in found for each in series["exemplars"]]

    def until(self, true: Callable[[], bool]) -> None:
        ends = time.monotonic() + WITHIN
        while not true():
            assert time.monotonic() < ends, f"Prometheus does not see it: {self.targets()}"
            time.sleep(0.05)

    def ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def close(self) -> None:
        self._http.close()

    def _ask(self, what: str, **parameters: Any) -> Any:
        answer = self._http.get(f"/api/v1/{what}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@contextmanager
def prometheus(folder: Path, discovery: str) -> Iterator[Prometheus]:
    """It scrapes every second what the URL *discovery* lists. Only one: of a source that is gone
    for good Prometheus keeps the last list, and with it whoever has left since."""
    assert shutil.which("prometheus"), (
        "these tests need Prometheus (Debian: apt-get install prometheus)"
    )
    folder.mkdir(parents=True)
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(url=json.dumps(discovery)))
    port = free_ports(1)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            _command(folder, config, port), stdin=subprocess.DEVNULL, stderr=log
        )
    running = Prometheus(f"http://127.0.0.1:{port}")
    try:
        ends = time.monotonic() + WITHIN
        while not running.ready():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < ends, "Prometheus does not answer"
            time.sleep(0.05)
        yield running
    finally:
        running.close()
        process.terminate()
        try:
            process.wait(10)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def free_ports(count: int) -> int:
    """The first of *count* ports in a row that are free now."""
    candidates = range(20_000, 30_000, count)
    for port in random.sample(candidates, len(candidates)):  # others look at the same time
        held: list[socket.socket] = []
        try:
            for number in range(count):
                held.append(socket.create_server(("127.0.0.1", port + number)))  # noqa: PERF401 - those before a taken one have to be let go
        except OSError:
            continue
        else:
            return port
        finally:
            for each in held:
                each.close()
    raise AssertionError("no ports are free")


def _command(folder: Path, config: Path, port: int) -> list[str]:
    return [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
