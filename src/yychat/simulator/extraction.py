"""The answer to mem0's extraction prompt: what the user said, sentence by sentence.

mem0ai 2.x sends one system prompt and one user prompt of "## " sections, and reads
``{"memory": [{"id", "text", "attributed_to"}]}``; any other shape it drops without a word.
"""

import re
from collections.abc import Iterator

import msgspec

from .asked import ChatAsked

_MOST = 20
_SPEAKER = re.compile(r"(user|assistant|system): ")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_QUESTION_ENDS = ("?", "？", "吗", "呢")


class Memory(msgspec.Struct, frozen=True):
    id: str
    text: str
    attributed_to: str = "user"


def is_extraction(asked: ChatAsked) -> bool:
    system = asked.messages[0].text if asked.messages[0].role == "system" else ""
    return "You are a Memory Extractor" in system[:200] and "## New Messages\n" in asked.question


def extraction(asked: ChatAsked) -> str:
    """The JSON mem0 accepts, with what the user states as memories; questions are none."""
    known = _section(asked.question, "Existing Memories", "New Messages")
    facts = dict.fromkeys(
        sentence
        for said in _user_texts(_section(asked.question, "New Messages", "Observation Date"))
        for sentence in _sentences(said)
        if msgspec.json.encode(sentence).decode() not in known
    )
    memories = [Memory(str(number), fact) for number, fact in enumerate(list(facts)[:_MOST])]
    return msgspec.json.encode({"memory": memories}).decode()


def _section(prompt: str, name: str, following: str) -> str:
    after = prompt.partition(f"## {name}\n")[2]
    return after.rpartition(f"\n\n## {following}\n")[0]


def _user_texts(conversation: str) -> Iterator[str]:
    """What the user said; a message goes on until a line names the next speaker."""
    speaker = ""
    for line in conversation.splitlines():
        named = _SPEAKER.match(line)
        speaker = named[1] if named else speaker
        if speaker == "user":
            yield line[named.end() :] if named else line


def _sentences(text: str) -> Iterator[str]:
    for sentence in map(str.strip, _SENTENCE_END.split(text)):
        if len(sentence) > 1 and not sentence.endswith(_QUESTION_ENDS):
            yield sentence
