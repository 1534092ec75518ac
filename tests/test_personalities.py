"""What the personalities promise: files in folders, read again when they change, never written."""

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from yychat.errors import NotFound
from yychat.personalities.loader import SIZE_LIMIT, Personalities
from yychat.personalities.personality import Personality

OWN = ["friendly", "professional", "tutor", "zh_friendly"]


def written(folder: Path, file_name: str, content: Any = None, /, **fields: Any) -> Path:
    """A file in *folder*: *content* as it is, or a good personality with *fields* changed."""
    path = folder / file_name
    if content is None:
        good = {"id": "poet", "name": "Poet", "system_prompt": "Write in verse."}
        content = json.dumps({**good, **fields}, ensure_ascii=False).encode()
    path.write_bytes(content)
    return path


def ids(personalities: Personalities) -> list[str]:
    return [personality.id for personality in personalities.all()]


def test_the_package_brings_its_own() -> None:
    personalities = Personalities()
    assert ids(personalities) == OWN
    assert personalities.problems() == {}
    for personality in personalities.all():
        assert len(personality.system_prompt) > 200
        assert personality.description
        assert personality.language


def test_one_of_them_speaks_chinese() -> None:
    chinese = Personalities().get("zh_friendly")
    assert chinese.language == "zh-CN"
    assert "中文" in chinese.system_prompt


def test_no_tools_and_all_tools_are_two_different_things(tmp_path: Path) -> None:
    written(tmp_path, "a.json", id="all")
    written(tmp_path, "b.json", id="none", allowed_tools=[])
    written(tmp_path, "c.json", id="null", allowed_tools=None)
    written(tmp_path, "d.json", id="some", allowed_tools=["calculator", "maps__distance"])
    personalities = Personalities(tmp_path)
    assert personalities.get("all").allowed_tools is None
    assert personalities.get("null").allowed_tools is None
    assert personalities.get("none").allowed_tools == ()
    assert personalities.get("some").allowed_tools == ("calculator", "maps__distance")


@pytest.mark.parametrize("personality_id", ["unheard-of", "", "Poet", "poet\n", "../poet"])
def test_an_unknown_id_is_not_found_and_not_repeated(tmp_path: Path, personality_id: str) -> None:
    written(tmp_path, "poet.json")
    with pytest.raises(NotFound) as caught:
        Personalities(tmp_path).get(personality_id)
    assert caught.value.code == "personality_not_found"
    assert caught.value.param == "personality_id"
    assert "unheard-of" not in caught.value.message


def test_a_later_folder_overrides_an_earlier(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    written(first, "a.json", id="friendly", name="One")
    override = written(second, "b.json", id="friendly", name="Two")
    personalities = Personalities(first, second)
    assert personalities.get("friendly").name == "Two"
    assert ids(personalities) == OWN
    override.unlink()
    personalities.refresh()
    assert personalities.get("friendly").name == "One"


BAD: dict[str, tuple[Any, str]] = {
    "not JSON": (b'{"id": ', "not valid JSON"),
    "empty": (b"", "not valid JSON"),
    "a list": (b"[]", "Expected `object`"),
    "UTF-16": ('{"id": "x"}'.encode("utf-16"), "not valid JSON"),
    "Latin-1": (b'{"id": "x", "name": "caf\xe9", "system_prompt": "x"}', "not UTF-8"),
    "half a character": (b'{"id": "x", "name": "\\ud83d", "system_prompt": "x"}', "not valid JSON"),
    "nested without end": (b"[" * 100_000, ""),
    "too large": (b" " * (SIZE_LIMIT + 1), f"larger than {SIZE_LIMIT} bytes"),
    "no prompt": (b'{"id": "x", "name": "x"}', "missing required field `system_prompt`"),
    "unknown field": (
        b'{"id": "x", "name": "x", "system_prompt": "x", "traits": []}',
        "unknown field `traits`",
    ),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_a_problem_and_the_others_serve(
    tmp_path: Path, content: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = written(tmp_path, "bad.json", content)
    written(tmp_path, "good.json")
    with caplog.at_level(logging.WARNING):
        personalities = Personalities(tmp_path)
        personalities.refresh()
    assert ids(personalities) == sorted([*OWN, "poet"])
    assert list(personalities.problems()) == [str(bad)]
    assert said in personalities.problems()[str(bad)]
    assert len(caplog.records) == 1  # it is news only once


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Poet"),
        ("id", "-poet"),
        ("id", "poet\n"),
        ("id", "x" * 65),
        ("name", " "),
        ("name", 3),
        ("system_prompt", "\n "),
        ("system_prompt", "x" * 32_769),
        ("system_prompt", None),
        ("allowed_tools", "calculator"),
        ("allowed_tools", ["no such name"]),
        ("language", "Chinese (simplified)"),
    ],
)
def test_a_bad_field_is_named(tmp_path: Path, field: str, value: Any) -> None:
    bad = written(tmp_path, "poet.json", **{field: value})
    personalities = Personalities(tmp_path)
    assert ids(personalities) == OWN
    assert f"`$.{field}" in personalities.problems()[str(bad)]


def test_the_last_good_version_serves_until_the_file_is_mended_or_deleted(tmp_path: Path) -> None:
    path = written(tmp_path, "poet.json", name="Good")
    personalities = Personalities(tmp_path)
    path.write_bytes(b'{"id": "poet", ')
    personalities.refresh()
    assert personalities.get("poet").name == "Good"
    assert "not valid JSON" in personalities.problems()[str(path)]
    written(tmp_path, "poet.json", name="Better")
    personalities.refresh()
    assert personalities.get("poet").name == "Better"
    assert personalities.problems() == {}
    path.unlink()
    personalities.refresh()
    assert ids(personalities) == OWN
    assert personalities.problems() == {}


def test_an_override_that_never_was_good_leaves_the_original_in_force(tmp_path: Path) -> None:
    written(tmp_path, "tutor.json", b'{"id": "tutor"}')
    personalities = Personalities(tmp_path)
    assert personalities.get("tutor") == Personalities().get("tutor")


def test_of_two_files_with_one_id_the_first_by_name_serves(tmp_path: Path) -> None:
    second = written(tmp_path, "b.json", name="Second")
    first = written(tmp_path, "a.json", name="First")
    personalities = Personalities(tmp_path)
    assert personalities.get("poet").name == "First"
    assert personalities.problems() == {str(second): "$.id: poet is taken by a.json"}
    first.unlink()
    personalities.refresh()
    assert personalities.get("poet").name == "Second"
    assert personalities.problems() == {}


def test_a_byte_order_mark_and_chinese_are_read(tmp_path: Path) -> None:
    text = '{"id": "poet", "name": "诗人", "system_prompt": "用诗回答。"}'
    written(tmp_path, "诗人.json", b"\xef\xbb\xbf" + text.encode())
    assert Personalities(tmp_path).get("poet").name == "诗人"


def test_only_visible_json_files_are_read(tmp_path: Path) -> None:
    written(tmp_path, ".poet.json")
    written(tmp_path, "poet.json~")
    written(tmp_path, "poet.txt")
    assert ids(Personalities(tmp_path)) == OWN
    assert Personalities(tmp_path).problems() == {}


def test_links_are_followed_and_a_link_that_is_turned_is_noticed(tmp_path: Path) -> None:
    # As Kubernetes mounts a ConfigMap: file -> ..data/file, ..data -> a dated folder.
    for number in ("1", "2"):
        dated = tmp_path / f"..{number}"
        dated.mkdir()
        written(dated, "poet.json", name=f"Poet {number}")
    data = tmp_path / "..data"
    data.symlink_to("..1")
    (tmp_path / "poet.json").symlink_to("..data/poet.json")
    personalities = Personalities(tmp_path)
    assert personalities.get("poet").name == "Poet 1"
    turned = tmp_path / "..new"
    turned.symlink_to("..2")
    turned.replace(data)
    personalities.refresh()
    assert personalities.get("poet").name == "Poet 2"


def test_what_is_no_file_is_a_problem_and_nothing_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "dangling.json").symlink_to("gone")
    (tmp_path / "loop.json").symlink_to("loop.json")
    os.mkfifo(tmp_path / "pipe.json")
    personalities = Personalities(tmp_path)
    assert ids(personalities) == OWN
    problems = {Path(path).name: said for path, said in personalities.problems().items()}
    assert problems.keys() == {"folder.json", "dangling.json", "loop.json", "pipe.json"}
    assert problems["pipe.json"] == "it cannot be read: not a regular file"


def test_a_folder_that_is_gone_is_a_problem_and_what_it_held_stays(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    folder.mkdir()
    written(folder, "poet.json")
    personalities = Personalities(folder, tmp_path / "never")
    assert list(personalities.problems()) == [str(tmp_path / "never")]
    folder.rename(elsewhere)
    personalities.refresh()
    assert personalities.get("poet").name == "Poet"
    assert "cannot be read" in personalities.problems()[str(folder)]
    elsewhere.rename(folder)
    personalities.refresh()
    assert list(personalities.problems()) == [str(tmp_path / "never")]


def test_a_change_of_the_same_length_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, "poet.json", name="Poet")
    personalities = Personalities(tmp_path)
    replacement = written(tmp_path, "poet.new", name="Bard")
    os.utime(replacement, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    replacement.replace(path)
    personalities.refresh()
    assert personalities.get("poet").name == "Bard"


async def test_the_watch_notices_new_changed_and_deleted_files(tmp_path: Path) -> None:
    personalities = Personalities(tmp_path)
    watching = asyncio.create_task(personalities.watch(every=0.001))

    def poets() -> list[str]:
        return [each.name for each in personalities.all() if each.id == "poet"]

    async def seen(expected: list[str]) -> None:
        async with asyncio.timeout(10):
            while poets() != expected:  # noqa: ASYNC110 - a watch that polls has no event to give
                await asyncio.sleep(0.001)

    path = written(tmp_path, "poet.json", name="Poet")
    await seen(["Poet"])
    written(tmp_path, "poet.json", name="Bard!")
    await seen(["Bard!"])
    path.unlink()
    await seen([])
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


def test_nothing_is_ever_written(tmp_path: Path) -> None:
    empty, bad = tmp_path / "empty", tmp_path / "bad"
    empty.mkdir()
    bad.mkdir()
    written(bad, "poet.json", b"")
    Personalities(empty, bad, tmp_path / "never").refresh()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bad", "empty", "poet.json"]
    assert (bad / "poet.json").read_bytes() == b""


def test_what_is_handed_out_cannot_be_changed(tmp_path: Path) -> None:
    personalities = Personalities(tmp_path)
    personalities.all().clear()
    personality = personalities.get("tutor")
    with pytest.raises(AttributeError):
        personality.name = "x"  # type: ignore[misc]
    assert isinstance(personality, Personality)
    assert ids(personalities) == OWN
