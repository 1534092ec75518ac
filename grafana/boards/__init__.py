"""The boards, in the order in which their links stand."""

from panels import Board

from . import engines, instances, memory, overview, upstream

BOARDS: tuple[Board, ...] = (
    overview.BOARD,
    engines.BOARD,
    memory.BOARD,
    upstream.BOARD,
    instances.BOARD,
)
