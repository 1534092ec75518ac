"""The personalities in force: read from folders, read again when a file changes, never written."""

import asyncio
import errno
import logging
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ..errors import ConfigurationError, NotFound
from .personality import Personality, parsed

log = logging.getLogger(__name__)

OWN_FOLDER = Path(__file__).parent
SIZE_LIMIT = 262_144  # bytes of one file

Signature = tuple[int, ...]


@dataclass(slots=True)
class _File:
    """What is known of one file: its looks when it was read, its last good content, its fault."""

    signature: Signature | None = None
    good: Personality | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _State:
    serving: Mapping[str, Personality] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


class Personalities:
    """The package's own personalities and those of *folders*; a later folder overrides an earlier.

    A file that became bad is a problem, and its last good version stays in
    force until it is mended or deleted. Within one folder the first file (by
    name) that claims an id keeps it. A folder that cannot be read is a problem,
    and what it held stays.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders: dict[Path, dict[Path, _File]] = {}
        for folder in (OWN_FOLDER, *folders):
            self._folders[folder] = {}
        self._reading = threading.Lock()
        self._state = _State()
        self.refresh()

    def get(self, personality_id: str) -> Personality:
        """The personality with that id. Raises ``NotFound``."""
        try:
            return self._state.serving[personality_id]
        except KeyError:
            raise NotFound(
                "there is no such personality; GET /v1/personalities lists them",
                param="personality_id",
                code="personality_not_found",
            ) from None

    def all(self) -> list[Personality]:
        """Every personality, by id."""
        return [self._state.serving[each] for each in sorted(self._state.serving)]

    def problems(self) -> Mapping[str, str]:
        """What is wrong with which file or folder."""
        return MappingProxyType(dict(self._state.problems))

    def refresh(self) -> None:
        """Look at every file and read those that changed. Blocks on the disk; raises nothing."""
        with self._reading:
            faults: dict[str, str] = {}
            for folder, files in self._folders.items():
                try:
                    _reread(folder, files)
                except OSError as error:
                    faults[str(folder)] = f"the folder cannot be read: {_reason(error)}"
            before, self._state = self._state, _merged(self._folders.values(), faults)
        _report(before, self._state)

    async def watch(self, every: float = 2.0) -> None:
        """Refresh every so many seconds, in a thread, until cancelled."""
        while True:
            await asyncio.sleep(every)
            await asyncio.to_thread(self.refresh)


def _reread(folder: Path, files: dict[Path, _File]) -> None:
    found = sorted(_candidates(folder))
    for path in files.keys() - set(found):
        del files[path]
    for path in found:
        _update(path, files.setdefault(path, _File()))


def _candidates(folder: Path) -> Iterator[Path]:
    """The ``*.json`` of *folder*, links included; hidden names are editors' and Kubernetes' own."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".json") and not entry.name.startswith("."):
                yield folder / entry.name


def _update(path: Path, file: _File) -> None:
    try:
        signature = _signature(path)
        if signature == file.signature:
            return
        # Taken before reading: a change while we read shows as another one next time.
        file.signature = signature
        file.good, file.problem = parsed(_content(path)), None
    except ConfigurationError as error:
        file.problem = error.message
    except OSError as error:
        file.signature, file.problem = None, f"it cannot be read: {_reason(error)}"


def _signature(path: Path) -> Signature:
    """What changes when the file, or the one it links to, is written or put in another's place."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")  # opening a pipe would wait for ever
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise ConfigurationError(f"it is larger than {SIZE_LIMIT} bytes")
    return content


def _merged(folders: Iterable[dict[Path, _File]], faults: dict[str, str]) -> _State:
    serving: dict[str, Personality] = {}
    for files in folders:
        owners: dict[str, Path] = {}
        for path, file in sorted(files.items()):
            if file.problem is not None:
                faults[str(path)] = file.problem
            if file.good is None:
                continue
            owner = owners.setdefault(file.good.id, path)
            if owner is path:
                serving[file.good.id] = file.good
            else:
                faults[str(path)] = f"$.id: {file.good.id} is taken by {owner.name}"
    return _State(serving, faults)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _report(before: _State, now: _State) -> None:
    for place, problem in now.problems.items() - before.problems.items():
        log.warning("personality file %s: %s", place, problem)
    if before.serving and before.serving != now.serving:
        log.info("personalities changed; there are %d", len(now.serving))
