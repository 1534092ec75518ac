"""What a request has cost in tokens: as its upstream counted, or else about that."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from ..chat import Answer, ChatRequest, Chunk, Usage
from ..engines.tokens import estimate
from ..errors import YYChatError


class Meter:
    """Listens to one request. ``tokens`` is what is known at the time, also of an answer that
    broke off: then it is the question, and a token for every piece that came."""

    def __init__(self) -> None:
        self._counted = 0
        self._asked: ChatRequest | None = None
        self._said = 0
        self._text = ""

    @property
    def tokens(self) -> int:
        return self._counted or self._estimated()

    def count(self, tokens: int) -> None:
        """*tokens* were used, and that is all."""
        self._counted = tokens

    async def over(
        self, chunks: AsyncGenerator[Chunk, None], asked: ChatRequest
    ) -> AsyncGenerator[Chunk, None]:
        """*chunks*, listened to. An answer that fails before its first one costs nothing."""
        self._asked = asked
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    self._hear(chunk)
                    yield chunk
        except YYChatError:
            if not self._said:
                self._asked = None
            raise

    def _hear(self, chunk: Chunk) -> None:
        # A key that no text can contain unescaped; there is one in every event of a choice.
        self._said += max(1, chunk.data.count(b'"delta":'))
        if chunk.answer is not None:
            self._look_back(chunk.answer)

    def _look_back(self, answer: Answer) -> None:
        self._counted = total(answer.usage)
        self._text = answer.text

    def _estimated(self) -> int:
        if self._asked is None:
            return 0
        asked = sum(estimate(message.text) for message in self._asked.view)
        return asked + max(self._said, estimate(self._text))


class _Counted(msgspec.Struct):
    usage: Usage | None = None


_counted = msgspec.json.Decoder(_Counted)


def total(usage: Usage | None) -> int:
    """All tokens of *usage*, 0 where it says nothing; some upstreams leave the sum out."""
    if usage is None:
        return 0
    return max(0, usage.total_tokens or usage.prompt_tokens + usage.completion_tokens)


def tokens_of_embeddings(body: bytes, asked: str | list[str | int | list[int]]) -> int:
    """What *body* says that embedding *asked* has cost, or about that."""
    try:
        counted = total(_counted.decode(body).usage)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        counted = 0
    if counted:
        return counted
    pieces = [asked] if isinstance(asked, str) else asked
    return sum(_piece(piece) for piece in pieces)


def _piece(piece: str | int | list[int]) -> int:
    """Texts are estimated; what comes as token numbers is as many tokens."""
    if isinstance(piece, str):
        return estimate(piece)
    return 1 if isinstance(piece, int) else len(piece)
