"""Figures that fault tests measured, printed at the end: none of them decides a test."""

import os
from collections.abc import Callable

import pytest

LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Adds a line to what is printed at the end."""
    return request.config.stash.setdefault(LINES, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = config.stash.get(LINES, [])
    if lines:
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        terminalreporter.section(f"figures ({os.cpu_count()} cores, load {load})")
        for line in lines:
            terminalreporter.write_line(line)
