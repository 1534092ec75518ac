"""The simulated provider: its models, whom it answers, how a request becomes a reply."""

import asyncio
from collections.abc import Callable
from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from . import wire
from .asked import ChatAsked, read_chat, read_embeddings
from .brain import answer, prompt_tokens
from .delivery import Reply, attended, deliver, json_response
from .faults import FaultPlan, Faults, Service, spoiled_body, spoiled_events
from .ledger import Ledger
from .refusals import Refused, unknown_model

MakesReply = Callable[[bytes, Faults], Reply]


class Provider:
    """The simulated model and its embedder, with the faults in force."""

    def __init__(self, plan: FaultPlan, ledger: Ledger) -> None:
        self.plan = plan
        self.ledger = ledger

    @property
    def model_names(self) -> tuple[str, ...]:
        return (wire.MODEL, *self.plan.faults.models)

    def chat(self, body: bytes, faults: Faults) -> Reply:
        asked = read_chat(body)
        if asked.model not in self.model_names:
            raise unknown_model(asked.model)
        prompt = prompt_tokens(asked)
        self._check_context(prompt)
        return _chat_reply(asked, prompt, faults)

    def embeddings(self, body: bytes, faults: Faults) -> Reply:
        asked = read_embeddings(body)
        if asked.model not in (wire.EMBEDDING_MODEL, *self.model_names):
            raise unknown_model(asked.model)
        encoded = wire.embedding_list(asked, faults)
        return _whole(encoded, faults)

    async def models(self, request: Request) -> Response:
        self.check_key(request.headers)
        self.ledger.count("models")
        return json_response({"object": "list", "data": list(map(wire.model, self.model_names))})

    async def model(self, request: Request) -> Response:
        self.check_key(request.headers)
        self.ledger.count("models")
        name = request.path_params["name"]
        if name not in self.model_names:
            raise unknown_model(name)
        return json_response(wire.model(name))

    def check_key(self, headers: Headers) -> None:
        required = self.plan.faults.require_key
        given = headers.get("authorization", "")
        if required is not None and not compare_digest(
            f"Bearer {required}".encode(), given.encode()
        ):
            raise Refused(401, "Incorrect API key provided.")

    def _check_context(self, prompt: int) -> None:
        most = self.plan.faults.context_tokens
        if most is not None and prompt > most:
            raise Refused(
                400,
                f"This model's maximum context length is {most} tokens;"
                f" your messages have {prompt}.",
                param="messages",
                code="context_length_exceeded",
            )


class Answering:
    """The endpoint of a service, as plain ASGI: it follows the client's presence itself."""

    def __init__(self, provider: Provider, service: Service, reply: MakesReply) -> None:
        self._provider = provider
        self._service: Service = service
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        ledger = self._provider.ledger
        try:
            body = await request.body()
        except ClientDisconnect:
            ledger.disconnected()
            return
        with ledger.answering(self._service, request.headers, body):
            if not await attended(self._answer(request.headers, body, send), receive):
                ledger.disconnected()

    async def _answer(self, headers: Headers, body: bytes, send: Send) -> None:
        plan = self._provider.plan
        self._provider.check_key(headers)
        faults = plan.take(self._service)
        reply = self._reply(body, faults)
        if faults.hang_before_first_byte:
            await asyncio.Event().wait()
        error = plan.error(faults)
        if error is not None:
            await asyncio.sleep(faults.latency_ms / 1000)
            raise Refused(error, "The simulator was told to fail.", retry_after=faults.retry_after)
        await asyncio.sleep(reply.delay)
        await deliver(reply, send)


def _chat_reply(asked: ChatAsked, prompt: int, faults: Faults) -> Reply:
    answers = [answer(asked)] * (asked.n or 1)
    if not asked.stream:
        encoded = wire.completion(asked, answers, prompt, faults)
        return _whole(encoded, faults, tokens=answers[0].cost)
    events = wire.completion_events(asked, answers, prompt, faults)
    return Reply(
        pieces=spoiled_events(events, faults),
        delay=faults.latency_ms / 1000,
        gap=faults.token_ms / 1000,
    )


def _whole(encoded: bytes, faults: Faults, tokens: int = 0) -> Reply:
    return Reply(
        pieces=spoiled_body(encoded, faults),
        length=len(encoded),
        delay=(faults.latency_ms + tokens * faults.token_ms) / 1000,
    )
