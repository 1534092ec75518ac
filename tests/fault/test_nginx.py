"""Behind a real nginx that takes turns: what one instance answered the next one recalls."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from fault.instances import asked, fact, instances, until
from redis_server import redis_server
from running import Service, Simulator

REQUESTS = 500
USERS = 3  # odd, so that a user's next request goes to the other instance

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream yychat {{
        {servers}
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://yychat;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            add_header x-answered-by $upstream_addr always;
        }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, behind: list[Service]) -> Iterator[str]:
    """The address of an nginx that hands requests to *behind* in turn."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    assert Path(program).exists(), "this test needs nginx (Debian: apt-get install nginx-light)"
    folder.mkdir()
    port = free_port()
    servers = "\n".join(f"server {each.url.removeprefix('http://')};" for each in behind)
    written = folder / "nginx.conf"
    written.write_text(CONFIGURATION.format(folder=folder, servers=servers, port=port))
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(written), "-e", "stderr"])
    try:
        until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, "nginx ended at once"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def test_a_turn_is_recalled_by_the_next_request_wherever_it_goes(
    tmp_path: Path, upstream: Simulator, note: Callable[[str], None]
) -> None:
    with (
        redis_server(tmp_path / "redis", appendonly=True) as redis,
        instances(tmp_path, ("a", "b"), redis, upstream) as pair,
        nginx(tmp_path / "nginx", pair) as address,
        httpx2.Client(base_url=address, timeout=30) as http,
    ):
        answered_by, missed = [], []
        for number in range(REQUESTS):
            before = number - USERS
            answered_by.append(tell_and_ask(http, number, before))
            if before >= 0 and f"secret{before}y" not in given(upstream):
                missed.append(number)
    elsewhere = sum(a != b for a, b in zip(answered_by, answered_by[USERS:], strict=False))
    note(f"nginx     {REQUESTS} requests, {elsewhere} recalls elsewhere, {len(missed)} misses")
    assert elsewhere == REQUESTS - USERS
    assert missed == []


def tell_and_ask(http: httpx2.Client, number: int, before: int) -> str:
    """A new fact, with a question for the one *before*; who answered."""
    text = f"{fact(number)}, and lamp{before}x?"
    body = asked(text, user=f"user-{number % USERS}")
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-answered-by"]


def given(upstream: Simulator) -> str:
    """What the model was given last, besides the request."""
    return str(upstream.last()["chat"]["body"]["messages"][:-1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
