"""Whether anybody is told of alerts, as ``yychat check`` finds it."""

import re

import aiohttp

from .finding import Finding
from .settings import Settings

WITHIN = 5.0  # seconds
# Ways out of Alertmanager that lead to nobody: this service's own, and the Watchdog's. People have
# at least one for pages and one for tickets. prometheus/rules/meta.yml says so, too.
WITHOUT_PEOPLE = 2
NOBODY = "nobody will be paged"
RENDER = "name somebody: PEOPLE of alertmanager/render.sh; docs/operations.md, Alerts"

_INTEGRATIONS = re.compile(r"^alertmanager_integrations (\d+)$", re.MULTILINE)


async def alert_findings(settings: Settings) -> list[Finding]:
    return [await _people(settings.alertmanager_url), *_rollback(settings)]


async def _people(url: str | None) -> Finding:
    if url is None:
        remedy = "set YYCHAT_ALERTMANAGER_URL to where Alertmanager is"
        return Finding("alerts", f"{NOBODY}, as far as is known here", remedy, "warn")
    ways = await _ways(url)
    if ways is None:
        remedy = "look at YYCHAT_ALERTMANAGER_URL, and whether Alertmanager runs"
        return Finding("alerts", f"{NOBODY}: Alertmanager does not answer", remedy, "fail")
    if ways <= WITHOUT_PEOPLE:
        return Finding("alerts", f"{NOBODY}: Alertmanager knows no people", RENDER, "warn")
    return Finding("alerts", "Alertmanager answers, and knows whom to tell")


async def _ways(url: str) -> int | None:
    """How many Alertmanager has to tell somebody; None where it does not say."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WITHIN)) as http,
            http.get(f"{url.rstrip('/')}/metrics") as answer,
        ):
            found = _INTEGRATIONS.search(await answer.text())
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    return int(found[1]) if found else None


def _rollback(settings: Settings) -> list[Finding]:
    if not settings.auto_rollback or settings.alert_token:
        return []
    text = "YYCHAT_AUTO_ROLLBACK is on, but no alerts are taken"
    return [Finding("alerts", text, "set YYCHAT_ALERT_TOKEN, here and for Alertmanager", "warn")]
