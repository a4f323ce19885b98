"""The journal of one run as its code sees it: what is behind it, and keeping what comes next.

Which verb asks, and what values mean, is decided in `step`, `wait`, `children` and their sisters.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, Final, TypeVar

from msgspec import json

from mainspring.clock import Clock, SystemClock
from mainspring.errors import FencedOut, InvalidOptions, JournalFull, Misplaced, StepConflict
from mainspring.model.run import OUTPUT_LIMIT, RunError
from mainspring.sdk.port import Port
from mainspring.sdk.scopes import Branch, Scope, Use, current_branch
from mainspring.sdk.signals import Divergence, Signal
from mainspring.wire.calls import Request, Response
from mainspring.wire.worker import Entry, Execute, Wait

T = TypeVar("T")

NAME_LENGTH: Final = 128
KEY_LENGTH: Final = 256
MANY: Final = 10_000
MOST: Final = 50_000

_NAME: Final = re.compile(f"[^\0\ud800-\udfff/#!\\[\\]]{{1,{NAME_LENGTH}}}")
_KEY: Final = re.compile(f"(?s:(?!!)[^\0\ud800-\udfff]{{1,{KEY_LENGTH}}})")
_APART: Final = re.compile(r"[%/#!\[\]]")
_SEED: Final = "!seed"
_INPUTS: Final = "!inputs"

log = logging.getLogger("mainspring.journal")


class Place:
    """One durable operation of the code: its key, its turn, and what the journal has under it."""

    __slots__ = ("entry", "key", "seq")

    def __init__(self, key: str, seq: int, entry: Entry | None) -> None:
        self.key = key
        self.seq = seq
        self.entry = entry


class Journal:
    """What the code of a run has behind it, and how it goes on. Takes the entries out of `order`.

    Attributes:
        branches: live asyncio tasks of the run. The worker adds the main one, `branches` the rest.
        waiting: tasks that are in a durable wait, with its key.
        thread: the thread that is the body of a `def` task; the worker says so.
        hopping: threads that wait for a durable operation.
        inputs: the number of the next record of each input stream, negative while it is awaited.
        stirred: set by the worker; called when a branch has ended while others wait.
        lapsed: set by the worker; whether its lease has run out, and the run may go on elsewhere.
        fresh: whether this is the first execution of the run, so that no other has left waits.
        ended: the signal that has left the code; every further operation raises it again. A worker
            looks here too, because code may have swallowed it.
    """

    __slots__ = (
        "_accepted", "_entries", "_live", "_recorded", "_seed", "_seq", "attempt", "branches",
        "clock", "ended", "fresh", "generation", "hopping", "inputs", "lapsed", "port", "root",
        "run_id", "stirred", "thread", "waiting",
    )  # fmt: skip

    def __init__(self, order: Execute, port: Port, clock: Clock | None = None) -> None:
        self.run_id = order.run_id
        self.attempt = order.attempt
        self.fresh = order.epoch == 1
        self.generation = order.generation
        self.port = port
        self.clock = clock or SystemClock()
        self.root = Branch(Scope())
        self.branches: set[asyncio.Task[Any]] = set()
        self.waiting: dict[asyncio.Task[Any], str] = {}
        self.thread: int | None = None
        self.hopping: set[int] = set()
        self.inputs: dict[str, int] = {}
        self.stirred: Callable[[], None] | None = None
        self.lapsed: Callable[[], bool] | None = None
        self.ended: Signal | None = None
        self._entries: dict[str, Entry] = {}
        self._accepted: frozenset[str] = frozenset()
        self._seed: str | None = None
        self._seq = 1
        self._live = False
        self._recorded = len(order.journal)
        if order.journal:
            self._read(order.journal)
            order.journal = []

    @property
    def replaying(self) -> bool:
        """Whether the code is where it has been before: entries are unread, and nothing is new."""
        return not self._live and bool(self._entries)

    def unread(self) -> list[str]:
        """Keys that the code has not come to, in order; at its end, those of removed steps."""
        return list(self._entries)

    def forget(self, prefix: str) -> None:
        """Expect the code no more in a scope that it passes over."""
        for key in [key for key in self._entries if key.startswith(prefix)]:
            del self._entries[key]

    def place(self, name: str, key: str | None = None, *, attempt_only: bool = False) -> Place:
        """The place of the next operation of that name in the branch that calls.

        Raises:
            Misplaced: inside the body of a step.
            StepConflict: another asyncio task uses the name in the same scope.
            FencedOut: the worker's lease has run out.
        """
        branch = current_branch.get() or self.root
        if branch.step is not None:
            raise _inside(name, branch.step)
        if self.ended is not None:
            raise self.ended
        if self.lapsed is not None and self.lapsed():
            raise FencedOut(
                f"The lease of this worker has run out, and run {self.run_id} goes on elsewhere; "
                "its code here can begin nothing durable any more."
            )
        scope, label = branch.scope, name
        if key is not None:
            # a key means the same wherever it is used, so that branches may come in any order
            scope = self.root.scope
            label = f"{name}[!{self.attempt}:{key}]" if attempt_only else f"{name}[{key}]"
        elif attempt_only:
            label = f"{name}[!{self.attempt}]"
        use = scope.uses.get(label)
        if use is None:
            use = scope.uses[label] = Use(branch)
        elif use.branch is not branch:
            raise _conflict(name, key)
        count = use.count
        full = f"{scope.prefix}{label}#{count}" if count else scope.prefix + label
        use.count = count + 1
        if not self._entries:
            entry = None
        else:
            entry = self._entries.pop(full, None)
            if entry is None:
                entry = self._entries.pop(f"{full}!{self.attempt}", None)
        seq = self._seq
        self._seq = seq + 1
        return Place(full, seq, entry)

    def check(self, place: Place, kind: str, fingerprint: str) -> None:
        """Raises Divergence when the journal has something else in this place."""
        entry = place.entry
        if entry is None or place.key in self._accepted:
            return
        if entry.kind != kind:
            self.diverge(place.key, entry.kind, kind)
        if entry.fingerprint != fingerprint and not _alike(entry.fingerprint, fingerprint):
            self.diverge(place.key, entry.fingerprint, fingerprint)

    def diverge(self, key: str, expected: str, found: str) -> None:
        """End the attempt: `expected` is what the journal holds. Raises: Divergence."""
        details = {"key": key, "expected": expected, "found": found}
        self.ended = Divergence(
            RunError(
                f"The journal of run {self.run_id} holds {expected} as {key!r}, and the code now "
                f"asks for {found}. Run it with the code it began with, or settle it: accept the "
                "stored result, restart from this entry, or fail.",
                "Diverged",
                code="diverged",
                details=details,
            )
        )
        raise self.ended

    async def record(self, entry: Entry) -> None:
        """Keep an entry durably. Raises: JournalFull."""
        self._grow()
        port = self.port
        if asyncio.get_running_loop() is port.loop:
            await port.record([entry])
        else:
            await self._elsewhere(port.record([entry]))
        self._live = True

    def post(self, entry: Entry, generation: int | None = None) -> None:
        """Keep an entry without waiting for it; durable before everything later. Any thread."""
        self._grow()
        port = self.port
        if asyncio._get_running_loop() is port.loop:
            port.post([entry], generation)
        else:
            port.loop.call_soon_threadsafe(port.post, [entry], generation)
        self._live = True

    def hand_on(self) -> None:
        """Keep for the next generation what that has to know: which inputs have been read."""
        if self.inputs:
            data = json.encode({name: abs(number) for name, number in self.inputs.items()})
            entry = Entry(_INPUTS, 0, "step", data=data.decode())
            self.post(entry, self.generation + 1)

    async def wait(self, place: Place, wait: Wait) -> Entry:
        """The outcome of a wait: the recorded one, or else once it is there.

        Raises: JournalFull.
        """
        if place.entry is not None:
            return place.entry
        self._grow()
        if asyncio.get_running_loop() is self.port.loop:
            return await self._wait(wait)
        return await self._elsewhere(self._wait(wait))

    async def call(self, request: Request, *, kept: bool = False) -> Response:
        """Ask the engine in the name of the run; `kept`: the engine makes an entry of it."""
        if asyncio.get_running_loop() is self.port.loop:
            response = await self.port.call(request)
        else:
            response = await self._elsewhere(self.port.call(request))
        if kept:
            self._grow()
            self._live = True
        return response

    def take(self, name: str, kind: str) -> Entry | None:
        """The last entry of the name in this branch, passing over all of them; None without one."""
        last = None
        while (place := self.place(name)).entry is not None:
            self.check(place, kind, "")
            last = place.entry
        use = (current_branch.get() or self.root).scope.uses[name]
        use.count -= 1  # the place behind them is still to be used
        return last

    def block(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it on the loop while this thread waits. Raises: Misplaced on a loop's own thread."""
        if asyncio._get_running_loop() is not None:
            work.close()
            raise Misplaced(
                "A blocking form was called on a thread whose event loop is running, and would "
                "stop everything else there; await the form that is not in `sync` instead."
            )
        me = threading.get_ident()
        pending = asyncio.run_coroutine_threadsafe(work, self.port.loop)
        self.hopping.add(me)
        try:
            return pending.result()
        except CancelledError as late:  # an Exception there, which code may well catch
            raise asyncio.CancelledError from late
        except BaseException:
            pending.cancel()
            raise
        finally:
            self.hopping.discard(me)

    @property
    def seed(self) -> str:
        """What chance in this run begins from; the same in every replay and copy of the journal."""
        if self._seed is None:
            self._seed = f"{self.run_id}/{self.generation}"
            seq, self._seq = self._seq, self._seq + 1
            now = self.clock.now()
            data = f'"{self._seed}"'
            self.post(Entry(_SEED, seq, "step", data=data, started_at=now, ended_at=now))
        return self._seed

    async def _wait(self, wait: Wait) -> Entry:
        task = asyncio.current_task()
        assert task is not None
        self.waiting[task] = wait.key
        try:
            entry = await self.port.wait(wait)
        finally:
            del self.waiting[task]
        self._live = True
        return entry

    async def _elsewhere(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something of the port from another event loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.port.loop))

    def _grow(self) -> None:
        self._recorded += 1
        if self._recorded == MANY:
            log.warning(
                "the journal of run %s has %d entries; from %d on it is full. `continue_with` "
                "begins a fresh one.", self.run_id, MANY, MOST,
            )  # fmt: skip
        elif self._recorded > MOST:
            raise JournalFull(
                f"The journal of run {self.run_id} has {MOST:,} entries, and holds no more; end a "
                "stretch of the work with `continue_with(payload)`, which begins a fresh journal."
            )

    def _read(self, entries: list[Entry]) -> None:
        failed, own = f"!{self.attempt}", (f"!{self.attempt}]", f"!{self.attempt}:")
        for entry in entries:
            key = entry.key
            if entry.seq >= self._seq:
                self._seq = entry.seq + 1
            if key.startswith("!"):
                if key == _SEED and entry.data is not None:
                    self._seed = entry.data[1:-1]
                elif key == _INPUTS and entry.data is not None:
                    self.inputs = json.decode(entry.data, type=dict[str, int])
                elif key.startswith("!accept:"):
                    self._accepted |= {key.removeprefix("!accept:")}
                continue
            if entry.kind == "step" and entry.status == "failed" and not key.endswith(failed):
                continue
            _, bracket, inner = key.partition("[")
            if bracket and inner.startswith("!") and not inner.startswith(own):
                continue
            self._entries[key] = entry


def fits(data: str, what: str) -> str:
    """The text, if a journal takes it. Raises: JournalFull."""
    if len(data) > OUTPUT_LIMIT:
        raise JournalFull(
            f"{what} is {len(data):,} bytes; {OUTPUT_LIMIT:,} are allowed. Store it elsewhere and "
            "return a reference."
        )
    return data


def _alike(recorded: str, asked: str) -> bool:
    """Whether two fingerprints differ only in that one of them says nothing of arguments."""
    name, _, arguments = recorded.rpartition(":")
    other, _, others = asked.rpartition(":")
    return name == other and not (arguments and others)


def check_name(name: object, key: object = None) -> None:
    """Refuse a name or key that no journal key can be made of. Raises: InvalidOptions."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidOptions(
            f"A step's name is {name!r}; 1 to {NAME_LENGTH} characters without / # ! [ ] are "
            "allowed."
        )
    if key is not None and (not isinstance(key, str) or not _KEY.fullmatch(key)):
        raise InvalidOptions(
            f"Step {name!r}: key is {key!r}; 1 to {KEY_LENGTH} characters that do not begin with "
            "an exclamation mark are allowed."
        )


def quoted(name: str) -> str:
    """A name of something else (a task, a stream) as part of an operation's name."""
    return _APART.sub(lambda found: f"%{ord(found[0]):02x}", name)


def _inside(name: str, step: str) -> Misplaced:
    return Misplaced(
        f"{name!r} was called inside the body of step {step!r}, which is recorded as one thing. "
        "Call the plain function there, or move this call into the task itself, beside the step."
    )


def _conflict(name: str, key: str | None) -> StepConflict:
    if key is not None:
        return StepConflict(
            f"Two asyncio tasks of this run use {name!r} with the key {key!r}; give each a key of "
            "its own."
        )
    return StepConflict(
        f"Two asyncio tasks of this run use the name {name!r}, and nothing tells in a replay which "
        "is which. Make those tasks with `parallel`, `asyncio.gather` or a TaskGroup, or give each "
        "call a `key`."
    )
