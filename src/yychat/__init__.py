"""YYChat: an OpenAI-compatible chat service with memory."""

__version__ = "0.1.0"
