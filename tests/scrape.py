"""What a service's /metrics says, and what requests have moved in it."""

import time
from collections import Counter
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from running import Running
from yychat.telemetry.exposition import FRESH

WITHIN = 10.0  # seconds; a bound for a broken build, no promise
# Scraping, waiting and looking at records move these.
BY_THEMSELVES = ("/metrics", "/v1/performance", "event_loop", "yychat_cache_", "telemetry")


def scraped(running: Running) -> dict[str, float]:
    """Every series as ``name{label="value",...}``, labels in the order of the alphabet."""
    time.sleep(FRESH + 0.05)  # what was rendered for an earlier scrape is over then
    text = running.http.get("/metrics").text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[series(sample.name, **sample.labels)] = sample.value
    return found


def series(name: str, **labels: str) -> str:
    """What ``scraped`` calls a series."""
    told = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{told}}}" if told else name


class Ledger:
    """The counters, and the counts of histograms, that have moved since the last look.

    What moves late, after it was looked for, is found by the next look: nothing gets lost
    between two.
    """

    def __init__(self, running: Running) -> None:
        self._running, self._before = running, scraped(running)

    def moved(self, expected: Mapping[str, float], *besides: str) -> dict[str, float]:
        """What has moved, once that is *expected*, or nothing has come any more for a while;
        without what begins with one of *besides*."""
        ends = time.monotonic() + WITHIN
        while True:
            now = scraped(self._running)
            found = {n: v for n, v in self._since(now).items() if not n.startswith(besides)}
            if found == expected or time.monotonic() > ends:
                self._before = now
                return found

    def _since(self, now: Mapping[str, float]) -> dict[str, float]:
        moved = Counter({name: value for name, value in now.items() if _counts(name)})
        moved.subtract({name: self._before.get(name, 0.0) for name in moved})
        return {name: value for name, value in moved.items() if value}


def _counts(name: str) -> bool:
    own = name.startswith(("yychat_", "gen_ai_", "http_server_", "db_client_"))
    counted = name.partition("{")[0].endswith(("_total", "_count"))
    return own and counted and not any(part in name for part in BY_THEMSELVES)
