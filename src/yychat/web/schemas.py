"""What clients send and get, as structs: they validate requests and they make /openapi.json."""

from typing import Annotated, Any, Literal

import msgspec

from ..chat import Message, Usage
from ..engines.selection import LONGEST_REASON, Weight

Count = Annotated[int, msgspec.Meta(ge=1)]
Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ToolFunction(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolDefinition(msgspec.Struct):
    """A tool of the client's; kinds other than ``function`` pass as they are."""

    type: str
    function: ToolFunction | None = None


class ChatCompletionRequest(msgspec.Struct):
    """OpenAI's chat request. Fields not named here pass upstream as they are.

    ``conversation_id``, ``personality_id``, ``use_tools`` and ``engine`` are this service's own
    and never reach the upstream.
    """

    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    response_format: dict[str, Any] | None = None
    tools: list[ToolDefinition] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    user: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    conversation_id: Identifier | None = None
    personality_id: Identifier | None = None
    use_tools: bool | None = None
    engine: Identifier | None = None


OWN_FIELDS = frozenset({"conversation_id", "personality_id", "use_tools", "engine"})


class EmbeddingRequest(msgspec.Struct):
    """OpenAI's embedding request; fields not named here pass upstream as they are."""

    input: str | list[str | int | list[int]]
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    dimensions: Count | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


class ToolCallRequest(msgspec.Struct, forbid_unknown_fields=True):
    """``arguments`` must fit the tool's own schema (GET /v1/tools)."""

    name: Identifier
    arguments: dict[str, Any] = {}
    personality_id: Identifier | None = None


class ToolCallResult(msgspec.Struct):
    """``ok`` says whether the tool did its work; ``result`` is its answer or its error."""

    object: Literal["tool.result"]
    name: str
    ok: bool
    result: Any


class ResponseMessage(msgspec.Struct):
    role: Literal["assistant"]
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class ResponseChoice(msgspec.Struct):
    index: int
    message: ResponseMessage
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class ChatCompletion(msgspec.Struct):
    """As the upstream answered; after calls of the service's own tools with summed usage."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ResponseChoice]
    usage: Usage | None = None


class Model(msgspec.Struct):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = ""


class ModelList(msgspec.Struct):
    data: list[Model]
    object: Literal["list"] = "list"


class PersonalityView(msgspec.Struct):
    """``allowed_tools``: null is every tool, an empty list is none."""

    id: str
    name: str
    description: str
    allowed_tools: list[str] | None
    object: Literal["personality"] = "personality"


class PersonalityList(msgspec.Struct):
    data: list[PersonalityView]
    object: Literal["list"] = "list"


class MemoryView(msgspec.Struct):
    """``created_at`` is Unix time in seconds; ``engine`` says which engine remembers it."""

    id: str
    role: Literal["user", "assistant"] | None
    text: str
    created_at: int
    engine: str
    object: Literal["memory"] = "memory"


class EngineMemory(msgspec.Struct):
    """``count`` is of the engine's newest, ``limit`` at most; null with the ``error`` why it could
    not be asked."""

    count: int | None
    error: str | None = None


class MemoryList(msgspec.Struct):
    """Newest first. ``complete`` is false where an engine's memory could not be read."""

    data: list[MemoryView]
    engines: dict[str, EngineMemory]
    complete: bool
    object: Literal["list"] = "list"


class MemoryErased(msgspec.Struct):
    """``engines`` says how many memories of each were erased."""

    deleted: bool
    deleted_count: int
    engines: dict[str, int]
    object: Literal["memory.deleted"] = "memory.deleted"


Revision = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Reason = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=LONGEST_REASON,
        description="Why, for those who read the history: one line.",
    ),
]


class SwitchRequest(msgspec.Struct, forbid_unknown_fields=True):
    """``force`` switches to an engine that is not well. With ``if_revision``, nothing happens if
    somebody else has changed the selection since."""

    engine: Identifier
    reason: Reason
    force: bool = False
    if_revision: Revision | None = None


class SplitRequest(msgspec.Struct, forbid_unknown_fields=True):
    """``weights`` are whole numbers that need not sum to 100; engines not named get none."""

    weights: Annotated[dict[Identifier, Weight], msgspec.Meta(min_length=1, max_length=16)]
    reason: Reason
    force: bool = False
    if_revision: Revision | None = None


class EngineView(msgspec.Struct):
    """``weight`` is the engine's share of new requests, in parts of all weights."""

    id: str
    description: str
    memory: str
    features: list[str]
    weight: int
    selected: bool
    object: Literal["engine"] = "engine"


class EngineList(msgspec.Struct):
    data: list[EngineView]
    object: Literal["list"] = "list"


class SelectionView(msgspec.Struct):
    """``engine`` is the one that answers everything, null where several share. ``at`` is Unix time
    in seconds. Who changed it and why is for admins; others get null."""

    engine: str | None
    weights: dict[str, int]
    revision: int
    changed_by: str | None
    reason: str | None
    at: float
    object: Literal["engine.selection"] = "engine.selection"


class SelectionHistory(msgspec.Struct):
    """Newest first."""

    data: list[SelectionView]
    object: Literal["list"] = "list"


class EngineHealth(msgspec.Struct):
    """``dependencies`` maps each to ``ok`` or to what is wrong with it; ``checked_at`` is Unix
    time in seconds."""

    healthy: bool
    selected: bool
    dependencies: dict[str, str]
    checked_at: float


class EnginesHealth(msgspec.Struct):
    engines: dict[str, EngineHealth]
    object: Literal["engine.health"] = "engine.health"


class ToolList(msgspec.Struct):
    """OpenAI tool definitions, as they go upstream."""

    data: list[dict[str, Any]]
    object: Literal["list"] = "list"


class EmbeddingList(msgspec.Struct):
    data: list[dict[str, Any]]
    object: Literal["list"]
    model: str


class HealthView(msgspec.Struct):
    """``dependencies`` maps each to ``ok`` or to what is wrong with it."""

    status: Literal["ok", "degraded", "starting", "draining"]
    version: str
    dependencies: dict[str, str] = {}
