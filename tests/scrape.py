"""What a service's /metrics says, and what a request has moved in it."""

import time

from prometheus_client.parser import text_string_to_metric_families

from running import Running
from yychat.telemetry.exposition import FRESH


def scraped(running: Running) -> dict[str, float]:
    """Every series as ``name{label="value",...}``, labels in the order of the alphabet."""
    time.sleep(FRESH + 0.05)  # what was rendered for an earlier scrape is over then
    text = running.http.get("/metrics").text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
