"""Where mem0 finds its models: at our own upstreams, by their names there."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ..errors import StoreError

MODEL = "MEM0_MODEL or OPENAI_MODEL"
EMBEDDER = "MEM0_EMBEDDING_MODEL or YYCHAT_EMBEDDING_MODEL"


class Provider(Protocol):
    """An upstream as it is configured."""

    @property
    def base_url(self) -> str: ...

    def key(self) -> str | None: ...

    def model_map(self) -> dict[str, str] | None: ...


class Model(msgspec.Struct, frozen=True):
    name: str
    base_url: str
    api_key: str

    def __repr__(self) -> str:
        """Without the key: this may come into a log."""
        return f"<Model {self.name}>"


class Aim(msgspec.Struct, frozen=True):
    """The model that extracts, and the one that embeds."""

    model: Model
    embedder: Model


class Aims:
    """Tells mem0 its models. The upstreams come after the start, and may come again: a simulator
    that is started anew has another port."""

    def __init__(self, model: str | None, embedder: str | None) -> None:
        self._model, self._embedder = model, embedder
        self._providers: Sequence[Provider] = ()

    def use(self, providers: Sequence[Provider]) -> None:
        """From now on these, in order of preference."""
        self._providers = providers

    def missing(self) -> str | None:
        """The settings without which mem0 never has its models; what upstreams have is not asked
        for."""
        for name, settings in ((self._model, MODEL), (self._embedder, EMBEDDER)):
            if name is None:
                return f"mem0 needs {settings}"
        return None

    def __call__(self) -> Aim:
        """Raises ``StoreError`` that names what is missing."""
        return Aim(
            self._found(self._model, MODEL),
            self._found(self._embedder, EMBEDDER),
        )

    def _found(self, asked: str | None, settings: str) -> Model:
        if asked is None:
            raise StoreError(f"mem0 needs {settings}")
        if not self._providers:
            raise StoreError("mem0 needs an upstream, and none is connected yet")
        for provider in self._providers:
            known = provider.model_map()
            name = asked if known is None else known.get(asked)
            if name is not None:
                # Local servers need no key, the SDK insists on one.
                return Model(name, provider.base_url, provider.key() or "none")
        raise StoreError(f"no upstream has the model that {settings} names")
