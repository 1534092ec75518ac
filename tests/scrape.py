"""What a service's /metrics says, and what a request has moved in it."""

from prometheus_client.parser import text_string_to_metric_families

from running import Running


def scraped(running: Running) -> dict[str, float]:
    """Every series as ``name{label="value",...}``, labels in the order of the alphabet."""
    text = running.http.get("/metrics").text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
