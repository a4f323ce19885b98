"""Where the rectangles of a treemap lie. It draws nothing."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    def inset(self, side: float, top: float) -> "Box":
        """The room inside a frame; empty when the frame takes it all."""
        return Box(
            self.x + side,
            self.y + top,
            max(self.width - 2 * side, 0.0),
            max(self.height - side - top, 0.0),
        )


def squarify(sizes: Sequence[float], room: Box) -> list[Box]:
    """Divides the room by the sizes, keeping each box as square as it can be.

    Sizes are positive and sorted, the largest first. The areas are exact: a box has the share of
    the room that its size has of all sizes (Bruls, Huizing and van Wijk, 2000).
    """
    boxes: list[Box] = []
    start = 0
    rest = float(sum(sizes))
    while start < len(sizes):
        side = min(room.width, room.height)
        scale = room.width * room.height / rest if rest > 0 else 0.0
        end, taken = start + 1, sizes[start]
        while end < len(sizes):
            more = taken + sizes[end]
            before = _worst(sizes[start], sizes[end - 1], taken, side, scale)
            if _worst(sizes[start], sizes[end], more, side, scale) > before:
                break
            end, taken = end + 1, more
        row, room = _row(sizes[start:end], taken, room, scale)
        boxes += row
        start, rest = end, rest - taken
    return boxes


def _worst(largest: float, smallest: float, total: float, side: float, scale: float) -> float:
    """The least square box of a row along the side, as the longer edge over the shorter one."""
    area = total * scale
    if not area or not side:
        return 1.0
    return max(side**2 * largest * scale / area**2, area**2 / (side**2 * smallest * scale))


def _row(sizes: Sequence[float], total: float, room: Box, scale: float) -> tuple[list[Box], Box]:
    """The boxes of one row along the shorter side, and the room that is left."""
    boxes: list[Box] = []
    area = total * scale
    if room.width >= room.height:
        thick = area / room.height if room.height else 0.0
        y = room.y
        for size in sizes:
            height = room.height * size / total
            boxes.append(Box(room.x, y, thick, height))
            y += height
        return boxes, Box(room.x + thick, room.y, max(room.width - thick, 0.0), room.height)
    thick = area / room.width if room.width else 0.0
    x = room.x
    for size in sizes:
        width = room.width * size / total
        boxes.append(Box(x, room.y, width, thick))
        x += width
    return boxes, Box(room.x, room.y + thick, room.width, max(room.height - thick, 0.0))
