"""What chroma's files hold beside its data: memory of the process as it happened to be.

An index's files have room for more elements than there are, and chroma writes that room without
having set it. Anybody's words may stand there, also of one who never used mem0.
"""

import struct
from pathlib import Path

from ..errors import StoreError

HEADER = struct.Struct("<iQQQQ")  # version, where they begin, room, elements, bytes of an element
VERSION = 1
LENGTH = 4  # bytes of an element in length.bin
CHUNK = 1 << 20

Stamp = tuple[tuple[int, int], ...]


class Room:
    """The unused room in the indexes of one chroma *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blanked: dict[Path, Stamp] = {}

    def written(self) -> list[Path]:
        """The indexes that were written since they were blanked here."""
        indexes = [header.parent for header in self._folder.glob("*/header.bin")]
        return [index for index in indexes if self._blanked.get(index) != _stamp(index)]

    def blank(self) -> None:
        """Let chroma write nothing meanwhile. Raises ``StoreError`` and ``OSError``."""
        for index in self.written():
            version, _, _, elements, size = HEADER.unpack_from((index / "header.bin").read_bytes())
            if version != VERSION:
                raise StoreError("chroma's files are in a format that is not known here")
            _blank(index / "length.bin", elements * LENGTH)
            _blank(index / "data_level0.bin", elements * size)
            self._blanked[index] = _stamp(index)


def _blank(path: Path, start: int) -> None:
    with path.open("r+b") as file:
        while True:
            file.seek(start)
            chunk = file.read(CHUNK)
            if not chunk:
                return
            if chunk.strip(b"\0"):
                file.seek(start)
                file.write(bytes(len(chunk)))
            start += len(chunk)


def _stamp(index: Path) -> Stamp:
    stats = [(index / name).stat() for name in ("header.bin", "length.bin", "data_level0.bin")]
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)
