"""A real Alertmanager of a test's own, with the configuration that is shipped."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from prometheus_server import free_ports
from rules import ROOT

WITHIN = 30.0  # seconds until Alertmanager has done what a test waits for
RENDER = ROOT / "alertmanager" / "render.sh"


class Alertmanager:
    """Told of alerts and asked about them over its API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.Client(base_url=url, timeout=10)

    def tell(self, *alerts: Mapping[str, str]) -> None:
        ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        told = [{"labels": dict(labels), "annotations": {}, "endsAt": ends} for labels in alerts]
        self._http.post("/api/v2/alerts", json=told).raise_for_status()

    def state(self, labels: Mapping[str, str]) -> Any:
        """What it makes of the alert with just these labels; None where it knows no such one."""
        found = self._http.get("/api/v2/alerts").raise_for_status().json()
        return next((each["status"] for each in found if each["labels"] == dict(labels)), None)

    def silence(self, **labels: str) -> str:
        """What ``amtool silence add`` prints: the silence's id."""
        matchers = [f"{name}={value}" for name, value in labels.items()]
        about = ["--author=test", "--comment=test", "--duration=1h"]
        return amtool("silence", "add", f"--alertmanager.url={self.url}", *about, *matchers)

    def ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def close(self) -> None:
        self._http.close()


def amtool(*arguments: str | Path) -> str:
    """What amtool prints; it has to be content."""
    assert shutil.which("amtool"), (
        "these tests need amtool (Debian: apt-get install prometheus-alertmanager)"
    )
    command = ["amtool", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def rendered(target: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """render.sh with just this environment, writing *target*."""
    return subprocess.run(
        ["sh", str(RENDER), str(target)],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


@contextmanager
def alertmanager(folder: Path, config: Path) -> Iterator[Alertmanager]:
    assert shutil.which("prometheus-alertmanager"), (
        "these tests need Alertmanager (Debian: apt-get install prometheus-alertmanager)"
    )
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{free_ports(1)}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_command(folder, config, url), stderr=log, stdout=log)
    running = Alertmanager(url)
    try:
        ends = time.monotonic() + WITHIN
        while not running.ready():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < ends, "Alertmanager does not answer"
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


def _command(folder: Path, config: Path, url: str) -> Sequence[str]:
    return [
        "prometheus-alertmanager",
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
