"""docs/configuration.md, written from the settings themselves."""

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from .settings import Settings

HEAD = """# Configuration

Generated from `src/yychat/settings.py` by `make docs`; do not edit.

Every setting is an environment variable, read once at the start (the key file excepted). An empty
variable counts as unset. A `YYCHAT_*` variable that does not exist stops the start. Secrets
(marked \N{KEY}) can be given as a file: the same name with `_FILE`.

| variable | default | meaning |
|---|---|---|
"""


def page() -> str:
    return HEAD + "".join(_row(field) for field in Settings.model_fields.values())


def _row(field: FieldInfo) -> str:
    secret = " \N{KEY}" if field.annotation == SecretStr | None else ""
    return f"| `{field.validation_alias}`{secret} | {_default(field)} | {field.description} |\n"


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is None or default is PydanticUndefined or default == ():
        return "–"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
