"""The command line: ``yychat``."""

import asyncio
import logging
import os
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
import msgspec

from . import __version__
from .errors import ConfigurationError, YYChatError
from .owner import Kind
from .settings import Settings
from .supervisor import Supervisor, end_with_parent

if TYPE_CHECKING:
    from .telemetry.logs import Logs

STDOUT = 1


def _plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Our own errors are one line and exit code 1, not a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except YYChatError as error:
            raise click.ClickException(error.message) from None

    return run


def _hush() -> None:
    """For commands that say themselves what is wrong, once and at their end."""
    logging.getLogger("yychat").setLevel(logging.ERROR)


@click.group()
@click.version_option(__version__, prog_name="yychat")
def main() -> None:
    """YYChat: an OpenAI-compatible chat service with memory."""


@main.command()
@click.option("--host", help="Address to listen on (YYCHAT_HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, 0 for a free one (YYCHAT_PORT).")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--fd", type=int, hidden=True)  # these four are the supervisor's
@click.option("--greet", type=int, default=STDOUT, hidden=True)
@click.option("--slot", type=int, hidden=True)
@click.option("--simulator", "simulator_url", hidden=True)
@_plainly
def serve(
    host: str | None,
    port: int | None,
    workers: int,
    fd: int | None,
    greet: int,
    slot: int | None,
    simulator_url: str | None,
) -> None:
    """Run the service, in one process or in several workers."""
    given = {"host": host, "port": port}
    settings = Settings.from_environment(os.environ).model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    logs = _log_as(settings)
    from . import app, serving
    from .simulator.given import GivenSimulator
    from .web.services import Lifecycle

    app.refuse_open_door(settings)
    if workers > 1:
        sys.exit(0 if _supervised(settings, workers) else 1)
    if fd is not None:
        end_with_parent()
    keyless = not (settings.api_keys or settings.api_keys_file)
    lifecycle = Lifecycle()
    simulator = GivenSimulator(simulator_url) if simulator_url else None
    service = app.create_app(settings, lifecycle, logs=logs, slot=slot, simulator=simulator)
    try:
        started = serving.serve(
            settings,
            service,
            lifecycle,
            partial(_greet, _greeting(settings, keyless=keyless), greet),
            socket.socket(fileno=fd) if fd is not None else None,
        )
    except OSError as error:
        raise _not_listening(settings, error) from None
    finally:
        logs.close()
    sys.exit(0 if started else 1)


def _not_listening(settings: Settings, error: OSError) -> ConfigurationError:
    why = os.strerror(error.errno) if error.errno else "unknown host"
    return ConfigurationError(f"{settings.host}:{settings.port} cannot be listened on ({why})")


def _supervised(settings: Settings, workers: int) -> bool:
    """Raises ``ConfigurationError``."""
    from .app import simulated
    from .serving import listen
    from .telemetry.listener import free_slots

    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        raise _not_listening(settings, error) from None
    port = settings.metrics_port
    slots = free_slots(settings.metrics_host, port, workers) if port else list(range(workers))
    supervisor = Supervisor(
        listener,
        slots,
        ("--host", settings.host),
        simulate=simulated(settings),
        stop_within=settings.drain_seconds + settings.shutdown_seconds + 15,
    )
    return asyncio.run(supervisor.run(partial(click.echo, nl=False)))


def _log_as(settings: Settings) -> "Logs":
    from .telemetry.logs import log_to

    return log_to(sys.stdout, settings.log_level, settings.log_format)


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


def _greet(greeting: str, into: int, address: str) -> None:
    """Say *greeting* where it is heard: to whoever reads this process' output, or in the pipe of a
    supervisor."""
    with suppress(OSError):  # nobody listens any more
        os.write(into, greeting.format(address=address).encode())
    if into != STDOUT:
        os.close(into)


@main.command()
@_plainly
def work() -> None:
    """Deliver turns from the shared Redis to memory, and serve nothing."""
    settings = Settings.from_environment(os.environ)
    _log_as(settings)
    from . import working

    def begun(name: str) -> None:
        click.echo(f"yychat {__version__} delivers what is in Redis, as {name}")

    asyncio.run(working.work(settings, begun))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--exit-with-parent", is_flag=True, help="End when standard input ends.")
@click.option("--greet", type=int, default=STDOUT, hidden=True)
def simulate(host: str, port: int, *, exit_with_parent: bool, greet: int) -> None:
    """Run the simulated upstream alone; GET and PUT /control orders its faults."""
    from .simulator.serve import run

    run(host, port, greet=greet, exit_with_parent=exit_with_parent)


@main.group()
def keys() -> None:
    """API keys."""


@keys.command("new")
@click.option("--id", "key_id", required=True, help="What this key is called in limits and logs.")
@click.option("--tenant", required=True, help="Whose memory it reaches.")
@click.option("--role", type=click.Choice(["user", "admin"]), default="user", show_default=True)
@click.option("--requests-per-minute", type=click.IntRange(1), help="Default: no limit.")
@click.option("--tokens-per-minute", type=click.IntRange(1), help="Default: no limit.")
@click.option("--engines", is_flag=True, help="May choose the engine of a request.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="Append the entry here.")
@_plainly
def new_key(key_id: str, tenant: str, role: Any, path: Path | None, **limits: int | None) -> None:
    """Make a key: the key itself goes to standard output, once; only its hash is kept."""
    from .web.auth import add_key, new_key

    try:
        secret, key = new_key(key_id, tenant, role, **limits)
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
    from .erasing import erased

    whom: tuple[Kind, str] | None = None
    if conversation is not None:
        whom = ("conversation", conversation)
    elif user is not None:
        whom = ("user", user)
    click.echo(f"{asyncio.run(erased(settings, tenant, whom))} turns erased")


@main.group()
def engines() -> None:
    """Which engine answers, read and changed where it is shared; the service need not run.

    How an engine is cannot be seen from here: POST /v1/engines/switch looks before it switches.
    """
    _hush()


WHY = click.option("--reason", required=True, help="Why, for those who read the history.")
UNLESS = click.option(
    "--if-revision", type=click.IntRange(0), help="Only if this revision is in force."
)


@engines.command("list")
@_plainly
def list_engines() -> None:
    """List the engines, their shares, and the last change."""
    from .steering import lines, selection

    async def run() -> None:
        async with selection(Settings.from_environment(os.environ)) as selected:
            for line in lines(await selected.peek()):
                click.echo(line)

    asyncio.run(run())


@engines.command("switch")
@click.argument("engine")
@WHY
@UNLESS
@_plainly
def switch_engine(engine: str, reason: str, if_revision: int | None) -> None:
    """Let ENGINE answer everything, on all instances."""
    _change({engine: 100}, reason, if_revision)


@engines.command("split")
@click.argument("shares", metavar="ENGINE=WEIGHT...", nargs=-1, required=True)
@WHY
@UNLESS
@_plainly
def split_engines(shares: tuple[str, ...], reason: str, if_revision: int | None) -> None:
    """Let engines share the requests, as in: chat_engine=90 mem0_proxy=10."""
    weights = {}
    for share in shares:
        name, _, weight = share.partition("=")
        if not re.fullmatch(r"[0-9]{1,6}", weight) or name in weights:
            raise click.UsageError("shares are ENGINE=WEIGHT, each engine once, in whole numbers")
        weights[name] = int(weight)
    _change(weights, reason, if_revision)


def _change(weights: dict[str, int], reason: str, if_revision: int | None) -> None:
    from .steering import row, switched

    settings = Settings.from_environment(os.environ)
    click.echo(row(asyncio.run(switched(settings, weights, reason, if_revision))))
    click.echo("not looked at from here: whether these engines are well", err=True)


@engines.command("history")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@_plainly
def engines_history(limit: int) -> None:
    """List the last changes, newest first."""
    from .steering import row, selection

    async def run() -> None:
        async with selection(Settings.from_environment(os.environ)) as selected:
            for change in await selected.history(limit):
                click.echo(row(change))

    asyncio.run(run())


@main.group()
def tools() -> None:
    """The tools of this configuration, MCP servers' too; the service need not run."""
    _hush()


@tools.command("list")
@_plainly
def list_tools() -> None:
    """List the tools and where they come from; and those that are not served, and why."""
    from .tooling import listed

    rows, wrong = asyncio.run(listed(Settings.from_environment(os.environ)))
    for row in rows:
        click.echo(row)
    for line in wrong:
        click.echo(line, err=True)


@tools.command("call")
@click.argument("name")
@click.option("--arguments", default="{}", show_default=True, help="A JSON object.")
@_plainly
def call_tool(name: str, arguments: str) -> None:
    """Call the tool NAME as a model would, and print what it gives back."""
    from .tooling import called

    result = asyncio.run(called(Settings.from_environment(os.environ), name, arguments))
    click.echo(result.content)
    sys.exit(0 if result.ok else 1)


@main.group()
def outbox() -> None:
    """Turns on their way to memory, and those that were given up."""


@outbox.command("list")
@_plainly
def list_letters() -> None:
    """List the dead letters: id, owner, age, attempts and memory, never what was said."""
    from .letters import outboxes, table

    async def run() -> None:
        async with outboxes(Settings.from_environment(os.environ)) as boxes:
            for line in table(await boxes.letters()):
                click.echo(line)

    asyncio.run(run())


@outbox.command()
@click.argument("job_id", metavar="ID", required=False)
@click.option("--all", "every", is_flag=True, help="All dead letters.")
@_plainly
def retry(job_id: str | None, *, every: bool) -> None:
    """Deliver a dead letter after all."""
    if (job_id is None) != every:
        raise click.UsageError("either ID or --all")
    from .letters import outboxes

    async def run() -> int:
        async with outboxes(Settings.from_environment(os.environ)) as boxes:
            letters = await boxes.letters() if job_id is None else [await boxes.letter(job_id)]
            for letter in letters:
                await letter.home.revive(letter.job)
            return len(letters)

    click.echo(f"{asyncio.run(run())} to be delivered again")


@outbox.command()
@click.argument("job_id", metavar="ID")
@_plainly
def drop(job_id: str) -> None:
    """Forget a dead letter: its turn is not recalled any more either."""
    from .letters import outboxes

    async def run() -> None:
        async with outboxes(Settings.from_environment(os.environ)) as boxes:
            letter = await boxes.letter(job_id)
            await letter.home.drop(letter.job)

    asyncio.run(run())
    click.echo("1 dropped")


@outbox.command()
@_plainly
def status() -> None:
    """How much waits, how much was given up, and for how long the oldest has waited."""
    from .letters import outboxes, span

    async def run() -> None:
        async with outboxes(Settings.from_environment(os.environ)) as boxes:
            for name, backlog in (await boxes.backlogs()).items():
                oldest = span(backlog.oldest_seconds)
                click.echo(
                    f"{name}: pending {backlog.pending}, dead {backlog.dead}, oldest {oldest}"
                )

    asyncio.run(run())


@main.group()
def instances() -> None:
    """Processes that are registered for scraping, the dead ones too."""


@instances.command("list")
@_plainly
def list_instances() -> None:
    """List the registered processes."""
    from .roster import listed, table

    for line in table(asyncio.run(listed(Settings.from_environment(os.environ)))):
        click.echo(line)


@instances.command()
@click.argument("instance", required=False)
@click.option("--dead", is_flag=True, help="All that are dead.")
@_plainly
def forget(instance: str | None, *, dead: bool) -> None:
    """Take a process off the list; one that lives comes back within seconds."""
    if (instance is None) != dead:
        raise click.UsageError("either INSTANCE or --dead")
    from .roster import forgotten

    names = asyncio.run(forgotten(Settings.from_environment(os.environ), instance))
    click.echo("\n".join(names) or "nobody")


@main.command()
@click.argument("part", default="")
def metrics(part: str) -> None:
    """List the metrics whose names contain PART."""
    from .metrics_page import lines

    for line in lines(part):
        click.echo(line)


@main.command()
@_plainly
def check() -> None:
    """Test the configuration and every dependency; say how to mend what is wrong."""
    from .checks import run_checks

    _hush()
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


@docs.command("metrics")
@click.option("--shown", type=click.File("r"), help="JSON: boards and alerts, by metric.")
def metrics_page(shown: TextIO | None) -> None:
    """Print docs/metrics.md."""
    from .metrics_page import page

    click.echo(page(msgspec.json.decode(shown.read()) if shown else None), nl=False)
