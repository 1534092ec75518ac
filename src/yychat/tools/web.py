"""The way out to the web for tools: JSON posted over HTTP, bounded in time and size."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from ..errors import ToolError

SIZE_LIMIT = 1_048_576  # bytes of an answer, unpacked
CHUNK = 65_536


class WebPoster:
    """Posts JSON; one pool of connections, opened with the first post.

    Redirects are not followed: they would carry the key to another host.
    """

    def __init__(self, *, size_limit: int = SIZE_LIMIT) -> None:
        self._size_limit = size_limit
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, url: str, json: Mapping[str, Any], headers: Mapping[str, str], seconds: float
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object; the body of anything but a 200 is left unread.

        *seconds* is the time for everything together. Raises ``ToolError``.
        """
        body = msgspec.json.encode(json)
        sent = {**headers, "Content-Type": "application/json", "Accept": "application/json"}
        deadline = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._opened().post(
                url, data=body, headers=sent, timeout=deadline, allow_redirects=False
            ) as response:
                if response.status != 200:
                    return response.status, {}
                return 200, _object(await self._read(response))
        except TimeoutError:
            raise ToolError("the web service did not answer in time") from None
        except (aiohttp.ClientError, OSError):
            raise ToolError("the web service could not be reached") from None

    async def close(self) -> None:
        """Close the connections; a later post opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK):
            body += chunk
            if len(body) > self._size_limit:
                raise ToolError("the web service answered more than could be read")
        return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ToolError("the web service answered something unreadable") from None
