"""What every inbox of alerts promises: a mix-in that runs over any of them."""

from dataclasses import dataclass

from yychat.alerting.inbox import KEPT, Entry, Inbox, Rollback


@dataclass
class Received:
    """Makes entries, each received a second after the one before."""

    at: float = 1_700_000_000.125

    def __call__(
        self, name: str = "YYChatAbsent", *, id: str = "", rollback: Rollback | None = None
    ) -> Entry:
        self.at += 1
        return Entry(
            id=id or f"{name}:{self.at}",
            name=name,
            status="firing",
            labels={"alertname": name, "note": "Probe für 10 % 测试"},
            summary="s",
            began=self.at - 60.5,
            ended=None,
            received=self.at,
            rollback=rollback,
        )


class InboxPromises:
    """Fixtures: ``inbox``, and ``other``, the same one as another process sees it."""

    async def test_at_first_it_is_empty(self, inbox: Inbox) -> None:
        assert await inbox.newest(10) == []
        await inbox.put([])
        assert await inbox.newest(10) == []

    async def test_what_is_put_is_read_by_everybody_as_it_was(
        self, inbox: Inbox, other: Inbox
    ) -> None:
        entry = Received()(rollback=Rollback("done", "chat_engine", "why", 3, {"a": 1, "b": 0}))
        await inbox.put([entry])
        assert await inbox.newest(10) == [entry] == await other.newest(10)

    async def test_the_newest_come_first_and_as_many_as_asked(
        self, inbox: Inbox, other: Inbox
    ) -> None:
        received = Received()
        entries = [received() for _ in range(5)]
        await inbox.put(entries[:2])
        await other.put(entries[2:])
        assert await inbox.newest(3) == entries[:1:-1]

    async def test_the_same_alert_takes_its_own_place(self, inbox: Inbox) -> None:
        received = Received()
        first, second = received(id="one"), received(id="two")
        again = received(id="one")
        await inbox.put([first, second])
        await inbox.put([again])
        assert await inbox.newest(10) == [again, second]

    async def test_it_does_not_grow_without_bound(self, inbox: Inbox) -> None:
        received = Received()
        entries = [received() for _ in range(KEPT + 20)]
        await inbox.put(entries)
        found = await inbox.newest(KEPT * 2)
        assert found == entries[:19:-1]
