"""The way to a model: client, wire format, retries and breakers."""
