"""Putting a simulated world in the place of the real one: time, logs and garbage."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import warnings
from asyncio import events
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from mainspring.engine import engine
from mainspring.sdk import context
from mainspring.worker import park
from tools.sim.world import World

MODULES: Final[tuple[Any, ...]] = (park, context)
"""Where the worker measures durations with the module `time`."""
TICK_S: Final = 0.5
"""Half as many looks around as in earnest, most of which see nothing, take half the time."""


class _Shouts(logging.Handler):
    """An error in the engine's or the worker's log is one in the simulation."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.ERROR:
            error = record.exc_info[1] if record.exc_info else None
            where = ""
            if error is not None and error.__traceback__ is not None:
                last = error.__traceback__
                while last.tb_next is not None:
                    last = last.tb_next
                where = f" at {last.tb_frame.f_code.co_filename}:{last.tb_lineno}"
            self._world.fail(f"logged: {text} {error!r}{where}")
        else:
            self._world.note("log:", text[:160])


class _Time:
    """Stands for the module `time` where the worker measures durations."""

    def __init__(self, world: World) -> None:
        self._world = world

    def monotonic(self) -> float:
        return self._world.now

    def time(self) -> float:
        return self._world.wall_ms() / 1000


@contextmanager
def staged(world: World) -> Iterator[None]:
    """Have that world instead of the real one, as long as the block lasts."""
    log, shouts = logging.getLogger("mainspring"), _Shouts(world)
    before = log.level, log.propagate, sys.unraisablehook, [module.time for module in MODULES]
    for module in MODULES:
        module.time = _Time(world)
    tick, engine.TICK_S = engine.TICK_S, TICK_S
    log.addHandler(shouts)
    log.setLevel(logging.WARNING)
    log.propagate = False
    sys.unraisablehook = lambda _: None
    gc.disable()  # what collections finalize would depend on what was executed before
    try:
        yield
    finally:
        for node in world.nodes:
            node.dead = True
        events._set_running_loop(None)
        _bury(world)
        with warnings.catch_warnings():  # of what a process that died never began
            warnings.simplefilter("ignore", RuntimeWarning)
            gc.collect()
        gc.enable()
        engine.TICK_S = tick
        log.removeHandler(shouts)
        level, log.propagate, sys.unraisablehook, times = before
        log.setLevel(level)
        for module, time in zip(MODULES, times, strict=True):
            module.time = time


def _bury(world: World) -> None:
    """Let go of what was left in the middle of something, without a word."""
    park.graveyard._runs.clear()
    for node in world.nodes:
        for task in asyncio.all_tasks(node.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
