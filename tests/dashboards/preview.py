"""Pictures of the boards: draws them from a stack of its own, after minutes of mixed load with
faults. ``make preview`` runs it.

python -m dashboards.preview COMMAND...: COMMAND gets the address of Prometheus as its last word.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from alerts.fleet import wait
from dashboards.stack import Stack, stack
from dashboards.test_live import MIXED, WARM

QUIET = 40.0  # seconds without anything unusual, before and after each fault
FAULT = 25.0  # seconds


def lived(running: Stack) -> None:
    """A few minutes with something to see in them."""
    running.load.questions = MIXED
    wait(WARM + QUIET)
    running.upstream.faults(only="chat", error_rate=0.3, error_status=500)
    wait(FAULT)
    running.upstream.reset()
    wait(QUIET)
    running.upstream.faults(only="chat", latency_ms=1_500)
    running.models.faults(only="embeddings", error_rate=1, error_status=500)
    wait(FAULT)
    running.upstream.reset()
    running.models.reset()
    wait(QUIET)


def main(command: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as running:
        lived(running)
        return subprocess.run([*command, running.prom.url], timeout=600).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
