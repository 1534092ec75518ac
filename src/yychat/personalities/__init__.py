"""Personalities: a system prompt, a description and the tools it may use."""
