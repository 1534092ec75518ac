"""Fixtures that many tests share: a simulator for the session, a service for a module."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from redis_server import RedisServer, redis_server
from running import Service, Simulator, service, simulator
from yychat.redis_link import RedisLink


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands, servers and SDKs that a test runs in this process set levels; which test comes
    next is chance."""
    loggers = [logging.getLogger(name) for name in (None, "yychat")]
    before = [(logger, logger.level, logger.disabled) for logger in loggers]
    yield
    for logger, level, disabled in before:
        logger.setLevel(level)
        logger.disabled = disabled


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def upstream(shared_simulator: Simulator) -> Iterator[Simulator]:
    """The simulated upstream without faults; what a test orders ends with the test."""
    shared_simulator.reset()
    yield shared_simulator
    shared_simulator.reset()


@pytest.fixture(scope="module")
def module_service(
    shared_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("data")
    with service(
        data,
        OPENAI_BASE_URL=shared_simulator.base_url,
        OPENAI_MODEL="simulated",
        YYCHAT_RETRIES="0",
    ) as running:
        yield running


@pytest.fixture
def yychat(upstream: Simulator, module_service: Service) -> Service:
    """A keyless service before a faultless simulator; its memory lasts for the test module."""
    return module_service


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder for a service that a test starts itself."""
    return tmp_path / "data"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis; what a test leaves there stays for the module's next one."""
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
async def link(server: RedisServer) -> AsyncIterator[RedisLink]:
    """To a Redis that is empty."""
    server.cli("flushall")
    link = RedisLink(server.url, within=5.0)
    yield link
    await link.close()
