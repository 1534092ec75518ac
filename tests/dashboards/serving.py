"""``yychat serve`` with a tool that takes as long as it is told to, and a request to /block that
makes the event loop stand still."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Unpack

import click

from alerts.blocking import blocking
from yychat import app, serving
from yychat.answering import engines
from yychat.engines.base import BaseEngine
from yychat.engines.conversing import Parts
from yychat.extracting import Mem0Parts
from yychat.settings import Settings
from yychat.web.services import Lifecycle


class Nap:
    """Takes the seconds that it is told."""

    name, description, source = "nap", "Sleep for some seconds.", "builtin"
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {"seconds": {"type": "number"}},
        "required": ["seconds"],
    }

    async def call(self, arguments: dict[str, Any]) -> Any:
        await asyncio.sleep(arguments["seconds"])
        return "slept"


def register(mem0: Mem0Parts, **native: Unpack[Parts]) -> list[BaseEngine]:
    tools = native["tools"]
    tools.replace("builtin", [*tools.offered(None), Nap()])
    return engines(mem0, **native)


def main() -> None:
    settings = Settings.from_environment({**os.environ, "YYCHAT_PORT": "0"})
    lifecycle = Lifecycle()
    service = blocking(app.create_app(settings, lifecycle, register))
    serving.serve(settings, service, lifecycle, lambda at: click.echo(f"listening on {at}"))


if __name__ == "__main__":
    main()
