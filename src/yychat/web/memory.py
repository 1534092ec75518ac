"""What is remembered of a conversation or a user, and forgetting it."""

from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response

from ..engines.memories import forgotten, remembered
from ..errors import InvalidRequest
from ..memory.base import Record
from ..owner import Owner
from .replies import reply
from .requests import one_of, only, whole_number
from .schemas import EngineMemory, MemoryErased, MemoryList, MemoryView
from .services import caller_of, services_of


async def conversation_memory(request: Request) -> Response:
    """One route for its methods, so that a 405 lists them all."""
    return await (_forget if request.method == "DELETE" else _remembered)(request)


async def _remembered(request: Request) -> Response:
    """The newest memories of every engine, newest first. An engine that cannot say is named: what
    the others remember is worth having, and must not look like all there is."""
    only(request, "kind", "limit")
    limit = whole_number(request, "limit", 20, 1, 1000)
    owner = _owner(request)
    found = await remembered(services_of(request).engines.registered.values(), owner, limit)
    engines = {name: EngineMemory(count=count) for name, count in found.counts.items()}
    engines |= {name: EngineMemory(count=None, error=why) for name, why in found.failures.items()}
    views = [_view(name, record) for name, record in found.records]
    return reply(MemoryList(views, engines=engines, complete=not found.failures))


async def _forget(request: Request) -> Response:
    only(request, "kind")
    owner = _owner(request)
    erased = await forgotten(services_of(request).engines.registered.values(), owner)
    return reply(MemoryErased(deleted=True, deleted_count=sum(erased.values()), engines=erased))


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


def _view(engine: str, record: Record) -> MemoryView:
    return MemoryView(
        id=record.id,
        role=record.role,
        text=record.text,
        created_at=int(record.at),
        engine=engine,
    )
