"""How chat requests did lately. Prometheus is authoritative; this is the quick look."""

import re
from typing import Literal, cast

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from ..errors import Forbidden, InvalidRequest
from ..performance.record import Record
from ..performance.recorder import Recorder
from ..performance.statistics import Statistics
from ..performance.store import KEEP
from .replies import reply
from .requests import only, whole_number
from .services import caller_of

WINDOW = 300  # seconds
MOST_RECENT = 1_000

_TENANT = re.compile(r"\A[A-Za-z0-9_.-]{1,64}\Z")  # as auth.py lets tenants be called


class PerformanceStats(Statistics, frozen=True, kw_only=True):
    """``instances`` says whose requests these are: ``this`` one's while Redis is away, or where
    there is none. Times are in seconds; percentiles are nearest-rank."""

    instances: Literal["all", "this"]
    object: Literal["performance.stats"] = "performance.stats"


class PerformanceRecords(msgspec.Struct):
    """Newest first; ``instances`` as in the statistics."""

    data: list[Record]
    instances: Literal["all", "this"]
    object: Literal["list"] = "list"


class PerformanceErased(msgspec.Struct):
    deleted: bool
    deleted_count: int
    object: Literal["performance.deleted"] = "performance.deleted"


def recorder_of(connection: HTTPConnection) -> Recorder:
    return cast(Recorder, connection.state.recorder)


async def stats(request: Request) -> Response:
    only(request, "window", "tenant")
    window = whole_number(request, "window", WINDOW, 1, KEEP)
    return reply(await stats_of(recorder_of(request), window, _whose(request)))


async def recent(request: Request) -> Response:
    only(request, "count", "tenant")
    count = whole_number(request, "count", 20, 1, MOST_RECENT)
    found = await recorder_of(request).newest(count, _whose(request))
    return reply(PerformanceRecords(found.records, found.instances))


async def forget(request: Request) -> Response:
    """Everything, or what belongs to a tenant. Records know no owners: there is nothing to erase
    of a conversation or a user."""
    only(request, "tenant")
    if caller_of(request).role != "admin":
        raise Forbidden("only a key of role admin may do this")
    count = await recorder_of(request).erase(_whose(request))
    return reply(PerformanceErased(deleted=True, deleted_count=count))


async def stats_of(recorder: Recorder, window: float, tenant: str | None) -> PerformanceStats:
    """Of the last *window* seconds."""
    counted, instances = await recorder.statistics(window, tenant)
    fields = {name: getattr(counted, name) for name in Statistics.__struct_fields__}
    return PerformanceStats(instances=instances, **fields)


def _whose(request: Request) -> str | None:
    """The tenant that is asked about; None is everybody, for admins."""
    caller = caller_of(request)
    asked = request.query_params.get("tenant")
    if caller.role != "admin":
        if asked not in (None, caller.tenant):
            raise Forbidden("this key sees its own tenant only", param="tenant")
        return caller.tenant
    if asked is not None and not _TENANT.match(asked):
        raise InvalidRequest("tenant must be 1 to 64 letters, digits or _.-", param="tenant")
    return asked
