"""HTTP: handlers, authentication, errors, server-sent events."""
