"""What one check of ``yychat check`` found."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """``remedy`` says how to mend it."""

    subject: str
    text: str
    remedy: str = ""
    level: str = "ok"

    @property
    def failed(self) -> bool:
        return self.level == "fail"

    @property
    def mark(self) -> str:
        return {"ok": "[ ok ]", "warn": "[warn]", "fail": "[FAIL]"}[self.level]
