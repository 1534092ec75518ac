"""A collector of traces on loopback that takes everything, in the measuring process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SAMPLED = "0.1"
SOON = "200"  # milliseconds: what a request costs to export is spent while that is measured


@asynccontextmanager
async def collecting() -> AsyncIterator[dict[str, str]]:
    """The settings of a service that sends a tenth of its traces there."""
    collector = await asyncio.start_server(_swallow, "127.0.0.1", 0)
    port = collector.sockets[0].getsockname()[1]
    try:
        yield {
            "YYCHAT_TRACE_SAMPLE_RATIO": SAMPLED,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": SOON,
        }
    finally:
        collector.close()


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.lower().split(b"\r\n")
            length = next((int(x[15:]) for x in lines if x.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
