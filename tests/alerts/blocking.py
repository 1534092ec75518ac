"""``yychat serve``, but a request to /block makes the event loop stand still."""

import os
import time

import click
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

STANDSTILL = 0.6  # seconds


def blocking(service: ASGIApp) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != "/block":
            return await service(scope, receive, send)
        time.sleep(STANDSTILL)  # noqa: ASYNC251 - just that is the fault
        return await Response(status_code=204)(scope, receive, send)

    return app


def main() -> None:
    from yychat import app, serving
    from yychat.settings import Settings
    from yychat.web.services import Lifecycle

    settings = Settings.from_environment({**os.environ, "YYCHAT_PORT": "0"})
    lifecycle = Lifecycle()
    service = blocking(app.create_app(settings, lifecycle))
    serving.serve(settings, service, lifecycle, lambda at: click.echo(f"listening on {at}"))


if __name__ == "__main__":
    main()
