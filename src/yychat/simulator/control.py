"""The routes under /control: faults to order, and what the simulator saw."""

from starlette.requests import Request
from starlette.responses import Response

from .asked import read
from .delivery import json_response
from .faults import FaultPlan, Faults
from .ledger import Ledger


class Control:
    """What a test or an operator may order and see."""

    def __init__(self, plan: FaultPlan, ledger: Ledger) -> None:
        self._plan = plan
        self._ledger = ledger

    async def show(self, request: Request) -> Response:
        return json_response(self._plan.faults)

    async def order(self, request: Request) -> Response:
        """Replace all settings; those left out go back to their defaults."""
        self._plan.order(read(await request.body(), Faults))
        return json_response(self._plan.faults)

    async def reset(self, request: Request) -> Response:
        """No faults, and everything counted so far forgotten."""
        self._plan.order(Faults())
        self._ledger.clear()
        return json_response(self._plan.faults)

    async def stats(self, request: Request) -> Response:
        return json_response(self._ledger.stats)

    async def last(self, request: Request) -> Response:
        return json_response(self._ledger.last)
