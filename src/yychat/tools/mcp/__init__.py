"""Tools of MCP servers, by the official SDK, which is imported where one is configured."""
