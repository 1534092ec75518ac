"""What programs that tests start see of this process' environment: next to nothing."""

import os
from collections.abc import Mapping

_KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH")
_SLOTS = 64  # as many ports as a process tries for its metrics

# Tests run in several processes. Services of one machine share its metrics ports, and one that is
# started again could find its own taken by another test's: each test process has its own ports.
_METRICS_PORT = 20_000 + os.getpid() % 150 * _SLOTS


def bare(given: Mapping[str, str]) -> dict[str, str]:
    """*given*, and what no program can do without."""
    kept = {n: v for n, v in os.environ.items() if n in _KEPT or n.startswith("COVERAGE_")}
    return {**kept, "YYCHAT_METRICS_PORT": str(_METRICS_PORT), **given}
