"""OpenAI's own Node SDK against the service: every script in tests/node has to succeed."""

import os
import subprocess
from pathlib import Path

import pytest

from running import Service, Simulator

FOLDER = Path(__file__).parent / "node"
SCRIPTS = sorted(FOLDER.glob("*.test.mjs"))
WITHIN = 60  # seconds; a script takes about one


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_node_sdk_is_served(script: Path, yychat: Service, upstream: Simulator) -> None:
    assert (FOLDER / "node_modules/openai").is_dir(), "first run: npm --prefix tests/node ci"
    run = subprocess.run(
        ["node", "--test-reporter=spec", script.name],
        cwd=FOLDER,
        env={
            "PATH": os.environ["PATH"],
            "YYCHAT_URL": yychat.url,
            "SIMULATOR_URL": upstream.url,
        },
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"


def test_there_are_scripts_to_run() -> None:
    assert {script.name.partition(".")[0] for script in SCRIPTS} >= {"chat", "tools", "errors"}
