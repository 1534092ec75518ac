"""One personality, as its file says it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ..errors import ConfigurationError

BOM = b"\xef\xbb\xbf"

Id = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9_-]{0,63}\Z")]
Name = Annotated[str, Meta(pattern=r"\S", max_length=100)]
Description = Annotated[str, Meta(max_length=1_000)]
Prompt = Annotated[str, Meta(pattern=r"\S", max_length=32_768)]
ToolName = Annotated[str, Meta(pattern=r"\A[a-zA-Z0-9_-]{1,64}\Z")]
Language = Annotated[str, Meta(pattern=r"\A[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*\Z")]


class Personality(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A system prompt with a name.

    ``allowed_tools`` None is every tool, empty is none. ``language`` is a BCP 47
    tag that tells clients what language it speaks; nothing here depends on it.
    """

    id: Id
    name: Name
    description: Description = ""
    system_prompt: Prompt
    allowed_tools: tuple[ToolName, ...] | None = None
    language: Language | None = None


def parsed(content: bytes) -> Personality:
    """The personality in a file's *content*; ``ConfigurationError`` names the field at fault."""
    try:
        return msgspec.json.decode(content.removeprefix(BOM), type=Personality)
    except msgspec.ValidationError as error:  # names fields and types, never values
        raise ConfigurationError(str(error)) from None
    except UnicodeError:
        raise ConfigurationError("it is not UTF-8") from None
    except (msgspec.DecodeError, RecursionError):
        raise ConfigurationError("it is not valid JSON") from None
