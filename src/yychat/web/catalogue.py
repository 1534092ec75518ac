"""What there is to choose from: models, personalities, tools; and calling one tool."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..errors import NotFound
from ..personalities.personality import Personality
from .hangup import unless_gone
from .replies import reply
from .requests import body_of, decoded
from .schemas import (
    Model,
    ModelList,
    PersonalityList,
    PersonalityView,
    ToolCallRequest,
    ToolCallResult,
    ToolList,
)
from .services import services_of

_tool_call = msgspec.json.Decoder(ToolCallRequest)


async def models(request: Request) -> Response:
    with unless_gone(request.receive):
        entries = await services_of(request).models.all()
    return reply(ModelList([msgspec.convert(e, Model, from_attributes=True) for e in entries]))


async def model(request: Request) -> Response:
    with unless_gone(request.receive):
        entry = await services_of(request).models.get(request.path_params["model"])
    return reply(msgspec.convert(entry, Model, from_attributes=True))


async def personalities(request: Request) -> Response:
    return reply(PersonalityList([_view(p) for p in services_of(request).personalities.all()]))


async def personality(request: Request) -> Response:
    chosen = services_of(request).personalities.get(request.path_params["personality"])
    return reply(_view(chosen))


async def tools(request: Request) -> Response:
    services = services_of(request)
    chosen = request.query_params.get("personality_id")
    if chosen is not None:
        services.personalities.get(chosen)  # also an empty one: it must not mean all tools
    return reply(ToolList(services.engines.in_force[0].get_available_tools(chosen)))


async def call_tool(request: Request) -> Response:
    """Run one tool as a model would. A tool that fails is a 200 with ``ok`` false: the call was
    answered; what is wrong with the call itself is the tool's to say."""
    services = services_of(request)
    asked = decoded(await body_of(request, services.max_body), _tool_call)
    offered = services.engines.in_force[0].get_available_tools(asked.personality_id)
    allowed = {tool["function"]["name"] for tool in offered}
    if asked.name not in allowed:
        raise NotFound("there is no such tool here; GET /v1/tools lists them", param="name")
    with unless_gone(request.receive):
        result = await services.tools.call(asked.name, asked.arguments, allowed=allowed)
    return reply(
        ToolCallResult(
            object="tool.result",
            name=asked.name,
            ok=result.ok,
            result=msgspec.Raw(result.content.encode()),
        )
    )


def _view(personality: Personality) -> PersonalityView:
    allowed = personality.allowed_tools
    return PersonalityView(
        id=personality.id,
        name=personality.name,
        description=personality.description,
        allowed_tools=None if allowed is None else list(allowed),
    )
