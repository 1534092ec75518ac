"""Fixtures that many tests share: a simulator for the session, a service for a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from running import Service, Simulator, service, simulator


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
