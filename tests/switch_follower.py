"""A process that follows the selection in Redis as a service does, and says what it sees.

Each line is a revision and the machine's monotonic clock in seconds. With ``--deaf`` it hears no
announcement; with ``--first NAME`` it begins with that engine where nobody knows any.
"""

import argparse
import asyncio
import sys
import time

from yychat.engines.selected import Selected
from yychat.engines.selection import Selection
from yychat.engines.selection_redis import RedisAnnouncements, RedisSelections
from yychat.redis_link import RedisLink


class Seen(Selected):
    """Watched from within: nobody has to ask for what is in force."""

    _current: Selection

    @property
    def current(self) -> Selection:
        return self._current

    @current.setter
    def current(self, selection: Selection) -> None:
        self._current = selection
        sys.stdout.write(f"{selection.revision} {time.monotonic():.6f}\n")
        sys.stdout.flush()


async def follow(url: str, first: str, *, deaf: bool) -> None:
    link = RedisLink(url)
    selected = Seen(RedisSelections(link), first)
    await selected.begin()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.probe())
        tasks.create_task(selected.follow())
        if not deaf:
            announcements = RedisAnnouncements(url)
            tasks.create_task(announcements.listen(selected.heard, selected.wake))


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("url")
    given.add_argument("--first", default="chat_engine")
    given.add_argument("--deaf", action="store_true")
    options = given.parse_args()
    asyncio.run(follow(options.url, options.first, deaf=options.deaf))
