"""An embedder that knows the last questions' vectors."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from redis_server import RedisServer
from yychat.cache.redis import RedisCache
from yychat.errors import UpstreamTimeout
from yychat.memory.embedder import Vector
from yychat.memory.embedder_cached import CachedEmbedder, vectors
from yychat.redis_link import RedisLink


class Embedder:
    """Embeds a text as its length; fails while it has an error."""

    def __init__(self, model: str = "small") -> None:
        self.model = model
        self.asked: list[list[str]] = []
        self.began = asyncio.Event()
        self.error: UpstreamTimeout | None = None

    async def embed(self, questions: Sequence[str], answers: Sequence[str] = ()) -> list[Vector]:
        texts = [*questions, *answers]
        self.asked.append(texts)
        self.began.set()
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return [np.array([len(text), 1 / 3, -0.0], np.float32) for text in texts]


@pytest.fixture
async def link(server: RedisServer) -> AsyncIterator[RedisLink]:
    server.cli("FLUSHALL")
    link = RedisLink(server.url, within=0.5)
    yield link
    await link.close()


async def test_a_question_is_embedded_once_and_bit_for_bit_the_same() -> None:
    embedder = Embedder()
    cached = CachedEmbedder(embedder, vectors(ttl=60))
    first, again = [(await cached.embed(["where is it?"]))[0] for _ in range(2)]
    assert embedder.asked == [["where is it?"]]
    assert first.dtype == again.dtype == np.float32
    (plain,) = await Embedder().embed(["where is it?"])
    assert first.tobytes() == again.tobytes() == plain.tobytes()


async def test_what_one_instance_embedded_another_finds(link: RedisLink) -> None:
    one, other = Embedder(), Embedder()
    (first,) = await CachedEmbedder(one, vectors(l2=RedisCache(link), ttl=60)).embed(["q"])
    (found,) = await CachedEmbedder(other, vectors(l2=RedisCache(link), ttl=60)).embed(["q"])
    assert other.asked == []
    assert found.tolist() == first.tolist()


async def test_a_vector_takes_four_bytes_a_number_in_redis(
    link: RedisLink, server: RedisServer
) -> None:
    await CachedEmbedder(Embedder(), vectors(l2=RedisCache(link), ttl=60)).embed(["q"])
    (key,) = server.keys("yychat:v1:cache:embeddings:*")
    assert int(server.cli("STRLEN", key)) < 3 * 4 + 16


async def test_the_way_a_question_is_typed_makes_no_difference() -> None:
    embedder = Embedder()
    cached = CachedEmbedder(embedder, vectors(ttl=60))
    for text in ("un café", "  un\n café ", "un cafe\u0301"):
        await cached.embed([text])
    assert embedder.asked == [["un café"]]


async def test_vectors_of_different_models_never_meet() -> None:
    cache, small, large = vectors(ttl=60), Embedder("small"), Embedder("large")
    for embedder in (small, large):
        cached = CachedEmbedder(embedder, cache)
        assert cached.model == embedder.model
        await cached.embed(["q"])
    assert small.asked == large.asked == [["q"]]


def lengths(found: Sequence[Vector]) -> list[float]:
    return [vector[0] for vector in found]


async def test_turns_on_their_way_to_the_store_are_not_kept() -> None:
    embedder = Embedder()
    cached = CachedEmbedder(embedder, vectors(ttl=60))
    for _ in range(2):
        assert lengths(await cached.embed(["a", "bb"], ["ccc"])) == [1, 2, 3]
    assert await cached.embed([]) == []
    assert embedder.asked == [["a", "bb", "ccc"], ["a", "bb", "ccc"]]


async def test_a_question_that_was_asked_is_not_embedded_again_with_its_answer() -> None:
    embedder = Embedder()
    cached = CachedEmbedder(embedder, vectors(ttl=60))
    await cached.embed([" bb "])
    assert lengths(await cached.embed(["a", "bb"], ["ccc", "bb"])) == [1, 2, 3, 2]
    assert lengths(await cached.embed(["bb"], ["ccc"])) == [2, 3]
    assert lengths(await cached.embed(["bb", "bb"])) == [2, 2]
    assert embedder.asked == [["bb"], ["a", "ccc", "bb"], ["ccc"]]


async def test_a_question_that_was_asked_elsewhere_is_known_here(link: RedisLink) -> None:
    one, other = Embedder(), Embedder()
    await CachedEmbedder(one, vectors(l2=RedisCache(link), ttl=60)).embed(["bb"])
    cached = CachedEmbedder(other, vectors(l2=RedisCache(link), ttl=60))
    assert lengths(await cached.embed(["bb"], ["ccc"])) == [2, 3]
    assert other.asked == [["ccc"]]


async def test_without_redis_turns_are_embedded_whole() -> None:
    link, embedder = RedisLink("redis://127.0.0.1:1", within=0.5), Embedder()
    cached = CachedEmbedder(embedder, vectors(l2=RedisCache(link), ttl=60))
    assert lengths(await cached.embed(["bb"], ["ccc"])) == [2, 3]
    assert cached.cache.stats["l2", "error"] == 1
    await link.close()


async def test_a_hundred_equal_questions_are_one_call() -> None:
    embedder = Embedder()
    cached = CachedEmbedder(embedder, vectors(ttl=60))
    await asyncio.gather(*(cached.embed(["q"]) for _ in range(100)))
    assert embedder.asked == [["q"]]


async def test_a_failure_is_the_embedders_own_and_is_not_kept() -> None:
    embedder = Embedder()
    embedder.error = UpstreamTimeout("too late")
    cached = CachedEmbedder(embedder, vectors(ttl=60))
    with pytest.raises(UpstreamTimeout):
        await cached.embed(["q"])
    embedder.error = None
    assert len(await cached.embed(["q"])) == 1


async def test_who_gave_up_waiting_finds_the_vector_the_next_time() -> None:
    embedder = Embedder()
    cached = CachedEmbedder(embedder, vectors(ttl=60))
    impatient = asyncio.create_task(cached.embed(["q"]))
    await embedder.began.wait()
    impatient.cancel()
    await asyncio.wait([impatient])
    await cached.embed(["q"])
    assert len(embedder.asked) == 1


async def test_bytes_that_are_no_vector_are_embedded_again(
    link: RedisLink, server: RedisServer
) -> None:
    l2 = RedisCache(link)
    await CachedEmbedder(Embedder(), vectors(l2=l2, ttl=60)).embed(["q"])
    (key,) = server.keys("yychat:v1:cache:embeddings:*")
    await l2.set(key.removeprefix("yychat:v1:cache:"), b"12345", 60)
    embedder, cache = Embedder(), vectors(l2=l2, ttl=60)
    await CachedEmbedder(embedder, cache).embed(["q"])
    assert embedder.asked == [["q"]]
    assert cache.stats["l2", "poison"] == 1
