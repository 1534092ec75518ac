"""The command line: ``yychat``."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
import msgspec

from . import __version__
from .errors import ConfigurationError, StoreError, YYChatError
from .settings import Settings


def _plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Our own errors are one line and exit code 1, not a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except YYChatError as error:
            raise click.ClickException(error.message) from None

    return run


@click.group()
@click.version_option(__version__, prog_name="yychat")
def main() -> None:
    """YYChat: an OpenAI-compatible chat service with memory."""


@main.command()
@click.option("--host", help="Address to listen on (YYCHAT_HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, 0 for a free one (YYCHAT_PORT).")
@_plainly
def serve(host: str | None, port: int | None) -> None:
    """Run the service."""
    given = {"host": host, "port": port}
    settings = Settings.from_environment(os.environ).model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for chatty in ("uvicorn.error", "httpx2", "openai"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    from . import app, serving
    from .web.services import Lifecycle

    app.refuse_open_door(settings)
    keyless = not (settings.api_keys or settings.api_keys_file)
    lifecycle = Lifecycle()
    service = app.create_app(settings, lifecycle)
    try:
        started = serving.serve(settings, service, lifecycle, _greeting(settings, keyless=keyless))
    except OSError as error:
        raise ConfigurationError(
            f"{settings.host}:{settings.port} cannot be listened on"
            f" ({os.strerror(error.errno) if error.errno else 'unknown host'})"
        ) from None
    sys.exit(0 if started else 1)


def _greeting(settings: Settings, *, keyless: bool) -> str:
    from .app import simulated

    keys = "no key needed" if keyless else "keys required"
    lines = [f"yychat {__version__} listening on {{address}} ({keys}, data in {settings.data_dir})"]
    if simulated(settings):
        lines.append(
            "answers are SIMULATED: no upstream is configured"
            " (set OPENAI_API_KEY or OPENAI_BASE_URL)"
        )
    return "\n".join(lines) + "\n"


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--exit-with-parent", is_flag=True, help="End when standard input ends.")
def simulate(host: str, port: int, *, exit_with_parent: bool) -> None:
    """Run the simulated upstream alone; GET and PUT /control orders its faults."""
    from .simulator.serve import run

    run(host, port, exit_with_parent=exit_with_parent)


@main.group()
def keys() -> None:
    """API keys."""


@keys.command("new")
@click.option("--id", "key_id", required=True, help="What this key is called in limits and logs.")
@click.option("--tenant", required=True, help="Whose memory it reaches.")
@click.option("--role", type=click.Choice(["user", "admin"]), default="user", show_default=True)
@click.option("--file", "path", type=click.Path(path_type=Path), help="Append the entry here.")
@_plainly
def new_key(key_id: str, tenant: str, role: Any, path: Path | None) -> None:
    """Make a key: the key itself goes to standard output, once; only its hash is kept."""
    from .web.auth import add_key, new_key

    try:
        secret, key = new_key(key_id, tenant, role)
    except msgspec.ValidationError:
        raise ConfigurationError(
            "id and tenant may have letters, digits, _ . - (at most 64)"
        ) from None
    if path is not None:
        add_key(path, key)
    click.echo(secret)
    if path is None:
        entry = msgspec.json.encode(key).decode()
        click.echo(
            f"put this line into the file that YYCHAT_API_KEYS_FILE names:\n{entry}", err=True
        )
    else:
        click.echo(f"added to {path}; a running service takes it up within 10 seconds", err=True)


@main.command()
@click.option("--tenant", required=True)
@click.option("--conversation", help="Only this conversation's memory.")
@click.option("--user", help="Only this user's memory.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_plainly
def erase(tenant: str, conversation: str | None, user: str | None, *, yes: bool) -> None:
    """Erase what is remembered of a tenant, a conversation or a user, for good."""
    if conversation is not None and user is not None:
        raise click.UsageError("either --conversation or --user")
    if "" in (tenant, conversation, user):
        # An empty variable of a script must not turn one user's erasure into everybody's.
        raise click.UsageError("an empty name names nobody")
    everything = conversation is None and user is None
    what = "EVERYTHING" if everything else "a user" if conversation is None else "a conversation"
    if not yes:
        click.confirm(f"Erase {what} of tenant {tenant}?", abort=True)
    settings = Settings.from_environment(os.environ)
    click.echo(f"{asyncio.run(_erase(settings, tenant, conversation, user))} turns erased")


async def _erase(
    settings: Settings, tenant: str, conversation: str | None, user: str | None
) -> int:
    from .app import open_database, owners_of
    from .memory.turns_sqlite import SqliteTurns

    if not (settings.data_dir / "yychat.db").exists():
        raise StoreError(f"there is no memory in {settings.data_dir} (YYCHAT_DATA_DIR)")
    database = open_database(settings)
    try:
        turns = SqliteTurns(database)
        if conversation is not None:
            owner = owners_of(settings, create=False).owner(tenant, "conversation", conversation)
        elif user is not None:
            owner = owners_of(settings, create=False).owner(tenant, "user", user)
        else:
            return await turns.erase_tenant(tenant)
        return await turns.erase(owner)
    finally:
        database.close()


@main.command()
@_plainly
def check() -> None:
    """Test the configuration and every dependency; say how to mend what is wrong."""
    from .checks import run_checks

    settings = Settings.from_environment(os.environ)
    findings = asyncio.run(run_checks(settings))
    for finding in findings:
        click.echo(f"{finding.mark} {finding.subject}: {finding.text}")
        if finding.remedy:
            click.echo(f"       {finding.remedy}")
    sys.exit(1 if any(finding.failed for finding in findings) else 0)


@main.group()
def docs() -> None:
    """Pages that are generated from the code."""


@docs.command("configuration")
def configuration_page() -> None:
    """Print docs/configuration.md."""
    from .configuration_page import page

    click.echo(page(), nl=False)
