"""How far the token estimate is from true counts.

    python bench/tokens.py FOLDER

FOLDER holds *.jsonl files of lines {"text": ..., "count": ...}, the count being what a tokenizer
makes of the text; "kind" may group them. Texts of 50 tokens or more are compared.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

from yychat.engines.tokens import estimate

LEAST, MOST = 0.95, 1.25  # what the estimate promises


def samples(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("**/*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                sample = json.loads(line)
                yield {"kind": path.stem, **sample}


def row(kind: str, ratios: list[float]) -> str:
    ordered = sorted(ratios)
    parts = quantiles(ordered, n=100, method="inclusive") if len(ordered) > 1 else ordered * 99
    under = sum(ratio < LEAST for ratio in ordered)
    over = sum(ratio > MOST for ratio in ordered)
    figures = (ordered[0], parts[0], parts[49], parts[98], ordered[-1])
    shown = " ".join(f"{figure:7.3f}" for figure in figures)
    return f"{kind:24} {len(ordered):7} {shown} {under:6} {over:6}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    kinds: dict[str, list[float]] = defaultdict(list)
    seconds, size = 0.0, 0
    for sample in samples(parser.parse_args().folder):
        started = time.perf_counter()
        tokens = estimate(sample["text"])
        seconds += time.perf_counter() - started
        size += len(sample["text"].encode("utf-8", "replace"))
        if sample["count"] >= 50:
            kinds[sample["kind"]].append(tokens / sample["count"])
    if not kinds:
        parser.error("no sample of 50 tokens or more there")
    print(f"{'kind':24} {'texts':>7}   least      1%     50%     99%    most  under   over")
    for kind, ratios in kinds.items():
        print(row(kind, ratios))
    print(row("all", [ratio for ratios in kinds.values() for ratio in ratios]))
    print(f"{seconds * 1e6 / (size / 1024):.0f} us per KB, {size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
