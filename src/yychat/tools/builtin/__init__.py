"""The tools that come with the service: calculator, gettime and, with a key, tavily_search."""

import time

from ..base import Tool
from .arithmetic import Calculator
from .clock import Clock, GetTime
from .tavily import PostJson, TavilySearch

__all__ = ["Calculator", "Clock", "GetTime", "PostJson", "TavilySearch", "builtin_tools"]


def builtin_tools(
    *,
    tavily: TavilySearch | None = None,
    clock: Clock = time.time,
    default_zone: str = "UTC",
) -> list[Tool]:
    """The built-in tools; a web search only where one was set up.

    Raises ``ConfigurationError`` for a *default_zone* that this machine does not know.
    """
    tools: list[Tool] = [Calculator(), GetTime(clock=clock, default_zone=default_zone)]
    return [*tools, tavily] if tavily is not None else tools
