"""Whose names count together within a run: scopes, and the branches that use them. No tasks here.

A branch is one line of execution. The main one and those of `gather`, `TaskGroup` and `parallel`
have a scope of their own; any other asyncio task is a branch that shares the scope it was made in.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final
from weakref import WeakKeyDictionary

from mainspring.errors import StepConflict


class Use:
    """A name that is in use in a scope: by which branch, and how often so far."""

    __slots__ = ("branch", "count")

    def __init__(self, branch: Branch) -> None:
        self.branch = branch
        self.count = 0


class Scope:
    """Names in use, and the groups of branches opened here. The main scope has no group."""

    __slots__ = ("_group", "_index", "_prefix", "numbered", "opener", "pending", "uses")

    def __init__(self, group: Group | None = None, index: int = 0) -> None:
        self._group = group
        self._index = index
        self._prefix: str | None = "" if group is None else None
        self.uses: dict[str, Use] = {}
        self.pending: list[Group] = []
        self.numbered = 0
        self.opener: Branch | None = None

    @property
    def prefix(self) -> str:
        """What its keys begin with, such as `0/1/`. Raises: StepConflict when chance decides."""
        if self._prefix is None:
            assert self._group is not None
            self._prefix = f"{self._group.prefix()}{self._index}/"
        return self._prefix


class Branch:
    """One line of execution. `step` names the step whose body it is inside, if any."""

    __slots__ = ("_gathered", "_groups", "scope", "step")

    def __init__(self, scope: Scope, step: str | None = None) -> None:
        self.scope = scope
        self.step = step
        self._gathered: tuple[object, Group] | None = None
        self._groups: WeakKeyDictionary[object, Group] | None = None

    def gathered(self, children: object) -> Group:
        """The group of one `gather`, known by its own list; all of it is made at one go."""
        last = self._gathered
        if last is not None and last[0] is children:
            return last[1]
        group = Group(self)
        self._gathered = children, group
        return group

    def group(self, maker: object) -> Group:
        """The group of a TaskGroup, which may grow as long as it lives."""
        if self._groups is None:
            self._groups = WeakKeyDictionary()
        group = self._groups.get(maker)
        if group is None:
            group = self._groups[maker] = Group(self)
        return group

    def let_go(self, group: Group) -> None:
        """A branch of the group has ended, so a `gather` makes no more of them."""
        if self._gathered is not None and self._gathered[1] is group:
            self._gathered = None


class Group:
    """The branches of one `gather`, `TaskGroup` or `parallel`.

    Groups of a scope are numbered when the first of their branches does something durable, so that
    those which never do change no keys; older ones that still live get their number before.
    """

    __slots__ = ("_branches", "_live", "_number", "_owner")

    def __init__(self, owner: Branch) -> None:
        self._owner = owner
        self._branches = 0
        self._live = 0
        self._number: int | None = None

    def branch(self) -> Branch:
        """A further branch, with a scope of its own."""
        scope = Scope(self, self._branches)
        self._branches += 1
        if self._live == 0 and self._number is None:
            self._owner.scope.pending.append(self)
        self._live += 1
        return Branch(scope)

    def ended(self) -> None:
        """One of its branches has ended."""
        self._live -= 1
        self._owner.let_go(self)
        if self._live == 0 and self._number is None:
            self._owner.scope.pending.remove(self)

    def prefix(self) -> str:
        """What its scopes begin with: nothing of its own for the first group of a scope."""
        scope = self._owner.scope
        if self._number is None:
            self._enter(scope)
        return f"{scope.prefix}{self._number}." if self._number else scope.prefix

    def _enter(self, scope: Scope) -> None:
        if scope.opener is None:
            scope.opener = self._owner
        elif scope.opener is not self._owner:
            raise StepConflict(
                "Two asyncio tasks of this run that `create_task` made both open branches with "
                "durable steps, and nothing tells in a replay which is which. Make those tasks "
                "with `parallel`, `asyncio.gather` or a TaskGroup."
            )
        place = scope.pending.index(self) + 1 if self in scope.pending else 0
        for group in scope.pending[:place] or [self]:
            if group._owner is self._owner:
                group._number = scope.numbered
                scope.numbered += 1
        scope.pending = [group for group in scope.pending if group._number is None]


current_branch: Final[ContextVar[Branch | None]] = ContextVar("mainspring_branch", default=None)
"""The branch that runs; None is the main one."""
