"""Writes grafana/dashboards/*.json from grafana/boards; `--check` only tells what is stale."""

import json
import sys
from pathlib import Path

from boards import BOARDS
from panels import Board
from rendering import rendered

FOLDER = Path(__file__).parent / "dashboards"


def text(board: Board) -> str:
    """The file of *board*: the same each time, and readable in a diff."""
    return json.dumps(rendered(board), indent=2, ensure_ascii=False) + "\n"


def wanted() -> dict[Path, str]:
    return {FOLDER / f"{board.uid}.json": text(board) for board in BOARDS}


def stale() -> list[Path]:
    """Files that are not as the boards say, and those that no board has."""
    files = wanted()
    there = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    return sorted(path for path in {*files, *there} if files.get(path) != there.get(path))


def write() -> None:
    files = wanted()
    for path in stale():
        if path in files:
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        for path in stale():
            sys.stderr.write(f"{path.name} is not what the boards say: run `make docs`\n")
        return 1 if stale() else 0
    if arguments:
        sys.stderr.write("build.py [--check]\n")
        return 2
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
