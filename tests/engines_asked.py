"""Asking a service with both engines, and seeing what reached the model."""

from pathlib import Path
from typing import Any

from following import until
from running import Service, Simulator

ENGINES = ("chat_engine", "mem0_proxy")
MODELS = {"OPENAI_MODEL": "simulated", "MEM0_EMBEDDING_MODEL": "simulated", "YYCHAT_RETRIES": "0"}
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
# An answer that only calls a tool is nobody's memory: who asks like this leaves no trace.
TRACELESS = {"tools": [LOOK], "tool_choice": {"type": "function", "function": {"name": "look"}}}


def told(service: Service, upstream: Simulator, question: str, **fields: Any) -> tuple[str, str]:
    """What came of the recall, and what the model was told beside *question*."""
    answer = service.chat(question, **TRACELESS, **fields)
    assert answer.status_code == 200, answer.text
    body = upstream.last()["chat"]["body"]
    assert body["messages"][-1]["content"] == question
    return answer.headers["x-yychat-memory"], str(body["messages"][:-1])


def memory(service: Service, given_id: str, kind: str = "user", key: str = "") -> Any:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    path = f"/v1/conversations/{given_id}/memory"
    listed = service.http.get(path, params={"kind": kind, "limit": 1000}, headers=headers)
    assert listed.status_code == 200, listed.text
    return listed.json()


def extracted(service: Service, given_id: str, kind: str = "user", key: str = "") -> None:
    """Wait until what was said is facts in mem0."""

    def done() -> bool:
        records = memory(service, given_id, kind, key)["data"]
        mem0 = [each for each in records if each["engine"] == "mem0_proxy"]
        return bool(mem0) and all(each["role"] is None for each in mem0)

    until(done)


def holding(text: str, folder: Path) -> list[str]:
    """The files that have *text* in them."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]
