"""From signals to an orderly end: the first one asks, the second one does not. No clean-up here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stop_signals(last_words: Callable[[], object]) -> Iterator[asyncio.Event]:
    """An event that SIGINT or SIGTERM sets, while the block runs.

    A second signal calls `last_words`, which must be quick, and ends the process at once.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def received(number: int) -> None:
        if stop.is_set():
            last_words()
            os._exit(128 + number)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, received, number)
    try:
        yield stop
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
