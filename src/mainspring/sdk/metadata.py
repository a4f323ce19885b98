"""The metadata of the current run: what its code and its readers see of its progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import msgspec

from mainspring.errors import InvalidOptions
from mainspring.model.metadata import applied, check, steps_of
from mainspring.model.run import Run
from mainspring.sdk.context import Context, current
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.output import Piped
from mainspring.sdk.port import Port
from mainspring.sdk.portal import run
from mainspring.sdk.transport import ask
from mainspring.wire.calls import Retrieve
from mainspring.wire.worker import Op

T = TypeVar("T")

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode
_NOTHING: Final = object()
_VIEW: Final = object()
"""Under which the context keeps the text as this code has made it."""


class Changes:
    """Changes of one run's metadata; each method answers the object, so that calls can be chained.

    The answer may be awaited, which costs nothing and waits for nothing: `flush` does.

    A path is a key, or a JSON path such as `$.steps[0].name`; what is missing on the way is made.
    Changes take effect in order, together with everything else that the run says; none of them
    waits. While a run is replayed from its journal they are left out, because they were made
    before. All methods raise InvalidOptions for a change that cannot be made, and Misplaced outside
    a run.
    """

    def __init__(self, target: str) -> None:
        self._target = target

    if not TYPE_CHECKING:  # a checker would ask for an await that is not needed

        def __await__(self) -> Generator[None, None, Self]:
            yield from ()
            return self

    def set(self, path: str = "", value: Any = _NOTHING, **fields: Any) -> Self:
        """Put the value there; `set(progress=0.5)` is short for `set("progress", 0.5)`."""
        if value is not _NOTHING:
            self._change("set", path, value)
        elif path or not fields:
            raise InvalidOptions(
                f"metadata set {path!r} has no value; write set(path, value) or set(key=value)."
            )
        for key, field in fields.items():
            self._change("set", key, field)
        return self

    def delete(self, path: str) -> Self:
        """Take away what is there, if anything."""
        return self._say(Op("delete", path, None, self._target))

    def append(self, path: str, value: Any) -> Self:
        """Add the value to the end of the list there; another value there becomes its first."""
        return self._change("append", path, value)

    def remove(self, path: str, value: Any) -> Self:
        """Take every item that equals the value out of the list there."""
        return self._change("remove", path, value)

    def increment(self, path: str, by: float = 1) -> Self:
        """Add to the number there; nothing there counts as 0."""
        return self._change("increment", path, by)

    def decrement(self, path: str, by: float = 1) -> Self:
        """Subtract from the number there; nothing there counts as 0."""
        return self._change("increment", path, -by)

    def replace(self, metadata: Mapping[str, Any]) -> Self:
        """Put these fields in place of all there are."""
        return self._change("replace", "", dict(metadata))

    def stream(self, key: str, source: AsyncIterable[T] | Iterable[T]) -> Piped[T]:
        """Write everything that comes out of `source` to the stream of that name, as
        `streams.pipe` does.
        """
        return Piped(key, source, self._target)

    def _change(self, op: str, path: str, value: Any) -> Self:
        try:
            text = to_json(value).decode()
        except BEYOND_JSON as error:
            raise InvalidOptions(
                f"metadata {op} {path!r}: the value cannot be written as JSON: {why(error)}."
            ) from error
        return self._say(Op(op, path, text, self._target))

    def _say(self, op: Op) -> Self:
        ctx = current()
        if ctx.replaying:
            return self
        if op.target == "self":
            ctx.locals[_VIEW] = applied(_view(ctx), [op])
        else:
            check(op)
        say(ctx, [op])
        return self


class Metadata(Changes):
    """The metadata of the run that this code belongs to, at most 256 KB of JSON.

    Attributes:
        parent: the run that triggered this one, for changes; without one, this run.
        root: the run at the top of the tree, for changes; without one, this run.
    """

    def __init__(self) -> None:
        super().__init__("self")
        self.parent = Changes("parent")
        self.root = Changes("root")

    def current(self) -> dict[str, Any]:
        """Everything, own changes of this attempt included; a copy. Raises: Misplaced."""
        found: dict[str, Any] = _decode(_view(current()) or "{}")
        return found

    def get(self, path: str, default: Any = None) -> Any:
        """What is there, own changes of this attempt included, else `default`; a copy.

        Raises: InvalidOptions for a path that cannot be read, Misplaced outside a run.
        """
        here: Any = self.current()
        for step in steps_of(path):
            if isinstance(here, list) and str(step).isdecimal() and int(step) < len(here):
                here = here[int(step)]
            elif isinstance(here, dict) and step in here:
                here = here[step]
            else:
                return default
        return here

    async def refresh(self) -> dict[str, Any]:
        """Read it anew from the server, with what others have changed. Raises: Misplaced."""
        await self.flush()
        ctx = current()
        run = await ask(Retrieve(ctx.run_id), Run)
        ctx.locals[_VIEW] = run.metadata
        return self.current()

    async def flush(self) -> None:
        """Return once every change so far is stored. Raises: Misplaced outside a run."""
        await flush(current())

    def flush_sync(self) -> None:
        """`flush` for blocking code."""
        run(self.flush())


metadata: Final = Metadata()
"""The metadata of the run that this code belongs to."""


def say(ctx: Context, ops: list[Op], tags: tuple[str, ...] = ()) -> None:
    """Have the worker send changes of metadata and new tags, from any thread."""
    port = ctx.journal.port
    if _on(port):
        port.update(ops, tags)
    else:
        port.loop.call_soon_threadsafe(port.update, ops, tags)


async def flush(ctx: Context) -> None:
    """Return once everything that the run has said is stored."""
    port = ctx.journal.port
    if _on(port):
        await port.flush()
    else:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(port.flush(), port.loop))


def _on(port: Port) -> bool:
    try:
        return asyncio.get_running_loop() is port.loop
    except RuntimeError:
        return False


def _view(ctx: Context) -> str | None:
    if _VIEW not in ctx.locals:
        given = ctx.metadata
        ctx.locals[_VIEW] = None if given is None else _encode(given).decode()
    text: str | None = ctx.locals[_VIEW]
    return text
