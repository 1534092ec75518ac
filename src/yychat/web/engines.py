"""Engines: which there are, how they are, and which answers."""

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from ..chat import ChatRequest
from ..engines.selection import Selection
from ..errors import Forbidden, InvalidRequest
from .auth import Caller
from .replies import reply
from .requests import body_of, decoded, only, whole_number
from .schemas import (
    EngineHealth,
    EngineList,
    EnginesHealth,
    EngineView,
    SelectionHistory,
    SelectionView,
    SplitRequest,
    SwitchRequest,
)
from .services import caller_of, services_of

HEADER = "x-yychat-engine"
HEALTH_WITHIN = 5.0  # seconds for every engine's health

_switch = msgspec.json.Decoder(SwitchRequest)
_split = msgspec.json.Decoder(SplitRequest)


async def listing(request: Request) -> Response:
    manager = services_of(request).engines
    shares = manager.selection.in_force
    views = []
    for engine in manager.registered.values():
        info = engine.get_engine_info()
        views.append(
            EngineView(
                id=info.name,
                description=info.description,
                memory=info.memory,
                features=list(info.features),
                weight=shares.get(info.name, 0),
                selected=engine in manager.in_force,
            )
        )
    return reply(EngineList(views))


async def current(request: Request) -> Response:
    return reply(_view(services_of(request).engines.selection, caller_of(request)))


async def health(request: Request) -> Response:
    manager = services_of(request).engines
    selected = {engine.name for engine in manager.in_force}
    engines = {}
    for name, finding in (await manager.health(HEALTH_WITHIN)).items():
        found = finding.health.dependencies.items()
        engines[name] = EngineHealth(
            healthy=finding.health.healthy,
            selected=name in selected,
            dependencies={dependency: trouble or "ok" for dependency, trouble in found},
            checked_at=finding.at,
        )
    return reply(EnginesHealth(engines))


async def history(request: Request) -> Response:
    admin = _admin(request)
    only(request, "limit")
    limit = whole_number(request, "limit", 20, 1, 1000)
    changes = await services_of(request).engines.selected.history(limit)
    return reply(SelectionHistory([_view(change, admin) for change in changes]))


async def switch(request: Request) -> Response:
    admin, services = _admin(request), services_of(request)
    asked = decoded(await body_of(request, services.max_body), _switch)
    selection = await services.engines.switch(
        asked.engine,
        by=_name(admin),
        reason=asked.reason,
        force=asked.force,
        if_revision=asked.if_revision,
    )
    return reply(_view(selection, admin))


async def split(request: Request) -> Response:
    admin, services = _admin(request), services_of(request)
    asked = decoded(await body_of(request, services.max_body), _split)
    selection = await services.engines.split(
        asked.weights,
        by=_name(admin),
        reason=asked.reason,
        force=asked.force,
        if_revision=asked.if_revision,
    )
    return reply(_view(selection, admin))


def wished(chat: ChatRequest, request: Request) -> ChatRequest:
    """*chat* with the engine its caller insists on, in the body or in a header.

    Raises ``InvalidRequest`` where the two differ, and ``Forbidden``.
    """
    named = request.headers.get(HEADER)
    if named is not None and chat.engine not in (None, named):
        raise InvalidRequest(f"engine and the header {HEADER} name different ones", param="engine")
    wanted = named if named is not None else chat.engine
    if wanted is None:
        return chat
    if not caller_of(request).may_choose_engine:
        raise Forbidden("this key may not choose the engine of a request", param="engine")
    return replace(chat, engine=wanted)


def _admin(request: Request) -> Caller:
    caller = caller_of(request)
    if caller.role != "admin":
        raise Forbidden("only a key of role admin may do this")
    return caller


def _name(caller: Caller) -> str:
    return caller.key.id if caller.key else "keyless"


def _view(selection: Selection, caller: Caller) -> SelectionView:
    admin = caller.role == "admin"
    shares = selection.in_force
    return SelectionView(
        engine=next(iter(shares)) if len(shares) == 1 else None,
        weights=dict(selection.weights),
        revision=selection.revision,
        changed_by=selection.changed_by if admin else None,
        reason=selection.reason if admin else None,
        at=selection.at,
    )
