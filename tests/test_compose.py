"""The containers: what docker-compose makes of its file, and that all it needs is there."""

import json
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]  # comes with mem0, its stubs do not

from alertmanager_server import amtool
from redis_server import RedisServer, redis_server
from rules import ROOT, read
from running import Service, Simulator, service
from yychat.settings import Settings

COMPOSE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
DOCKERFILE = ROOT / "Dockerfile"
PROFILES = ((), ("mem0",), ("scale",), ("mem0", "scale"))
INSTANCES = ("yychat", "yychat-2", "yychat-3")
PUBLISHED = {"yychat", "grafana", "balancer"}
# Settings that belong to the containers, not to who runs them.
OURS = {
    "YYCHAT_HOST",
    "YYCHAT_PORT",
    "YYCHAT_DATA_DIR",
    "YYCHAT_METRICS_HOST",
    "YYCHAT_METRICS_PORT",
    "YYCHAT_METRICS_ADVERTISE",
    "YYCHAT_METRICS_TOKEN",  # Prometheus would have to know it; nobody else reaches the port
    "YYCHAT_ALERT_TOKEN",
    "YYCHAT_ALERTMANAGER_URL",
    "YYCHAT_ALLOW_KEYLESS",
    "YYCHAT_OWNER_SECRET_FILE",
    "REDIS_URL",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_DB",
    "REDIS_PASSWORD",
}


@cache
def composed(*profiles: str, **environment: str) -> Any:
    """The file as docker-compose understands it, with the example for .env: nothing set."""
    assert shutil.which("docker-compose"), "this test needs docker-compose (Debian: docker-compose)"
    command = ["docker-compose", "--env-file", str(EXAMPLE), "--file", str(COMPOSE)]
    wanted = [part for profile in profiles for part in ("--profile", profile)]
    done = subprocess.run(
        [*command, *wanted, "config"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return yaml.safe_load(done.stdout)


def services() -> Any:
    """Every service there is."""
    return composed("mem0", "scale")["services"]


def chosen() -> Any:
    """The same, as an operator might have it."""
    address = {"LISTEN_ON": "0.0.0.0", "CHAT_PORT": "81", "GRAFANA_PORT": "82"}
    return composed("scale", OPENAI_API_KEY="sk-real", TARGETS="scale", **address)["services"]


def mounts(container: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Source, target, and whether it may be written."""
    for volume in container.get("volumes", []):
        source, target, mode = volume.rsplit(":", 2)
        yield source, target, mode == "rw"


def folders() -> dict[str, Path]:
    """Where in the tree each folder is that is mounted into a container, by name and target."""
    return {
        f"{name}:{target}": Path(source)
        for name, container in services().items()
        for source, target, _ in mounts(container)
        if source.startswith("/")
    }


def outside(name: str, target: str) -> Path:
    """The path in the tree behind the path *target* in the container *name*."""
    for mounted, path in folders().items():
        place = mounted.removeprefix(f"{name}:")
        if mounted.startswith(f"{name}:") and Path(target).is_relative_to(place):
            return path / Path(target).relative_to(place)
    raise AssertionError(f"{name} mounts nothing at {target}")


def variables(name: str) -> dict[str, str | None]:
    found: dict[str, str | None] = services()[name]["environment"]
    return found


@pytest.mark.parametrize("profiles", PROFILES, ids=lambda chosen: "+".join(chosen) or "none")
def test_docker_compose_accepts_the_file_with_nothing_set(profiles: Sequence[str]) -> None:
    running = {
        name
        for name, container in composed(*profiles)["services"].items()
        if not container.get("profiles") or {*container["profiles"]} & {*profiles}
    }
    extra = {"mem0": {"postgres"}, "scale": {"yychat-2", "yychat-3", "balancer"}}
    always = {*services()} - {name for names in extra.values() for name in names}
    assert running == always.union(*(extra[profile] for profile in profiles))


def test_every_path_that_is_mounted_is_there() -> None:
    assert [path for path in folders().values() if not path.exists()] == []


def test_nothing_of_the_tree_can_be_written_by_a_container() -> None:
    writable = [
        source
        for container in services().values()
        for source, _, may_write in mounts(container)
        if may_write and source.startswith("/")
    ]
    assert writable == []


def test_the_service_and_grafana_are_published_and_on_loopback_alone() -> None:
    ports = {name: container.get("ports", []) for name, container in services().items()}
    assert {name for name, given in ports.items() if given} == PUBLISHED
    assert [each for given in ports.values() for each in given if each[:10] != "127.0.0.1:"] == []


def test_the_address_and_the_ports_can_be_chosen() -> None:
    assert chosen()["yychat"]["ports"] == ["0.0.0.0:81:8000/tcp"]
    assert chosen()["grafana"]["ports"] == ["0.0.0.0:82:3000/tcp"]


def test_nobody_is_root_and_nobody_writes_but_into_volumes() -> None:
    for name, container in services().items():
        assert container["user"].partition(":")[0] not in ("", "0", "root"), name
        assert container["read_only"] is True, name
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in container, name


def test_what_keeps_data_is_not_reached_from_outside() -> None:
    inside = {"redis", "redis-exporter", "prometheus", "tempo", "postgres"}
    assert composed()["networks"]["inside"]["internal"] is True
    assert {n for n, s in services().items() if s.get("networks") == {"inside": None}} == inside


def test_images_are_pinned_by_a_tag_that_does_not_move() -> None:
    images = {container["image"] for container in services().values()} - {"yychat"}
    assert images
    assert [image for image in images if not re.search(r":v?\d+\.\d+\.\d+", image)] == []


def test_everybody_who_can_be_asked_is_asked_how_it_is() -> None:
    # These three are programs without a shell; Prometheus sees the exporter, the others are seen.
    silent = {"redis-exporter", "tempo", "secrets"}
    image = {*INSTANCES}  # in the Dockerfile
    asked = {
        n for n, s in services().items() if s.get("healthcheck", {}).get("test", "NONE")[0] == "CMD"
    }
    assert asked == {*services()} - silent - image


def test_every_setting_is_handed_on_or_ours() -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    known |= Settings.secrets().keys()
    ours = OURS | {f"{name}_FILE" for name in OURS} & known
    fixed = {name for name, value in variables("yychat").items() if value is not None}
    assert fixed <= ours | {"OTEL_EXPORTER_OTLP_ENDPOINT"}
    assert variables("yychat").keys() - ours == known - ours


def test_instances_differ_by_name_and_data_alone() -> None:
    differing = ("hostname", "ports", "profiles", "volumes")
    alike = [
        {key: value for key, value in services()[name].items() if key not in differing}
        for name in INSTANCES
    ]
    assert alike[0] == alike[1] == alike[2]
    for name in INSTANCES:
        assert services()[name]["hostname"] == name
        data = [s for s, target, _ in mounts(services()[name]) if target == "/var/lib/yychat"]
        assert data == [name]


def test_real_keys_reach_the_service_and_nobody_else() -> None:
    assert {n for n, s in chosen().items() if "sk-real" in json.dumps(s)} == {*INSTANCES}


def test_every_name_in_the_example_means_something_and_none_is_set() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []
    named = set(re.findall(r"^#([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text(encoding="utf-8")))
    handed = {name for each in INSTANCES for name in variables(each)}
    assert asked <= named
    assert named <= asked | handed | {*variables("alertmanager")} | {"COMPOSE_PROFILES"}


@pytest.mark.parametrize("running", [services, chosen], ids=["usual", "scale"])
def test_prometheus_scrapes_just_the_instances_there_are(running: Callable[[], Any]) -> None:
    active = "/etc/prometheus/targets/active"
    (source,) = (s for s, target, _ in mounts(running()["prometheus"]) if target == active)
    groups = [each for path in Path(source).glob("*.yml") for each in read(path)]
    hosts = {target.partition(":")[0] for group in groups for target in group["targets"]}
    assert hosts <= {*services()}
    assert hosts & {*INSTANCES} == ({"yychat"} if running is services else {*INSTANCES})


def test_prometheus_starts_as_its_configuration_asks() -> None:
    command = services()["prometheus"]["command"]
    assert "--storage.tsdb.retention.time=35d" in command
    assert "--enable-feature=exemplar-storage" in command
    assert any(each.startswith("--storage.tsdb.retention.size=") for each in command)
    config = outside("prometheus", "/etc/prometheus/prometheus.yml")
    for pattern in read(config)["rule_files"]:
        assert [*outside("prometheus", f"/etc/prometheus/{pattern}").parent.glob("*.yml")]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A real Redis, set up as the container's."""
    command = services()["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    with redis_server(tmp_path / "redis") as running:
        for name, value in options.items():
            running.cli("config", "set", name.removeprefix("--"), value)
        yield running


def test_redis_that_is_full_gives_up_caches_and_no_turn(redis: RedisServer) -> None:
    assert redis.cli("config", "get", "appendonly").split()[-1] == "yes"
    for number in range(50):
        redis.cli("set", f"turn{number}", "x" * 10_000)
        redis.cli("set", f"cache{number}", "x" * 10_000, "px", "600000")
    used = int(redis.cli("info", "memory").split("used_memory:")[1].split()[0])
    redis.cli("config", "set", "maxmemory", str(used - 100_000))
    redis.cli("set", "another", "x")
    assert len(redis.keys("turn*")) == 50
    assert len(redis.keys("cache*")) < 50


def test_redis_could_give_up_only_what_nobody_needs(
    redis: RedisServer, upstream: Simulator, data: Path
) -> None:
    given = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_MODEL": "simulated"}
    with service(data, REDIS_URL=redis.url, **given) as running:
        until_ready(running.url)
        running.say("My dog is called Rex.", user="ada")
        running.http.get("/v1/models").raise_for_status()
        until(lambda: bool(redis.keys("*:turns:*") and redis.keys("*:cache:*")))
        until(lambda: bool(redis.keys("*:{performance}:*")))
        passing = {key for key in redis.keys("*") if redis.cli("ttl", key) != "-1"}
    spare = ("yychat:v1:cache:", "yychat:v1:limiter:", "yychat:v1:{performance}:")
    assert [key for key in passing if not key.startswith(spare)] == []
    assert passing >= {*redis.keys("*:cache:*")} > set()


@pytest.fixture(scope="module")
def applets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with nothing but busybox, which is all there is in some images."""
    program = shutil.which("busybox")
    assert program, "this test needs busybox (Debian: apt-get install busybox)"
    folder = tmp_path_factory.mktemp("busybox")
    subprocess.run([program, "--install", "-s", str(folder)], check=True, timeout=30)
    return str(folder)


def test_alertmanager_renders_its_configuration_with_busybox(tmp_path: Path, applets: str) -> None:
    (script,) = services()["alertmanager"]["command"]
    render, _, run = script.partition(" && exec ")
    program, path, target = shlex.split(render)
    done = subprocess.run(
        [f"{applets}/{program}", outside("alertmanager", path), tmp_path / Path(target).name],
        env={"PATH": applets, **{n: v for n, v in variables("alertmanager").items() if v}},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert f"--config.file={target}" in run.split()
    written = tmp_path / Path(target).name
    amtool("check-config", written)
    assert "http://yychat:8000/v1/alerts" in written.read_text()


def test_who_is_told_can_be_chosen_by_every_file_there_is() -> None:
    for path in (ROOT / "alertmanager" / "people").glob("*.yml"):
        told = "\n".join(line for line in path.read_text().splitlines() if "#" not in line)
        for name in set(re.findall(r"\$\{([A-Z_]+)\}", told)):
            assert {name, f"{name}_FILE"} & variables("alertmanager").keys(), (path.name, name)


def made(folder: Path, applets: str) -> dict[str, tuple[str, int]]:
    """Content and mode of each secret, once the container has run that makes them."""
    program, script, _ = services()["secrets"]["entrypoint"]
    subprocess.run(
        [f"{applets}/{program}", outside("secrets", script), folder],
        env={"PATH": applets},
        check=True,
        timeout=30,
    )
    return {
        path.relative_to(folder).as_posix(): (path.read_text(), stat.S_IMODE(path.stat().st_mode))
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_secrets_are_made_once_and_for_those_who_need_them(tmp_path: Path, applets: str) -> None:
    for _, target, _ in mounts(services()["secrets"]):
        if target.startswith("/srv/yychat/"):
            (tmp_path / target.removeprefix("/srv/yychat/")).mkdir()
    first = made(tmp_path, applets)
    assert {name: mode for name, (_, mode) in first.items()} == {
        "shared/owner.secret": 0o400,
        "alerting/token": 0o444,
        "grafana/admin_password": 0o444,
        "postgres/password": 0o444,
        "postgres/url": 0o400,
    }
    texts = [text for name, (text, _) in first.items() if name != "postgres/url"]
    assert len({*texts}) == 4
    assert [text for text in texts if not re.fullmatch(r"[0-9a-f]{64}", text)] == []
    (tmp_path / "alerting/token").unlink()
    again = made(tmp_path, applets)
    assert [name for name in first if first[name] != again[name]] == ["alerting/token"]


def test_every_secret_that_a_container_reads_is_made_and_mounted_there() -> None:
    script = outside("secrets", "/compose/secrets.sh").read_text()
    for name, container in services().items():
        readable = {target for _, target, _ in mounts(container)}
        for value in (container.get("environment") or {}).values():
            if value and value.startswith("/srv/yychat/"):
                assert str(Path(value).parent) in readable, (name, value)
                assert f"keep {value.removeprefix('/srv/yychat/')} " in script, value


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def test_nginx_shares_requests_out(tmp_path: Path, yychat: Service) -> None:
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    path = next(each for each in services()["balancer"]["entrypoint"] if each.endswith(".conf"))
    text = outside("balancer", path).read_text()
    assert re.findall(r"server (\S+):8000;", text) == [*INSTANCES]
    port, behind = free_port(), yychat.url.removeprefix("http://")
    text = re.sub(r"server yychat\S*:8000;", f"server {behind};", text)
    text = text.replace("listen 8080", f"listen 127.0.0.1:{port}").replace("/tmp", str(tmp_path))
    (tmp_path / "nginx.conf").write_text(text)
    running = subprocess.Popen([program, "-c", tmp_path / "nginx.conf", "-g", "daemon off;"])
    try:
        until_ready(f"http://127.0.0.1:{port}")
    finally:
        running.terminate()
        running.wait(10)


def until_ready(url: str) -> None:
    until(lambda: ready(url))


def until(state: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not state():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.05)


def ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=10).status_code == 200
    except httpx2.TransportError:
        return False


def test_grafana_begins_with_the_overview_and_lets_nobody_in_unknown() -> None:
    given = variables("grafana")
    assert given["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert "GF_SECURITY_ADMIN_PASSWORD" not in given
    home = outside("grafana", str(given["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]))
    assert json.loads(home.read_text())["uid"] == "yychat-overview"


def test_grafana_finds_its_boards_and_its_sources() -> None:
    provisioning = outside("grafana", "/etc/grafana/provisioning")
    (boards,) = (provisioning / "dashboards").glob("*.yml")
    for provider in read(boards)["providers"]:
        assert [*outside("grafana", provider["options"]["path"]).rglob("*.json")]
    (sources,) = (provisioning / "datasources").glob("*.yml")
    for source in read(sources)["datasources"]:
        host = re.match(r"http://([a-z-]+):\d+$", source["url"])
        assert host, source["url"]
        assert host[1] in services()


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments on one line."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line]


def of(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


def test_the_image_is_built_apart_from_what_runs() -> None:
    assert of("FROM") == ["python:${PYTHON} AS build", "python:${PYTHON}"]
    (version,) = (re.match(r"PYTHON=(\d+\.\d+\.\d+)-slim-", each) for each in of("ARG")[:1])
    assert version
    assert f"Programming Language :: Python :: {version[1].rpartition('.')[0]}" in (
        ROOT / "pyproject.toml"
    ).read_text(encoding="utf-8")


def test_the_image_installs_just_what_is_locked() -> None:
    installs = [each for each in of("RUN") if "pip install" in each]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "-r requirements-image.lock" in installs[0]
    assert {"--no-deps", "--no-build-isolation"} <= {*installs[1].split()}
    assert not re.search(r"https?://|--(extra-)?index-url", DOCKERFILE.read_text(encoding="utf-8"))


def test_the_image_runs_as_nobody_in_particular() -> None:
    (user,) = of("USER")
    assert user == services()["yychat"]["user"]
    assert int(user.partition(":")[0]) > 0
    last = max(n for n, (name, _) in enumerate(instructions()) if name in ("RUN", "COPY"))
    assert last < [name for name, _ in instructions()].index("USER")


def test_the_image_has_no_secret_and_opens_no_door() -> None:
    given = " ".join([*of("ENV"), *of("ARG"), *of("LABEL")])
    secrets = {*Settings.secrets(), *Settings.secrets().values()} | {"YYCHAT_ALLOW_KEYLESS"}
    assert [name for name in secrets if f"{name}=" in given] == []
    copied = {word for each in of("COPY") for word in each.split() if not word.startswith("-")}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert kept == copied - {"./", "/opt/yychat"}
    assert [name for name in kept if not (ROOT / name).exists()] == []


def test_a_volume_belongs_to_the_service_where_it_writes() -> None:
    (made,) = (each for each in of("RUN") if "useradd" in each)
    for name in ("yychat", "secrets"):
        for _, target, may_write in mounts(services()[name]):
            assert not may_write or re.search(rf"-o yychat [^&]*{target}(\s|$)", made), target


def test_the_image_says_how_it_is(yychat: Service) -> None:
    (check,) = of("HEALTHCHECK")
    command = json.loads(check[check.index("CMD ") + 4 :])
    assert command[0] == "python"
    until_ready(yychat.url)
    for port, status in ((yychat.http.base_url.port, 0), (free_port(), 1)):
        done = subprocess.run(
            [sys.executable, *command[1:]],
            env={"YYCHAT_PORT": str(port)},
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
        assert done.returncode == status
