"""Memory: the native one, its ranking, and the outbox that feeds it."""
