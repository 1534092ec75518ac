"""What every registry of processes promises: a mix-in that runs over any of them."""

import asyncio

from yychat.instances.registry import Instance, InstanceRegistry, Registration


def process(
    name: str = "host:0", *, port: int = 9464, pid: int = 7, **other: object
) -> Registration:
    fields = {"slot": 0, "version": "1.2.3", "started": 1_700_000_000.125, "kind": "serve", **other}
    return Registration(instance=name, address=f"127.0.0.1:{port}", pid=pid, **fields)  # type: ignore[arg-type]


def registered(found: list[Instance]) -> list[Registration]:
    return [each.registration for each in found]


class InstancePromises:
    """Fixtures: ``registry``, ``other``, the same one as another process sees it, and ``hasty``,
    the same one again, to which everybody else is dead at once."""

    async def test_at_first_nobody_is_there(self, registry: InstanceRegistry) -> None:
        assert await registry.everybody() == []

    async def test_whoever_says_so_is_there_for_everybody(
        self, registry: InstanceRegistry, other: InstanceRegistry
    ) -> None:
        me = process("höst:0", kind="work", slot=3)
        assert await registry.beat(me)
        (found,) = await other.everybody()
        assert found.registration == me
        assert 0 <= found.silent < 10
        assert not found.dead

    async def test_a_heartbeat_changes_nothing_but_its_time(
        self, registry: InstanceRegistry, other: InstanceRegistry
    ) -> None:
        for _ in range(3):
            assert await registry.beat(process())
        assert registered(await other.everybody()) == [process()]

    async def test_they_are_listed_by_name(
        self, registry: InstanceRegistry, other: InstanceRegistry
    ) -> None:
        for name, each in (("b:1", registry), ("a:0", other), ("b:0", registry)):
            assert await each.beat(process(name))
        names = [each.instance for each in registered(await registry.everybody())]
        assert names == ["a:0", "b:0", "b:1"]

    async def test_a_restart_takes_the_place_of_the_process_before_it(
        self, registry: InstanceRegistry, other: InstanceRegistry
    ) -> None:
        assert await registry.beat(process(pid=7))
        assert await other.beat(process(pid=8))
        assert registered(await registry.everybody()) == [process(pid=8)]

    async def test_the_name_of_a_living_process_elsewhere_is_not_taken(
        self, registry: InstanceRegistry, other: InstanceRegistry
    ) -> None:
        assert await registry.beat(process(port=9464))
        assert not await other.beat(process(port=9564))
        assert registered(await registry.everybody()) == [process(port=9464)]

    async def test_the_name_of_a_dead_one_is(
        self, registry: InstanceRegistry, hasty: InstanceRegistry
    ) -> None:
        assert await registry.beat(process(port=9464))
        assert await hasty.beat(process(port=9564))
        assert registered(await registry.everybody()) == [process(port=9564)]

    async def test_of_several_with_one_name_one_gets_it(
        self, registry: InstanceRegistry, other: InstanceRegistry
    ) -> None:
        rivals = [process(port=9000 + number) for number in range(8)]
        beats = ((registry, other)[n % 2].beat(rival) for n, rival in enumerate(rivals))
        won = await asyncio.gather(*beats)
        assert won.count(True) == 1
        assert registered(await registry.everybody()) == [rivals[won.index(True)]]

    async def test_whoever_leaves_is_gone_at_once(
        self, registry: InstanceRegistry, other: InstanceRegistry
    ) -> None:
        await registry.beat(process("a:0"))
        await registry.beat(process("b:0"))
        await registry.leave(process("a:0"))
        assert registered(await other.everybody()) == [process("b:0")]

    async def test_who_was_replaced_does_not_take_the_other_along(
        self, registry: InstanceRegistry, other: InstanceRegistry
    ) -> None:
        await registry.beat(process(pid=7))
        await other.beat(process(pid=8))
        await registry.leave(process(pid=7))
        assert registered(await registry.everybody()) == [process(pid=8)]

    async def test_whoever_is_forgotten_is_gone_until_the_next_heartbeat(
        self, registry: InstanceRegistry, other: InstanceRegistry
    ) -> None:
        await registry.beat(process())
        assert await other.forget("host:0")
        assert not await other.forget("host:0")
        assert await registry.everybody() == []
        assert await registry.beat(process())
        assert registered(await other.everybody()) == [process()]
