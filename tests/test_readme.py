"""The tours in the READMEs: run as they stand there, and compared with what they show.

In a ``console`` block ``$ `` begins a command; indented lines belong to a command that ends in a
backslash. What follows is its output; ``…`` stands for anything on a line, and alone on a line
for any lines. A ``python`` block that begins with ``# name.py`` is that file.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from running import Service, service

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh-CN.md")
ADDRESS = "http://127.0.0.1:8000"
CUT = "…"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\b1[0-9]{9}\b"), "<time>"),
    (re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b"), "<date>"),
    (re.compile(r"(_tokens\": )[0-9]+"), r"\1<tokens>"),
    (re.compile(r"http://127\.0\.0\.1:[0-9]+"), "<address>"),
    (re.compile(r"data in [^)\n]+"), "data in <folder>"),
)


class Step(NamedTuple):
    """A command and the output it is shown with."""

    command: str
    shown: str


def blocks(readme: str, language: str) -> list[str]:
    found = _BLOCK.findall((ROOT / readme).read_text(encoding="utf-8"))
    return [content for kind, content in found if kind == language]


def steps(readme: str) -> list[Step]:
    return [step for block in blocks(readme, "console") for step in _steps(block)]


def _steps(block: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        end = next(i for i, line in enumerate(lines) if not line.endswith("\\\n")) + 1
        yield Step("".join(lines[:end]), "".join(lines[end:]))


def masked(text: str) -> str:
    for varying, name in _VARYING:
        text = varying.sub(name, text)
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip() + "\n"


def fits(shown: str, said: str) -> bool:
    pattern = "".join(
        r"(?:.*\n)*?" if line == f"{CUT}\n" else re.escape(line).replace(re.escape(CUT), ".*")
        for line in masked(shown).splitlines(keepends=True)
    )
    return re.fullmatch(pattern, masked(said)) is not None


def write_programs(readme: str, running: Service, folder: Path) -> None:
    for program in blocks(readme, "python"):
        name = program.partition("\n")[0].removeprefix("# ")
        (folder / name).write_text(program.replace(ADDRESS, running.url), encoding="utf-8")


def run(command: str, running: Service, folder: Path) -> str:
    """What *command* prints in *folder*, with this Python's programs and *running*'s address."""
    programs = str(Path(sys.executable).parent)
    command = command.replace(ADDRESS, running.url).replace(".venv/bin/", f"{programs}/")
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
    )
    return done.stdout.decode()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service as `make run` starts it; both tours use it, each with a user of its own."""
    with service(tmp_path_factory.mktemp("tour") / "data") as running:
        assert running.process.stdout is not None
        running.lines.append(running.process.stdout.readline())
        yield running


@pytest.mark.parametrize("readme", READMES)
def test_the_tour_is_true(readme: str, fresh: Service, tmp_path: Path) -> None:
    write_programs(readme, fresh, tmp_path)
    for step in steps(readme):
        starts = step.command == "make run\n"
        said = "".join(fresh.lines) if starts else run(step.command, fresh, tmp_path)
        assert fits(step.shown, said), f"$ {step.command}{said}"


@pytest.mark.parametrize("readme", READMES)
def test_the_tour_shows_everything_it_is_there_for(readme: str) -> None:
    commands = "".join(step.command for step in steps(readme))
    wanted = ("make run", "curl -s ", ".venv/bin/python", '"stream": true', "kind=user", "DELETE")
    assert [each for each in wanted if each not in commands] == []


def test_both_languages_take_the_same_tour() -> None:
    english, chinese = (
        [kind for kind, _ in _BLOCK.findall((ROOT / readme).read_text(encoding="utf-8"))]
        for readme in READMES
    )
    assert english == chinese
    assert len(steps("README.md")) == len(steps("README.zh-CN.md"))


def test_a_cut_stands_for_anything_and_nothing_else_does() -> None:
    assert fits("a…z\n…\nend\n", "a to z\nmore\nmore\nend\n")
    assert fits("a\n…\nend\n", "a\nend\n")
    assert not fits("a…z\n", "a\nz\n")
    assert not fits("a.c\n", "abc\n")
    assert not fits("…\nend\n", "more\nend\nstill more\n")
