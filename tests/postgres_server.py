"""A real PostgreSQL with pgvector of a test's own, from PyPI's pgserver, in a folder of its own.

In a process of its own: pgserver logs, warns and stays until its process ends.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

SERVE = """
import sys, pgserver
server = pgserver.get_server(sys.argv[1])
print("listening on", server.get_uri(), flush=True)
sys.stdin.read()
server.cleanup()
"""


@contextmanager
def postgres_server() -> Iterator[str]:
    """Its URL. The path is short: it holds a socket, and its user is not root."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SERVE, f"{folder}/data"],
            env={**os.environ, "XDG_RUNTIME_DIR": folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin
        assert process.stdout
        try:
            line = process.stdout.readline()
            assert line.startswith("listening on "), "PostgreSQL did not start"
            yield line.removeprefix("listening on ").strip()
        finally:
            process.stdin.close()
            process.wait(20)
            process.stdout.close()
