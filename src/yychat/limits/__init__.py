"""How much callers may take: requests at once, and requests and tokens per minute."""
