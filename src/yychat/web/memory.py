"""What is remembered of a conversation or a user, and forgetting it."""

from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response

from ..errors import InvalidRequest
from ..memory.base import Record
from ..owner import Owner
from .replies import reply
from .requests import one_of, only, whole_number
from .schemas import MemoryErased, MemoryList, MemoryView
from .services import caller_of, services_of


async def conversation_memory(request: Request) -> Response:
    """One route for its methods, so that a 405 lists them all."""
    return await (_forget if request.method == "DELETE" else _remembered)(request)


async def _remembered(request: Request) -> Response:
    """The newest memories of every engine, newest first."""
    only(request, "kind", "limit")
    limit = whole_number(request, "limit", 20, 1, 1000)
    owner = _owner(request)
    records: list[Record] = []
    for engine in services_of(request).engines.values():
        records += await engine.get_conversation_memory(owner, limit)
    records.sort(key=lambda record: record.at, reverse=True)
    return reply(MemoryList([_view(record) for record in records[:limit]]))


async def _forget(request: Request) -> Response:
    only(request, "kind")
    owner = _owner(request)
    erased = 0
    for engine in services_of(request).engines.values():
        erased += await engine.clear_conversation_memory(owner)
    return reply(MemoryErased(deleted=True, deleted_count=erased))


def _owner(request: Request) -> Owner:
    kind = one_of(request, "kind", "conversation", ("conversation", "user"))
    given = request.path_params["id"]
    try:
        unquote_to_bytes(request.scope["raw_path"]).decode()
    except UnicodeDecodeError:  # the server has replaced what is wrong: another id
        raise InvalidRequest("the id is not valid UTF-8", param="id") from None
    if len(given) > 4096:
        raise InvalidRequest("the id is longer than 4096 characters", param="id")
    return services_of(request).owners.owner(caller_of(request).tenant, kind, given)


def _view(record: Record) -> MemoryView:
    return MemoryView(
        id=record.id,
        role=record.role,
        text=record.text,
        created_at=int(record.at),
        engine=record.engine,
    )
