"""Reading requests: the body within bounds, and errors that name the field."""

import asyncio
import re
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from ..chat import ChatRequest, Message
from ..errors import BodyTimeout, BodyTooLarge, InvalidRequest
from ..owner import Owner, Owners
from .hangup import ClientGone
from .schemas import OWN_FIELDS, ChatCompletionRequest

T = TypeVar("T")

BODY_WITHIN = 30.0  # seconds for a body to arrive
HANDLED = OWN_FIELDS | {"messages", "model", "stream"}

_PLACE = re.compile(r"(?: - at `\$\.?(?P<path>.*)`)?\Z")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>[A-Za-z0-9_]{1,64})`")
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_messages: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_chat = msgspec.json.Decoder(ChatCompletionRequest)


async def body_of(request: Request, most: int) -> bytes:
    """The whole body, as UTF-8. Raises ``BodyTooLarge`` as soon as that is known,
    ``BodyTimeout`` and ``InvalidRequest``."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    pieces, size, more = [], 0, True
    try:
        async with asyncio.timeout(BODY_WITHIN):
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > most:
                    raise _too_large(most)
                more = message.get("more_body", False)
    except TimeoutError:
        # What still comes of it could be taken for the next request.
        raise BodyTimeout(
            "the body did not arrive in time", headers={"connection": "close"}
        ) from None
    return _utf8(b"".join(pieces))


def _utf8(body: bytes) -> bytes:
    """*body* itself. The decoder looks into the strings it reads; others would pass upstream."""
    if not body:
        raise InvalidRequest("the body is empty; send JSON", code="invalid_json")
    try:
        body.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("the body is not valid UTF-8", code="invalid_json") from None
    return body


def decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """*body* as JSON of the wanted shape. Raises ``InvalidRequest`` that names the field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except RecursionError:
        raise too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidRequest("the body is not valid JSON", code="invalid_json") from None


def too_deep() -> InvalidRequest:
    return InvalidRequest("the body is nested too deeply", code="invalid_json")


class Defaults(msgspec.Struct, frozen=True):
    """What a request gets that does not say: the model, and whether tools are offered."""

    model: str | None
    use_tools: bool


def chat_request(
    body: bytes, *, tenant: str, owners: Owners, defaults: Defaults, request_id: str
) -> ChatRequest:
    """Parse and check a chat request. Raises ``InvalidRequest``."""
    asked = decoded(body, _chat)
    fields = decoded(body, _fields)
    messages = decoded(bytes(fields["messages"]), _messages)
    for position, message in enumerate(asked.messages):
        _check(message, f"messages[{position}]")
    model = asked.model or defaults.model
    if model is None:
        raise InvalidRequest("model is required: this service has no default model", param="model")
    return ChatRequest(
        messages=messages,
        view=asked.messages,
        fields={name: raw for name, raw in fields.items() if name not in HANDLED},
        model=model,
        stream=bool(asked.stream),
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
        choices=asked.n or 1,
        tenant=tenant,
        owner=_owner(asked, tenant, owners),
        personality_id=asked.personality_id,
        use_tools=defaults.use_tools if asked.use_tools is None else asked.use_tools,
        engine=asked.engine,
        request_id=request_id,
        size=len(body),
        reply_tokens=asked.max_completion_tokens or asked.max_tokens,
    )


def _owner(asked: ChatCompletionRequest, tenant: str, owners: Owners) -> Owner | None:
    if asked.conversation_id is not None:
        return owners.owner(tenant, "conversation", asked.conversation_id)
    return owners.owner(tenant, "user", asked.user) if asked.user else None


def _check(message: Message, where: str) -> None:
    """What a type cannot say about a message."""
    role, parts = message.role, message.content
    if role == "tool" and not message.tool_call_id:
        raise InvalidRequest(
            f"{where}.tool_call_id is required for role tool", param=f"{where}.tool_call_id"
        )
    said = message.tool_calls or message.function_call or message.refusal or message.audio
    if parts is None and not (role == "assistant" and said):
        raise InvalidRequest(f"{where}.content is required", param=f"{where}.content")
    for position, part in enumerate(parts if isinstance(parts, list) else ()):
        if part.type == "text" and part.text is None:
            place = f"{where}.content[{position}].text"
            raise InvalidRequest(f"{place} is required", param=place)


def _invalid(complaint: str) -> InvalidRequest:
    """A decoder's complaint, with the field as OpenAI names it and without the caller's values."""
    place = _PLACE.search(complaint)
    # "[...]" is some key of the caller's: the field is the object that has it.
    path = ((place["path"] if place else None) or "").partition("[...]")[0]
    for pattern, what in ((_MISSING, "is required"), (_UNKNOWN, "is not a known field")):
        if named := pattern.match(complaint):
            param = f"{path}.{named['name']}".lstrip(".")
            return InvalidRequest(f"{param} {what}", param=param)
    expected = complaint.partition(" - at ")[0]
    if not expected.startswith("Expected"):
        expected = "Has a value that is not allowed"
    subject = path or "the body"
    return InvalidRequest(f"{subject}: {expected[0].lower()}{expected[1:]}", param=path or None)


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {most} bytes")


def only(request: Request, *names: str) -> None:
    """Refuse query parameters that are none, or given twice: a typo must not choose what is
    erased. Raises ``InvalidRequest``."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in names or name in seen:
            raise InvalidRequest(f"query parameters here, each once: {', '.join(names)}")
        seen.add(name)


def whole_number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A query parameter as an integer within bounds. Raises ``InvalidRequest``."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", given) or not least <= int(given) <= most:
        raise InvalidRequest(f"{name} must be a whole number from {least} to {most}", param=name)
    return int(given)


def one_of(request: Request, name: str, default: str, allowed: tuple[Any, ...]) -> Any:
    """A query parameter out of a closed set. Raises ``InvalidRequest``."""
    given = request.query_params.get(name, default)
    if given not in allowed:
        raise InvalidRequest(f"{name} must be one of {', '.join(allowed)}", param=name)
    return given
