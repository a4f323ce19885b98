"""Watches the user's files and has the workers replaced when one changes. It imports nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from watchfiles import PythonFilter, awatch


async def reload_on_change(
    dirs: Iterable[Path | str],
    replace: Callable[[], Awaitable[object]],
    stop: asyncio.Event,
    *,
    changed: Callable[[list[str]], None] = lambda paths: None,
) -> None:
    """Call `replace` after each change of a Python file below `dirs`, until `stop` is set.

    Changes during a replacement lead to one more. `changed` is told the files first. Folders that
    do not exist are not watched.
    """
    places = [str(p) for p in dirs if Path(p).exists()]  # noqa: ASYNC240 - once, at the start
    if not places:
        await stop.wait()
        return
    async for changes in awatch(
        *places, watch_filter=PythonFilter(), stop_event=stop, recursive=True
    ):
        changed(sorted({path for _, path in changes}))
        await replace()
