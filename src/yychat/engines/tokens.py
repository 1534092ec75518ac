PER_MESSAGE = 4


def estimate(text: str) -> int:
    return max(1, len(text.encode("utf-8", "replace")) // 3)
