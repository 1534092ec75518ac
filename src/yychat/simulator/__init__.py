"""A simulated OpenAI-compatible upstream with faults to order."""
