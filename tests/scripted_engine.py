"""Engines that do as they are told, behind the real port; and a service that runs two of them.

``python scripted_engine.py`` is ``yychat serve`` with them instead of the real ones.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import click

from environment import bare
from running import WITHIN, Service
from yychat.chat import About, Answer, ChatRequest, Chunk
from yychat.engines.base import BaseEngine, EngineInfo, Health
from yychat.engines.conversing import Parts
from yychat.errors import EngineUnavailable, InvalidRequest, StoreError, UpstreamRateLimited
from yychat.extracting import Mem0Parts
from yychat.memory.base import Record
from yychat.owner import Owner
from yychat.personalities.personality import Personality

FAILURES: dict[str, Exception] = {
    "unavailable": EngineUnavailable("its memory is missing"),
    "store": StoreError("its store is away"),
    "bug": ValueError("a user's secret"),
    "upstream": UpstreamRateLimited("too many", retry_after=7),
    "caller": InvalidRequest("no such thing", param="thing"),
    "nesting": RecursionError(),
}
PIECES = 4


class ScriptedEngine:
    """Answers with its own name, piece by piece. The question may order what goes wrong:
    ``NAME=unavailable`` before the first chunk, ``NAME=middle`` after it, ``NAME=silent``.

    ``trouble`` is what its health check says; with *folder*, the file ``NAME.trouble`` there is.
    """

    def __init__(self, name: str, folder: Path | None = None, *, pause: float = 0.0) -> None:
        self.name, self._folder, self._pause = name, folder, pause
        self.trouble: str | None = None
        self.records: list[Record] = []
        self.away: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.asked: list[ChatRequest] = []
        self.checks, self.closed = 0, 0

    async def generate_response(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request)
        wanted = self._ordered(request.question)
        try:
            if wanted in FAILURES:
                raise FAILURES[wanted]
            if wanted == "silent":
                return
            for chunk in self._chunks(request):
                yield chunk
                await asyncio.sleep(self._pause)
                if wanted == "middle":
                    raise ZeroDivisionError
        finally:
            self.closed += 1

    def get_engine_info(self) -> EngineInfo:
        return EngineInfo(self.name, f"The scripted {self.name}.", "list", ("memory",))

    async def health_check(self) -> Health:
        self.checks += 1
        if self.gate:
            await self.gate.wait()
        if self.away:
            raise self.away
        trouble = self.trouble
        if self._folder and (self._folder / f"{self.name}.trouble").exists():
            trouble = (self._folder / f"{self.name}.trouble").read_text()
        return Health(healthy=trouble is None, dependencies={"memory": trouble})

    async def get_conversation_memory(self, owner: Owner, limit: int) -> list[Record]:
        self._be_there()
        return self.records[:limit]

    async def clear_conversation_memory(self, owner: Owner) -> int:
        self._be_there()
        erased = len(self.records)
        self.records = []
        return erased

    def get_available_tools(self, personality_id: str | None) -> list[dict[str, Any]]:
        return []

    def get_supported_personalities(self) -> Sequence[Personality]:
        return ()

    def _ordered(self, question: str) -> str | None:
        orders = dict(word.split("=", 1) for word in question.split() if "=" in word)
        return orders.get(self.name)

    def _be_there(self) -> None:
        if self.away:
            raise self.away

    def _chunks(self, request: ChatRequest) -> Iterator[Chunk]:
        about: About | None = About(engine=self.name)
        answer = Answer(text=self.name, finish_reason="stop", usage=None, model="m")
        if not request.stream:
            choice = {"index": 0, "message": {"role": "assistant", "content": self.name}}
            whole = {"id": "c", "object": "chat.completion", "choices": [choice]}
            yield Chunk(json.dumps(whole).encode(), tokens=True, about=about, answer=answer)
            return
        for _ in range(PIECES):
            yield Chunk(f"data: {json.dumps({'engine': self.name})}\n\n".encode(), True, about)
            about = None
        yield Chunk(b"data: [DONE]\n\n", answer=answer)


def engines(folder: Path | None = None, pause: float = 0.0) -> list[BaseEngine]:
    return [ScriptedEngine(name, folder, pause=pause) for name in ("chat_engine", "mem0_proxy")]


@contextmanager
def launched(script: str, data: Path, **environment: str) -> Iterator[Service]:
    """The service that *script* runs, in the place of ``yychat serve``."""
    given = {
        "YYCHAT_DATA_DIR": str(data),
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",  # nobody asks; else a simulator would start
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = subprocess.Popen(
        [sys.executable, script],
        env=bare({**given, **environment}),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        running = Service(process, [process.stdout.readline()])
        try:
            yield running
        finally:
            running.stop(WITHIN)


two_engines = partial(launched, __file__)  # a service with a scripted chat_engine and mem0_proxy


def main() -> None:
    from yychat import app, serving
    from yychat.settings import Settings
    from yychat.web.services import Lifecycle

    settings = Settings.from_environment({**os.environ, "YYCHAT_PORT": "0"})
    lifecycle = Lifecycle()

    def register(mem0: Mem0Parts, **_: Unpack[Parts]) -> list[BaseEngine]:
        return engines(settings.data_dir, pause=0.001)

    service = app.create_app(settings, lifecycle, register)
    serving.serve(settings, service, lifecycle, lambda at: click.echo(f"listening on {at}"))


if __name__ == "__main__":
    main()
