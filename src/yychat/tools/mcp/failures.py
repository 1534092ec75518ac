"""How a server fails; each is a ``ToolError``, as it is what the model is told."""

from ...errors import ToolError


class ServerAway(ToolError):
    """There is no connection: the server cannot be started, reached or understood; what was asked
    was not sent. The message says which, without anything that the server said."""

    code = "mcp_away"


class ServerLost(ToolError):
    """The connection broke while a question was under way: nobody knows whether it was done."""

    code = "mcp_lost"


class ServerRefused(ToolError):
    """The server answered with an error; ``number`` is JSON-RPC's, the message the server's own.
    Where its session turns out to be over, that was why, and nothing was done."""

    code = "mcp_refused"

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number
