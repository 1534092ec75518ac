"""A listening socket that several processes accept from, each its share."""

import asyncio
import logging
import socket
from collections.abc import Callable

log = logging.getLogger(__name__)

STEP_ASIDE = 0.001  # seconds after a connection in which the others may take the next
NO_ROOM = 1.0  # seconds until it is tried again when the machine has no room for a connection


class Shared:
    """Accepts from *listener* one connection at a time, and then lets the others be first.

    An event loop's own server accepts all that wait. Clients open their connections together and
    keep them, so one process of several had them all (16 of 16 in every other trial), and the
    others stood idle for as long as those lived.
    """

    def __init__(
        self, listener: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        listener.setblocking(False)
        self._listener, self._protocol = listener, protocol
        self._taking: asyncio.Task[object] | None = None
        self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """Accept no more. What has been accepted is made a connection first: one that is
        interrupted in that would never be told that it is lost. The socket stays open."""
        self._accepting.cancel()
        await asyncio.wait([self._accepting, *([self._taking] if self._taking else ())])

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
                taking = loop.connect_accepted_socket(self._protocol, connection)
                self._taking = asyncio.create_task(taking)
                await asyncio.shield(self._taking)
            except ConnectionError:  # its client has gone again
                continue
            except OSError as error:
                log.error("no connection can be accepted: %s", error.strerror)  # noqa: TRY400 - once a second
                await asyncio.sleep(NO_ROOM)
            else:
                await asyncio.sleep(STEP_ASIDE)
