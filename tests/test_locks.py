"""The lock files: what they promise to whoever installs from them."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-image.lock", "requirements-dev.lock")
NODE_LOCKS = ("tests/node", "grafana/preview")


def requirements(lock: str) -> list[str]:
    """One string per locked package, its hashes included."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


def pins(lock: str) -> dict[str, str]:
    found = (re.match(r"([\w.-]+)==([\w.!+]+)", line) for line in requirements(lock))
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    lines = requirements(lock)
    assert lines
    assert [line for line in lines if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:", line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_says_where_packages_come_from(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert re.findall(r"://|--[\w-]*(?:index|find-links|host)[\w-]*", text) == []


@pytest.mark.parametrize("folder", NODE_LOCKS)
def test_a_node_lock_has_hashes_and_no_addresses(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = [package for path, package in lock["packages"].items() if path]
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages)
    assert all("resolved" not in package for package in packages)


def test_images_and_tests_run_on_exactly_what_operators_run_on() -> None:
    plain, image, tests = (pins(lock).items() for lock in LOCKS)
    assert plain < image < tests


@pytest.mark.parametrize("lock", LOCKS)
def test_no_machine_learning_framework_comes_in_unnoticed(lock: str) -> None:
    unwanted = {"onnxruntime", "tensorflow", "torch", "transformers"}
    if lock == "requirements-dev.lock":
        unwanted -= {"onnxruntime"}  # chromadb's, which is an extra; its own embedder is not used
    assert pins(lock).keys().isdisjoint(unwanted)
