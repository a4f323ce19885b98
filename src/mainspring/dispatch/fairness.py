"""Whose turn it is: self-clocked fair queueing. Knows no limits; whoever is listed may go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

UNIT = 1 << 20
"""How far one turn moves a member of weight 1 in virtual time."""


class Member(Protocol):
    """What takes turns: a lane within its queue, a track within its environment."""

    tag: int


M = TypeVar("M", bound=Member)


def stride_of(weight: float) -> int:
    """Return how far one turn moves a member of that weight; the heavier, the less."""
    return UNIT if weight == 1 else max(1, round(UNIT / weight))


class Turns(Generic[M]):
    """Members by the tag of their turn, equal tags in order of arrival.

    Start-time fair queueing in its self-clocked form: whoever enters gets the tag
    `virtual time + stride`, the lowest tag goes first, and its tag becomes the virtual time. A
    member that was idle has saved nothing, one that is served re-enters behind those that wait,
    and no record of idle members is needed, because their tags have always passed.

    Virtual time only grows, so members of weight 1 enter in the order of their tags: they stand
    in a plain line at no cost, and only the others need a heap.
    """

    __slots__ = ("_entered", "heap", "line")

    def __init__(self) -> None:
        self.line: deque[M] = deque()
        self.heap: list[tuple[int, int, M]] = []
        self._entered = 0

    def __len__(self) -> int:
        return len(self.line) + len(self.heap)

    def enter(self, member: M, virtual: int, stride: int) -> None:
        """Stand in line at virtual time `virtual`; a member stands here at most once."""
        member.tag = virtual + stride
        if stride == UNIT:
            self.line.append(member)
        else:
            self._entered += 1
            heappush(self.heap, (member.tag, self._entered, member))

    def pop(self) -> M:
        """Take out whose turn it is. There must be one."""
        line, heap = self.line, self.heap
        if heap and not (line and line[0].tag < heap[0][0]):
            return heappop(heap)[2]
        return line.popleft()

    def put_back(self, member: M) -> None:
        """Undo `pop`: the member keeps its tag and its place."""
        self._entered += 1
        heappush(self.heap, (member.tag, -self._entered, member))

    def sweep(self, stays: Callable[[M], bool]) -> list[M]:
        """Take out all members that do not stay; costs a step per member."""
        swept = [m for m in self.line if not stays(m)] + [
            e[2] for e in self.heap if not stays(e[2])
        ]
        if swept:
            self.line = deque(m for m in self.line if stays(m))
            self.heap = [entry for entry in self.heap if stays(entry[2])]
            heapify(self.heap)
        return swept

    def first_tag(self) -> int:
        """Return the tag of whose turn it is. There must be one."""
        line, heap = self.line, self.heap
        if heap and not (line and line[0].tag < heap[0][0]):
            return heap[0][0]
        return line[0].tag


def earlier(one: Turns[M] | None, other: Turns[M] | None) -> Turns[M] | None:
    """Return the one whose first member goes first; None if nobody stands in either."""
    if not other or not (other.line or other.heap):
        return one if one is not None and (one.line or one.heap) else None
    if not one or not (one.line or one.heap) or other.first_tag() < one.first_tag():
        return other
    return one
