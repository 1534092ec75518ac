"""Writes the fast profile: the shipped rules and configurations, as they are, in a hurry.

    python3 prometheus/fast.py FOLDER ALERTMANAGER

copies this folder to FOLDER and hurries it, and the rendered configuration ALERTMANAGER, in place.
Every range, offset, ``for``, interval and timer of a group is divided by FACTOR; thresholds are
not touched. What would get too short stays at a floor: a rate needs scrapes to be made of.
"""

import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
FACTOR = 900
SCRAPE = 1.0  # seconds, whatever the shipped interval is
SHORTEST_RANGE = 4.0  # seconds: four scrapes. Offsets too: they step over ranges
SHORTEST_FOR = 1.5  # seconds, where there is a ``for``: one scrape that is missed is no alert
SHORTEST_INTERVAL = 0.5  # seconds between evaluations, and between notifications of a group

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LENGTH = r"(\d+)([smhd])\b"
_SCRAPING = re.compile(r"\b(scrape_interval|scrape_timeout|refresh_interval): " + _LENGTH)
_EVERY = re.compile(r"\b(evaluation_interval|interval|group_interval|repeat_interval): " + _LENGTH)
_FOR = re.compile(r"\b(for): " + _LENGTH)
_GROUP_WAIT = re.compile(r"\b(group_wait): " + _LENGTH)
_RANGE = re.compile(r"(\[)" + _LENGTH + r"(?=\])")
_OFFSET = re.compile(r"\b(offset )" + _LENGTH)


def hurried(text: str) -> str:
    """*text*, in YAML, with its times divided by ``FACTOR``."""
    text = _SCRAPING.sub(rf"\1: {SCRAPE:g}s", text)
    text = _EVERY.sub(lambda m: f"{m[1]}: {_shorter(m, SHORTEST_INTERVAL)}", text)
    text = _FOR.sub(lambda m: f"{m[1]}: {_shorter(m, SHORTEST_FOR)}", text)
    text = _GROUP_WAIT.sub(lambda m: f"{m[1]}: {_shorter(m, 0.0)}", text)
    for times in (_RANGE, _OFFSET):
        text = times.sub(lambda m: f"{m[1]}{_shorter(m, SHORTEST_RANGE)}", text)
    return text


def _shorter(found: re.Match[str], least: float) -> str:
    seconds = int(found[2]) * _SECONDS[found[3]]
    return f"{max(round(1_000 * seconds / FACTOR), round(1_000 * least))}ms"


def main(folder: Path, alertmanager: Path) -> None:
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("active", "__pycache__"))
    for path in (folder / "prometheus.yml", *(folder / "rules").glob("*.yml"), alertmanager):
        path.write_text(hurried(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
