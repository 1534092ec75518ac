"""Watching: one span per thing that happens, and from those spans metrics, logs and records."""
