"""The figures that these tests print at the end, as those of tests/fault do."""

from fault.conftest import note, pytest_terminal_summary

__all__ = ["note", "pytest_terminal_summary"]
