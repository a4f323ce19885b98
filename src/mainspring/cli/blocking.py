"""What runs a command that asks one thing after another: no event loop, and a transport for that.

What does several things at a time takes `Talk.in_loop`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from mainspring.sdk.exchange import Exchange

T = TypeVar("T")


def drive(work: Coroutine[Any, Any, T]) -> T:
    """The end of a coroutine that never pauses, as all that it awaits does its work at once."""
    try:
        work.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    work.close()
    raise AssertionError("a command that pauses does so in Talk.in_loop")


def transport_to(url: str, key: str, **how: Any) -> Exchange:
    """A transport to the server at `url`, to be driven; `how` as `Exchange` takes it."""
    home, name = ("plain", "PlainTransport") if _is_plain(url) else ("looped", "LoopedTransport")
    made: Exchange = getattr(importlib.import_module(f"mainspring.cli.{home}"), name)(
        url, key, **how
    )
    return made


def _is_plain(url: str) -> bool:
    """Whether a connection without TLS and proxy leads there; said fast where that is easy."""
    if not url.startswith("http://"):
        return False
    if sys.platform == "linux" and not any(name.lower().endswith("_proxy") for name in os.environ):
        return True
    from mainspring.cli.direct import is_plain  # knows of proxies, which takes long to load

    return is_plain(url)
