"""How well and how fast the index finds the turns that answer a question.

    python bench/recall.py PATH [--vectors none|hash] [--json]
    python bench/recall.py PATH --embeddings-url http://127.0.0.1:8000/v1 --embedding-model NAME

PATH is a conversation set in LoCoMo's JSON layout: a file with one sample or a list of them, or a
directory of such files. Bring your own copy; none is part of this project.

Every dialogue turn is one document: what was said and, where a picture was shared, its caption
(``blip_caption``); never the speaker's name. A session's date is the ``at`` of all its turns.
Questions are those of categories 1 to 4 whose evidence names turns that exist.
recall@k = evidence turns among the first k hits / evidence turns, mean over questions.
"""

import hashlib
import json
import os
import re
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from yychat.memory.ranking import Index
from yychat.memory.terms import terms

DEPTHS = (5, 10, 25, 50)
CATEGORIES = (1, 2, 3, 4)
LARGE = 2000
BATCH = 64

Vectors = NDArray[np.float32]


class Turn(msgspec.Struct, frozen=True):
    id: str
    text: str
    at: float
    session: str


class Question(msgspec.Struct, frozen=True):
    text: str
    evidence: frozenset[str]


class Sample(msgspec.Struct, frozen=True):
    turns: list[Turn]
    questions: list[Question]


class Embedder(Protocol):
    """Turns texts into one row of floats each."""

    def __call__(self, texts: list[str]) -> Vectors: ...


def samples(path: Path) -> list[Sample]:
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    raw = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    flat = [one for entry in raw for one in (entry if isinstance(entry, list) else [entry])]
    return [_sample(one) for one in flat]


def _sample(raw: dict[str, Any]) -> Sample:
    turns = list(_turns(raw.get("conversation", raw)))
    known = {turn.id for turn in turns}
    questions = [
        Question(str(entry["question"]), evidence)
        for entry in raw["qa"]
        if entry["category"] in CATEGORIES and (evidence := _evidence(entry) & known)
    ]
    return Sample(turns, questions)


def _evidence(entry: dict[str, Any]) -> frozenset[str]:
    named = re.findall(r"D:?(\d+):(\d+)", " ".join(entry.get("evidence", [])))
    return frozenset(f"D{int(session)}:{int(turn)}" for session, turn in named)


def _turns(conversation: dict[str, Any]) -> Iterator[Turn]:
    numbers = [re.fullmatch(r"session_(\d+)", name) for name in conversation]
    for number in sorted(int(match[1]) for match in numbers if match):
        date = conversation[f"session_{number}_date_time"]
        at = datetime.strptime(date, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC).timestamp()
        for said in conversation[f"session_{number}"]:
            text = " ".join(filter(None, (said.get("text"), said.get("blip_caption"))))
            yield Turn(said["dia_id"], text, at, f"session_{number}")


def hashed(texts: list[str]) -> Vectors:
    """A stand-in embedder: terms hashed into 256 signed buckets; it knows no more than words."""
    rows = np.zeros((len(texts), 256), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for term in terms(text):
            code = zlib.crc32(term.encode("utf-8", "surrogatepass"))
            row[code % 256] += 1.0 if code & 256 else -1.0
    return rows


class Endpoint:
    """An OpenAI-compatible ``/embeddings``; its answers are kept in the file *cache*."""

    def __init__(self, url: str, model: str, cache: Path) -> None:
        self._url = url.rstrip("/") + "/embeddings"
        self._model = model
        self._cache = cache
        self._known: dict[str, Vectors] = {}
        if cache.exists():
            with np.load(cache) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    def __call__(self, texts: list[str]) -> Vectors:
        missing = {self._key(text): text for text in texts if self._key(text) not in self._known}
        for batch in batched(list(missing.items()), BATCH):
            vectors = self._ask([text for _, text in batch])
            self._known.update(zip((key for key, _ in batch), vectors, strict=True))
        if missing:
            vectors = np.array(list(self._known.values()), np.float32)
            np.savez(self._cache, keys=np.array(list(self._known)), vectors=vectors)
        return np.array([self._known[self._key(text)] for text in texts], np.float32)

    def _key(self, text: str) -> str:
        return hashlib.sha256(f"{self._url}\0{self._model}\0{text}".encode()).hexdigest()

    def _ask(self, batch: list[str]) -> Vectors:
        headers = {"content-type": "application/json"}
        if key := os.environ.get("OPENAI_API_KEY"):
            headers["authorization"] = f"Bearer {key}"
        # Some endpoints refuse an empty input.
        body = {"model": self._model, "input": [text or " " for text in batch]}
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            data = json.load(response)["data"]
        ordered = sorted(data, key=lambda entry: entry["index"])
        return np.array([entry["embedding"] for entry in ordered], np.float32)


def batched(items: list[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Row(msgspec.Struct, frozen=True):
    """One line of the report: a share of evidence, in percent, at each depth."""

    retriever: str
    questions: int
    recall: dict[int, float]
    standard_error: dict[int, float]


class Timing(msgspec.Struct, frozen=True):
    """How long one call takes, in milliseconds."""

    what: str
    turns: int
    p50: float
    p95: float
    p99: float


class Report(msgspec.Struct, frozen=True):
    rows: list[Row]
    timings: list[Timing]


class Trial:
    """One owner's index, filled and asked under a stopwatch."""

    def __init__(self, turns: list[Turn], embedder: Embedder | None) -> None:
        self.adding: list[float] = []
        self.searching: list[float] = []
        self._turns = turns
        self._embedder = embedder
        self._index = Index()
        texts = [turn.text for turn in turns]
        vectors = [None] * len(turns) if embedder is None else embedder(texts)
        for turn, vector in zip(turns, vectors, strict=True):
            start = time.perf_counter()
            self._index.add(turn.text, turn.at, session=turn.session, vector=vector)
            self.adding.append(time.perf_counter() - start)

    def shares(self, questions: list[Question]) -> list[list[float]]:
        """For each question, the share of its evidence found at each depth."""
        texts = [question.text for question in questions]
        vectors = [None] * len(texts) if self._embedder is None else self._embedder(texts)
        return [
            self._shares(question, vector)
            for question, vector in zip(questions, vectors, strict=True)
        ]

    def _shares(self, question: Question, vector: Vectors | None) -> list[float]:
        start = time.perf_counter()
        hits = self._index.search(question.text, DEPTHS[-1], vector=vector)
        self.searching.append(time.perf_counter() - start)
        found = [self._turns[hit.position].id in question.evidence for hit in hits]
        return [sum(found[:depth]) / len(question.evidence) for depth in DEPTHS]


def measured(name: str, data: list[Sample], embedder: Embedder | None) -> tuple[Row, list[Timing]]:
    trials = [Trial(sample.turns, embedder) for sample in data]
    shares = [
        share
        for trial, sample in zip(trials, data, strict=True)
        for share in trial.shares(sample.questions)
    ]
    percent = 100.0 * np.array(shares)
    errors = percent.std(axis=0) / len(percent) ** 0.5
    row = Row(name, len(percent), _by_depth(percent.mean(axis=0)), _by_depth(errors))
    return row, [*_timings(name, trials), *_timings(name, [_large(data, embedder)])]


def _large(data: list[Sample], embedder: Embedder | None) -> Trial:
    """Conversations end to end as one owner, asked all the questions of those that fit."""
    turns = [
        msgspec.structs.replace(turn, session=f"{number}/{turn.session}")
        for number, sample in enumerate(data)
        for turn in sample.turns
    ]
    repeated = turns * (LARGE // max(len(turns), 1) + 1)
    trial = Trial(repeated[:LARGE], embedder)
    trial.shares([question for sample in data for question in sample.questions])
    return trial


def _by_depth(values: Vectors) -> dict[int, float]:
    return {depth: round(float(value), 1) for depth, value in zip(DEPTHS, values, strict=True)}


def _timings(name: str, trials: list[Trial]) -> list[Timing]:
    turns = round(sum(len(trial.adding) for trial in trials) / len(trials))
    adding = [taken for trial in trials for taken in trial.adding]
    searching = [taken for trial in trials for taken in trial.searching]
    return [
        Timing(f"{name}: {what}", turns, *_percentiles(taken))
        for what, taken in (("add", adding), ("search", searching))
    ]


def _percentiles(seconds: list[float]) -> list[float]:
    return [round(float(value) * 1000.0, 4) for value in np.percentile(seconds, (50, 95, 99))]


def _print(report: Report) -> None:
    depths = "".join(f"{f'R@{depth}':>8}" for depth in DEPTHS)
    print(f"{'retriever':<16}{'questions':>10}{depths}{'s.e. <=':>10}")
    for row in report.rows:
        values = "".join(f"{row.recall[depth]:>8.1f}" for depth in DEPTHS)
        largest = max(row.standard_error.values())
        print(f"{row.retriever:<16}{row.questions:>10}{values}{largest:>10.1f}")
    print(f"\n{'call':<24}{'turns':>8}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}")
    for line in report.timings:
        print(f"{line.what:<24}{line.turns:>8}{line.p50:>10.3f}{line.p95:>10.3f}{line.p99:>10.3f}")


@click.command(help=__doc__)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--vectors", type=click.Choice(["none", "hash"]), default="none")
@click.option("--embeddings-url", help="OpenAI-compatible base URL; OPENAI_API_KEY is sent if set.")
@click.option("--embedding-model", default="", help="The model to ask that URL for.")
@click.option(
    "--embeddings-cache",
    type=click.Path(path_type=Path),
    default=Path(tempfile.gettempdir()) / "yychat-bench-embeddings.npz",
    help="Where that URL's answers are kept between runs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def main(
    path: Path,
    vectors: str,
    embeddings_url: str | None,
    embedding_model: str,
    embeddings_cache: Path,
    as_json: bool,
) -> None:
    candidates: dict[str, Embedder | None] = {"lexical": None}
    if vectors == "hash":
        candidates["hybrid, hash"] = hashed
    if embeddings_url:
        endpoint = Endpoint(embeddings_url, embedding_model, embeddings_cache)
        candidates["hybrid, endpoint"] = endpoint
    data = samples(path)
    if not any(sample.questions for sample in data):
        raise click.UsageError(f"no question with known evidence in {path}")
    results = [measured(name, data, embedder) for name, embedder in candidates.items()]
    report = Report([row for row, _ in results], [line for _, lines in results for line in lines])
    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        _print(report)


if __name__ == "__main__":
    main()
