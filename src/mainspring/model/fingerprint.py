"""Which failures are alike: by task, error and place in the code, else by the message. Pure."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from mainspring.model.run import RunError

SHOWN: Final = 300
"""Letters of a message that are looked at and kept."""
_BEGIN: Final = '  File "'
_FRAME: Final = re.compile(r'  File "(?:[^"\n]*[/\\])?([^"\n]+)", line \d+, in ([^\n]+)')
_VARYING: Final = re.compile(
    r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|'[^'\n]*'|\"[^\"\n]*\"|\b(?=\w*\d)\w{6,}\b|\d+"
)


def place(stack: str) -> str:
    """The innermost frame of a Python traceback, such as "tasks.py, in resize"; "" without one.

    Lines and folders are left out: they move while the fault stays.
    """
    at = stack.rfind(_BEGIN)
    frame = _FRAME.match(stack, at) if at >= 0 else None
    return f"{frame[1]}, in {frame[2]}" if frame is not None else ""


def normal(message: str) -> str:
    """The message with everything that differs from one run to the next as `*`."""
    return _VARYING.sub("*", message[:SHOWN])


def fingerprint(task: str, error: RunError, at: str) -> str:
    """16 hexadecimal digits that failures of one kind share; `at` is their `place`."""
    return _digits(task, error.name, at or normal(error.message))


@lru_cache(maxsize=1024)
def _digits(task: str, name: str, told: str) -> str:
    text = f"{task}\0{name}\0{told}"
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()
