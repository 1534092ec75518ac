"""Engines: the port, what they share, and ChatEngine."""
